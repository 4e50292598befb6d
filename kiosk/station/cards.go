package station

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"log/slog"
	"strings"
	"time"

	"buka/cardio/apdu"
	"buka/cardio/purse"
	"buka/cardio/reader"
	"buka/internal/entry"
	"buka/topup"
)

// Waits of the card worker.
const (
	cardReadWait  = 8 * time.Second // one dialogue of reading
	cardWriteWait = 10 * time.Second
	cardQueue     = 16
)

// authority is who authorises loads, as a card dialogue needs it.
type authority interface {
	Eligible(context.Context, topup.ProbeCard, entry.Attempt) (code string, err error)
	Authorise(context.Context, topup.Load, entry.Attempt) (purse.Grant, error)
	Counter(context.Context, topup.ProbeSlot, entry.Attempt) (entry.Counter, error)
}

// refused is an authority's no.
type refused struct{ code string }

func (r refused) Error() string { return "the authority refused with " + r.code }

// cards owns the card at one place: one goroutine, one transaction at a time.
type cards struct {
	place    topup.Place
	source   reader.Source
	find     func() (reader.State, error)
	families []purse.Family
	auth     authority
	terminal entry.Hex
	now      func() time.Time
	post     func(topup.Event)
	lost     func(topup.Place) // told when contact with the card was lost
	log      *slog.Logger
	queue    chan topup.Command

	held     purse.Prepared // the load that waits for its write
	heldCard reader.Card
	heldSale entry.SaleID
}

// do hands a command over. A full queue means a card dialogue that hangs: the
// command is answered as failed before the write, so nothing is left waiting.
func (c *cards) do(cmd topup.Command) {
	select {
	case c.queue <- cmd:
	default:
		c.log.Error("card queue is full", "place", c.place)
		go c.fail(cmd, "reader-busy")
	}
}

func (c *cards) run(ctx context.Context) {
	defer c.release()
	for {
		select {
		case <-ctx.Done():
			return
		case cmd := <-c.queue:
			c.perform(ctx, cmd)
		}
	}
}

func (c *cards) perform(ctx context.Context, cmd topup.Command) {
	switch cmd := cmd.(type) {
	case topup.ReleaseCard:
		c.release()
	case topup.Write:
		c.write(ctx, cmd)
	default:
		c.release()
		if err := c.dialogue(ctx, cmd); err != nil {
			c.log.Info("card dialogue ended", "place", c.place, "command", name(cmd), "err", err)
			c.contact(err)
			c.fail(cmd, reasonOf(err))
		}
	}
}

// contact tells of an error that is about the card's field.
func (c *cards) contact(err error) {
	for _, kind := range []error{reader.ErrTransport, reader.ErrReset, reader.ErrNoCard, reader.ErrCardRemoved} {
		if errors.Is(err, kind) {
			c.lost(c.place)
			return
		}
	}
}

func name(cmd topup.Command) string {
	switch cmd.(type) {
	case topup.ReadCard:
		return "read"
	case topup.ProbeCard:
		return "probe"
	case topup.Load:
		return "load"
	case topup.Prove:
		return "prove"
	}
	return "probe-slot"
}

// dialogue runs one command to a card up to, not including, a write.
func (c *cards) dialogue(ctx context.Context, cmd topup.Command) error {
	ctx, cancel := context.WithTimeout(ctx, cardReadWait)
	defer cancel()
	st, err := c.find()
	if err != nil {
		return err
	}
	card, err := c.source.Open(ctx, st.Reader)
	if err != nil {
		return err
	}
	keep := false
	defer func() {
		if !keep {
			card.Close()
		}
	}()
	p, err := purse.Open(ctx, card, c.families...)
	if err != nil {
		if _, reads := cmd.(topup.ReadCard); reads && listsPayments(ctx, card, err) {
			return errBankCard
		}
		return err
	}
	switch cmd := cmd.(type) {
	case topup.ReadCard:
		return c.read(ctx, p, cmd)
	case topup.ProbeCard:
		return c.probe(ctx, p, card, cmd)
	case topup.Prove:
		return c.prove(ctx, p, cmd)
	case topup.ProbeSlot:
		return c.probeSlot(ctx, p, card, cmd)
	case topup.Load:
		keep, err = c.load(ctx, p, card, cmd)
	}
	return err
}

