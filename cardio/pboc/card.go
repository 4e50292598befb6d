package pboc

import (
	"context"
	"errors"
	"fmt"

	"buka/cardio/apdu"
	"buka/cardio/purse"
	"buka/internal/entry"
	"buka/internal/money"
	codec "buka/internal/pboc"
)

// card is one selected purse.
type card struct {
	family *Family
	ch     purse.Channel
	app    Application
	info   purse.Info
	inits  uint64 // INITIALIZE commands that were sent
}

func (c *card) Info() purse.Info { return c.info }

// Balance is GET BALANCE. On a T-Union card it is the first slot less the
// second, which is the overdrawn amount.
func (c *card) Balance(ctx context.Context) (money.Fen, error) {
	first, err := c.slot(ctx, 0)
	if err != nil {
		return 0, err
	}
	if !c.app.SecondSlot {
		return first, nil
	}
	second, err := c.slot(ctx, 1)
	if isStatus(err) || errors.Is(err, purse.ErrAnswer) {
		return first, nil // an older card without it
	}
	if err != nil {
		return 0, err
	}
	if second == first && second != 0 {
		// Either overdrawn to exactly 0.00, or a card that does not look at P1
		// and gave the first slot again. The latter answers any P1 alike.
		again, err := c.slot(ctx, 0x7F)
		if err == nil && again == first {
			return first, nil
		}
		if err != nil && !isStatus(err) && !errors.Is(err, purse.ErrAnswer) {
			return 0, err
		}
	}
	return first - second, nil
}

// slot is one GET BALANCE of the purse, in fen.
func (c *card) slot(ctx context.Context, p1 byte) (money.Fen, error) {
	const op = "get balance"
	r, err := apdu.Exchange(ctx, c.ch, apdu.Command{CLA: 0x80, INS: 0x5C, P1: p1, P2: 0x02, Ne: 4})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	if r.SW != apdu.OK {
		return 0, purse.Failed(op, r.SW)
	}
	return parseBalance(r.Data)
}

// isStatus says that the card answered, and not with success.
func isStatus(err error) bool {
	var s *purse.StatusError
	var r *purse.Refusal
	return errors.As(err, &s) || errors.As(err, &r)
}

// Log reads EF18 from the newest record on. A status word ends it: the file is
// shorter, missing or protected, and a log that is not there proves nothing.
func (c *card) Log(ctx context.Context) ([]entry.LogRecord, error) {
	var log []entry.LogRecord
	for n := 1; n <= c.family.config.LogRecords; n++ {
		r, err := apdu.Exchange(ctx, c.ch, apdu.ReadRecord(0x18, byte(n), codec.LogSize))
		if err != nil {
			return log, fmt.Errorf("read record %d: %w", n, err)
		}
		if r.SW != apdu.OK {
			break
		}
		record, err := parseRecord(r.Data)
		if err != nil {
			continue // empty, or nothing that we can read
		}
		log = append(log, record)
	}
	return log, nil
}

// Prove is GET TRANSACTION PROVE for a load of the purse. An answer that is
// neither a proof nor a plain no is an error: the card is to be asked again.
func (c *card) Prove(ctx context.Context, n entry.Slot) (entry.Proof, error) {
	const op = "get transaction prove"
	if n > 0xFFFF {
		return entry.Proof{}, purse.ErrNoProof
	}
	r, err := apdu.Exchange(ctx, c.ch, apdu.Command{CLA: 0x80, INS: 0x5A, P2: purse.TypeLoad, Data: []byte{byte(n >> 8), byte(n)}, Ne: 8})
	switch {
	case err != nil:
		return entry.Proof{}, fmt.Errorf("%s: %w", op, err)
	case noProof(r.SW):
		return entry.Proof{}, fmt.Errorf("%w: %v", purse.ErrNoProof, r.SW)
	case r.SW != apdu.OK:
		return entry.Proof{}, purse.Failed(op, r.SW)
	}
	proof, err := parseProof(n, r.Data)
	if err != nil { // it would answer so each time; the counter still decides
		return entry.Proof{}, fmt.Errorf("%w: %w", purse.ErrNoProof, err)
	}
	return proof, nil
}
