package virtual

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// VPCD is a place for one card on a reader of the vpcd driver, which listens on
// a port for each reader. The card connects; when pcscd is down or goes down it
// tries again until it is removed, and powers up anew each time.
//
// Frames are length (two bytes, big-endian) and payload. A payload of one byte
// is control: 00 off, 01 on, 02 reset, 04 asks for the ATR.
type VPCD struct {
	addr string

	mu   sync.Mutex
	card *vpcdCard
}

// vpcdCard is one presence of one card.
type vpcdCard struct {
	program Program
	cancel  context.CancelFunc
	ended   chan struct{}

	mu   sync.Mutex
	conn net.Conn
}

var _ Slot = (*VPCD)(nil)

// Ports of the first two readers of the driver as Debian installs it.
const (
	VPCDPort0 = 35963
	VPCDPort1 = 35964
)

const (
	vpcdRetry = 50 * time.Millisecond // between two connection attempts
	vpcdDial  = 2 * time.Second       // one attempt
	vpcdEnd   = 2 * time.Second       // a removed card's last command
)

// NewVPCD makes a place on the driver's reader at host:port.
func NewVPCD(addr string) *VPCD { return &VPCD{addr: addr} }

// Insert implements Slot. It returns at once; the card connects when the
// driver listens.
func (v *VPCD) Insert(p Program) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.card != nil && !v.card.isOver() {
		return fmt.Errorf("vpcd %s: %w", v.addr, ErrSlotTaken)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &vpcdCard{program: p, cancel: cancel, ended: make(chan struct{})}
	v.card = c
	p.Reset()
	go c.run(ctx, v.addr)
	return nil
}

// Remove implements Slot. A command that the card is working on may still be
// applied; its answer does not leave.
func (v *VPCD) Remove() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.card
	if c == nil {
		return nil
	}
	v.card = nil
	c.cancel()
	c.drop()
	timer := time.NewTimer(vpcdEnd)
	defer timer.Stop()
	select {
	case <-c.ended:
		return nil
	case <-timer.C:
		return fmt.Errorf("vpcd %s: the removed card still works on a command", v.addr)
	}
}

// Present implements Slot: a card was laid down, and neither removed nor torn.
func (v *VPCD) Present() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.card != nil && !v.card.isOver()
}

// Connected reports that the card is at the driver now.
func (v *VPCD) Connected() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.card == nil || v.card.isOver() {
		return false
	}
	v.card.mu.Lock()
	defer v.card.mu.Unlock()
	return v.card.conn != nil
}

func (c *vpcdCard) isOver() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// hold makes conn the one that drop closes; false if the card is removed.
func (c *vpcdCard) hold(ctx context.Context, conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	c.conn = conn
	return true
}

func (c *vpcdCard) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *vpcdCard) run(ctx context.Context, addr string) {
	defer close(c.ended)
	defer c.drop()
	dialer := net.Dialer{Timeout: vpcdDial}
	for ctx.Err() == nil {
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err == nil {
			if !c.hold(ctx, conn) {
				conn.Close()
				return
			}
			if torn := c.serve(conn); torn {
				return
			}
			c.drop()
			c.program.Reset()
		}
		select {
		case <-ctx.Done():
		case <-time.After(vpcdRetry):
		}
	}
}

// serve answers the driver until the connection ends or the card is torn.
func (c *vpcdCard) serve(conn net.Conn) (torn bool) {
	in := quickReader(conn)
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetNoDelay(true)
	}
	for {
		frame, err := readFrame(in)
		if err != nil {
			return false
		}
		var reply []byte
		switch {
		case len(frame) == 0:
			continue
		case len(frame) > 1:
			if reply = c.program.Process(frame); reply == nil {
				return true
			}
		case frame[0] == 0x01 || frame[0] == 0x02:
			c.program.Reset()
			continue
		case frame[0] == 0x04:
			reply = c.program.ATR()
		default:
			continue
		}
		if err := writeFrame(conn, reply); err != nil {
			return false
		}
	}
}

func readFrame(r io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(r, frame)
	return frame, err
}

// writeFrame sends length and payload in one piece.
func writeFrame(w io.Writer, payload []byte) error {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(payload)), uint16(len(payload)))
	_, err := w.Write(append(b, payload...))
	return err
}