var (
	errOtherCard = errors.New("this is another card")
	errBankCard  = errors.New("this is a bank card")
)

// listsPayments tells a bank card from a card of no kind that we know: it has a
// directory of payment applications (PPSE or PSE, EMV Book 1 12.2). Where one
// reader serves both cards it often lies where the other is wanted.
func listsPayments(ctx context.Context, card reader.Card, err error) bool {
	if !errors.Is(err, &purse.Refusal{Reason: purse.UnknownKind}) {
		return false
	}
	for _, name := range []string{"2PAY.SYS.DDF01", "1PAY.SYS.DDF01"} {
		r, err := apdu.Exchange(ctx, card, apdu.SelectByName([]byte(name)))
		if err != nil {
			return false
		}
		if r.SW == apdu.OK {
			return true
		}
	}
	return false
}

func same(p purse.Purse, want entry.Card) error {
	if p.Info().Card != want {
		return errOtherCard
	}
	return nil
}

// logged keeps the log that Observe reads, for the history.
type logged struct {
	purse.Purse
	records []entry.LogRecord
}

func (l *logged) Log(ctx context.Context) ([]entry.LogRecord, error) {
	var err error
	l.records, err = l.Purse.Log(ctx)
	return l.records, err
}

func (c *cards) read(ctx context.Context, p purse.Purse, cmd topup.ReadCard) error {
	l := &logged{Purse: p}
	observed, err := purse.Observe(ctx, l, nil)
	if err != nil {
		if len(observed.Proofs) == 0 {
			return err
		}
		c.log.Warn("a proof was read and then the card failed", "err", err)
	}
	info := p.Info()
	facts := topup.CardFacts{Card: info.Card, Observed: observed, Balance: observed.Balance, History: l.records, Expiry: string(info.Expiry)}
	if err := purse.Check(info, purse.DateOf(c.now())); err != nil {
		facts.Refused = reasonOf(err)
	}
	c.post(topup.CardRead{Place: c.place, Session: cmd.Session, ID: newSaleID(), Card: facts})
	return nil
}

func (c *cards) probe(ctx context.Context, p purse.Purse, card reader.Card, cmd topup.ProbeCard) error {
	if err := same(p, cmd.Card); err != nil {
		return err
	}
	attempt, err := p.Challenge(ctx, purse.LoadRequest{Amount: cmd.Amount, Terminal: c.terminal, STAN: cmd.STAN})
	if err != nil {
		return err
	}
	card.Close() // the host needs the answer, not the card
	code, err := c.auth.Eligible(ctx, cmd, attempt)
	c.post(topup.Probed{Place: c.place, Session: cmd.Session, Sale: cmd.Sale, Attempt: attempt, Answered: err == nil, Code: code})
	return nil
}

func (c *cards) prove(ctx context.Context, p purse.Purse, cmd topup.Prove) error {
	if err := same(p, cmd.Card); err != nil {
		return err
	}
	proof, none, err := purse.ProveAny(ctx, p, cmd.Numbers)
	if err != nil {
		return err
	}
	c.post(topup.Proved{Place: c.place, Session: cmd.Session, Sale: cmd.Sale, Proof: proof, NoProof: none})
	return nil
}

// probeSlot asks with a random terminal id, so that a recorded answer is no
// answer (law 4).
func (c *cards) probeSlot(ctx context.Context, p purse.Purse, card reader.Card, cmd topup.ProbeSlot) error {
	if err := same(p, cmd.Attempt.Card); err != nil {
		return err
	}
	challenge, err := purse.Probe(ctx, p)
	if err != nil {
		return err
	}
	card.Close()
	counter, err := c.auth.Counter(ctx, cmd, challenge)
	if err != nil {
		c.log.Info("counter not verified", "err", err)
		counter = entry.Counter{Value: challenge.Slot}
	}
	c.post(topup.CounterJudged{Place: c.place, Session: cmd.Session, Sale: cmd.Sale, Counter: counter})
	return nil
}

