package reader

import (
	"errors"

	"github.com/ebfe/scard"
)

// pcscConn is a transaction over the smart card service.
type pcscConn struct {
	reader   string
	ctx      *scard.Context
	card     *scard.Card
	protocol scard.Protocol
}

// dialPCSC connects and begins a transaction. Each call may block without
// limit, while another program holds the card.
func dialPCSC(reader string) (conn, []byte, error) {
	ctx, err := scard.EstablishContext()
	if err != nil {
		return nil, nil, openError(reader, err)
	}
	card, err := ctx.Connect(reader, scard.ShareShared, scard.ProtocolAny)
	if err != nil {
		ctx.Release()
		return nil, nil, openError(reader, err)
	}
	c := &pcscConn{reader: reader, ctx: ctx, card: card, protocol: card.ActiveProtocol()}
	atr, err := c.begin()
	if err != nil {
		card.Disconnect(scard.LeaveCard)
		ctx.Release()
		return nil, nil, openError(reader, err)
	}
	return c, atr, nil
}

// begin makes the connection exclusive. A card that somebody reset or moved
// between connect and transaction is connected anew, once.
func (c *pcscConn) begin() ([]byte, error) {
	err := c.card.BeginTransaction()
	if errors.Is(err, scard.ErrResetCard) {
		err = c.card.Reconnect(scard.ShareShared, scard.ProtocolAny, scard.LeaveCard)
		if err == nil {
			c.protocol = c.card.ActiveProtocol()
			err = c.card.BeginTransaction()
		}
	}
	if err != nil {
		return nil, err
	}
	status, err := c.card.Status()
	if err == nil && c.protocol != scard.ProtocolT0 && c.protocol != scard.ProtocolT1 {
		err = scard.ErrProtoMismatch // the binding would panic on Transmit
	}
	if err != nil {
		c.card.EndTransaction(scard.LeaveCard)
		return nil, err
	}
	return status.Atr, nil
}

func (c *pcscConn) transmit(cmd []byte) ([]byte, error) {
	if c.protocol == scard.ProtocolT0 {
		cmd = withoutLe(cmd)
	}
	resp, err := c.card.Transmit(cmd)
	if err != nil {
		return nil, &Error{Op: "transmit", Reader: c.reader, Kind: kindOf(err), Cause: err}
	}
	if len(resp) < 2 {
		return nil, &Error{Op: "transmit", Reader: c.reader, Kind: ErrTransport}
	}
	return resp, nil
}

// withoutLe drops the Le of a case 4 command: T=0 has no room for it, and the
// card announces its data with 61xx (ISO 7816-3 §12.2.1).
func withoutLe(cmd []byte) []byte {
	if len(cmd) > 5 && len(cmd) == 6+int(cmd[4]) {
		return cmd[:len(cmd)-1]
	}
	return cmd
}

// release leaves the card powered; the next transaction selects anew.
func (c *pcscConn) release() {
	c.card.EndTransaction(scard.LeaveCard)
	c.card.Disconnect(scard.LeaveCard)
	c.ctx.Release()
}

func openError(reader string, err error) error {
	return &Error{Op: "open", Reader: reader, Kind: kindOf(err), Cause: err, Unsent: true}
}

// kinds folds what the service says. What is not listed is ErrTransport.
var kinds = map[scard.Error]error{
	scard.ErrNoService:          ErrNoService,
	scard.ErrServiceStopped:     ErrNoService,
	scard.ErrInvalidHandle:      ErrNoService, // the service that knew it has gone
	scard.ErrServerTooBusy:      ErrNoService,
	scard.ErrShutdown:           ErrNoService,
	scard.ErrUnknownReader:      ErrReaderGone,
	scard.ErrReaderUnavailable:  ErrReaderGone,
	scard.ErrNoReadersAvailable: ErrReaderGone,
	scard.ErrNoSmartcard:        ErrNoCard,
	scard.ErrRemovedCard:        ErrCardRemoved,
	scard.ErrSharingViolation:   ErrBusy,
	scard.ErrResetCard:          ErrReset,
	scard.ErrTimeout:            ErrTimeout,
}

func kindOf(err error) error {
	var code scard.Error
	if errors.As(err, &code) {
		if kind := kinds[code]; kind != nil {
			return kind
		}
	}
	return ErrTransport
}