func (c *cards) load(ctx context.Context, p purse.Purse, card reader.Card, cmd topup.Load) (keep bool, err error) {
	if err := same(p, cmd.Card); err != nil {
		return false, err
	}
	asked := false
	prepared, err := p.Prepare(ctx, purse.LoadRequest{Amount: cmd.Amount, Terminal: c.terminal, Slot: &cmd.Slot, STAN: cmd.STAN},
		purse.AuthorityFunc(func(ctx context.Context, a entry.Attempt) (purse.Grant, error) {
			asked = true
			return c.auth.Authorise(ctx, cmd, a)
		}))
	answer := topup.LoadAnswered{Place: c.place, Session: cmd.Session, Sale: cmd.Sale}
	var moved *purse.SlotMoved
	var denied *purse.AuthorityError
	var no refused
	switch {
	case err == nil:
		c.held, c.heldCard, c.heldSale = prepared, card, cmd.Sale
		answer.Attempt, answer.Outcome, answer.Code = prepared.Attempt(), entry.Done, "00"
		c.post(answer)
		return true, nil
	case errors.As(err, &moved):
		c.post(topup.SlotMoved{Place: c.place, Session: cmd.Session, Sale: cmd.Sale, Got: moved.Got})
		return false, nil
	case errors.As(err, &denied):
		answer.Attempt = denied.Attempt
		answer.Outcome = entry.Unknown
		if errors.As(err, &no) {
			answer.Outcome, answer.Code = entry.NotDone, no.code
		}
		c.post(answer)
		return false, nil
	case asked:
		c.log.Warn("the card failed after the authorisation", "err", err)
	}
	return false, err
}

// write sends the one command, if its load is still held.
func (c *cards) write(ctx context.Context, cmd topup.Write) {
	answer := topup.Wrote{Place: c.place, Sale: cmd.Sale, Outcome: entry.NotDone, Why: "never sent"}
	if c.held != nil && cmd.Announces(c.heldSale, c.held.Attempt()) {
		wait, cancel := context.WithTimeout(ctx, cardWriteWait)
		r := c.held.Write(wait)
		cancel()
		answer.Outcome, answer.SW, answer.TAC, answer.Why = r.Outcome, r.SW, r.TAC, ""
		if r.Err != nil {
			answer.Why = r.Err.Error()
			c.contact(r.Err)
		}
	}
	c.release()
	c.post(answer)
}

func (c *cards) release() {
	if c.heldCard != nil {
		c.heldCard.Close()
	}
	c.held, c.heldCard, c.heldSale = nil, nil, ""
}

// fail answers a command that came to nothing.
func (c *cards) fail(cmd topup.Command, reason string) {
	e := topup.CardFailed{Place: c.place, Reason: reason}
	switch cmd := cmd.(type) {
	case topup.ReadCard:
		e.Session = cmd.Session
	case topup.ProbeCard:
		e.Session, e.Sale = cmd.Session, cmd.Sale
	case topup.Load:
		e.Session, e.Sale = cmd.Session, cmd.Sale
	case topup.Prove:
		e.Session, e.Sale = cmd.Session, cmd.Sale
	case topup.ProbeSlot:
		e.Session, e.Sale = cmd.Session, cmd.Sale
	case topup.Write:
		c.post(topup.Wrote{Place: c.place, Sale: cmd.Sale, Outcome: entry.NotDone, Why: "never sent"})
		return
	default:
		return
	}
	c.post(e)
}

// newSaleID makes an id before the sale is opened: 80 random bits.
func newSaleID() entry.SaleID {
	var b [10]byte
	rand.Read(b[:]) // never fails
	return entry.SaleID(strings.ToUpper(crockford.EncodeToString(b[:])))
}

var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)
