package device

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"buka/internal/money"
	"buka/internal/pin"
)

// maxShownAmount is the most that fits into the eight characters of packet 70.
const maxShownAmount = money.Fen(99999_99)

// Request is one PIN to be asked for.
type Request struct {
	// PAN goes into the block, so the pad must have it: 8 to 19 digits. It is
	// never logged.
	PAN string
	// Amount is shown on the pad above the prompt; 0 shows none.
	Amount money.Fen
	// Prompt is up to 16 ASCII characters; anything else shows as ENTER PIN.
	Prompt string
	// Key is the PIN working key of pin.MasterSession, as the host's sign-on has
	// brought it. Other schemes have none.
	Key pin.WrappedKey
}

// String keeps the PAN out of what prints a request.
func (r Request) String() string { return "PIN request for " + r.Amount.String() }

// GoString is String.
func (r Request) GoString() string { return r.String() }

// LogValue keeps the PAN out of logs.
func (r Request) LogValue() slog.Value { return slog.StringValue(r.String()) }

// check says what is wrong with a request before any pad is asked.
func (p *PinPad) check(req Request) error {
	if err := pin.CheckPAN(req.PAN); err != nil {
		return fmt.Errorf("%w: %w", ErrPrompt, err)
	}
	most := money.Fen(money.Max)
	if !p.cfg.Packet.prompted() {
		most = min(most, maxShownAmount)
	}
	if req.Amount < 0 || req.Amount > most {
		return fmt.Errorf("%w: amount %s", ErrPrompt, req.Amount)
	}
	if p.cfg.Scheme != pin.MasterSession {
		return nil
	}
	if n := len(req.Key.Cryptogram); n != 8 && n != 16 {
		return ErrNoWorkingKey
	}
	return nil
}

// EnterPIN asks the customer for a PIN and gives the enciphered block. It waits
// for an entry before it; a pad that is not there is an error at once. When ctx
// ends, the pad is told to stop (packet 72), and EnterPIN returns after the pad
// has obeyed or CancelTimeout has passed. Errors: those of errors.go, and the
// cause of ctx.
func (p *PinPad) EnterPIN(ctx context.Context, req Request) (Result, error) {
	if err := p.check(req); err != nil {
		return Result{}, err
	}
	var sealed *pin.Sealed
	err := p.submit(ctx, &job{name: "entry", do: func(ctx context.Context, l *link) (err error) {
		sealed, err = p.ask(ctx, l, req)
		return err
	}})
	if err != nil {
		sealed.Wipe()
		return Result{}, err
	}
	return Result{PIN: sealed}, nil
}

// ask leads the pad through one entry, without the clean-up after a failure.
func (p *PinPad) ask(ctx context.Context, l *link, req Request) (*pin.Sealed, error) {
	if p.cfg.Scheme == pin.MasterSession {
		if err := p.checkKey(ctx, l, req.Key); err != nil {
			return nil, err
		}
	}
	if err := p.fence(ctx, l); err != nil {
		return nil, err
	}
	p.account = p.mark([]byte(req.PAN))
	if p.cfg.KeySlot != "" {
		if err := p.selectKey(ctx, l); err != nil {
			return nil, err
		}
	}
	if p.cfg.Packet.prompted() {
		if err := l.send(ctx, msgPrompt(displayText(req.Prompt, req.Amount)), p.cfg.AckTimeout, nil); err != nil {
			return nil, err
		}
	}
	request := entryMessage{
		scheme: p.cfg.Scheme, key: req.Key, pan: req.PAN, amount: req.Amount, prompt: req.Prompt, timeout: p.cfg.EntryTimeout,
	}.frame(p.cfg.Packet)
	defer clear(request.Body)
	p.asking = true
	if err := l.send(ctx, request, p.cfg.AckTimeout, isEntryAnswer); err != nil {
		return nil, err
	}
	twice := l.tries > 1
	answer, err := l.receive(ctx, time.Now().Add(p.cfg.EntryTimeout), p.isNewAnswer)
	if err != nil {
		return nil, err
	}
	defer clear(answer.Body)
	s, err := p.parse(answer)
	if err != nil {
		return nil, err
	}
	if err := p.sameDevice(s); err != nil {
		s.Wipe()
		return nil, err
	}
	p.seen(s)
	if twice {
		// The pad may have taken the repeated request for another one, and ask a
		// second time. It has what it needs to know; if it does not hear, the
		// next fence tells it again.
		l.send(ctx, msgCancel(), p.cfg.AckTimeout, nil)
	}
	return s, nil
}

// fence says 72 and then asks for the serial number. The pad does both in that
// order: it drops an entry that a repeated request may have begun behind our
// back, and all that it has said about anything older comes before its answer and
// is dropped. So neither a late ACK nor a block that the pad repeats is taken for
// news. It also asks whether the pad is still the same one.
func (p *PinPad) fence(ctx context.Context, l *link) error {
	l.forget()
	if err := l.send(ctx, msgCancel(), p.cfg.AckTimeout, nil); err != nil {
		return err
	}
	return p.probe(ctx, l)
}

func (p *PinPad) parse(f Frame) (*pin.Sealed, error) {
	return parseEntryAnswer(f, p.cfg.Scheme, p.cfg.Format)
}

// isNewAnswer refuses a block that was seen before, given out or not: a pad
// repeats its answer when our ACK was lost, and that may reach into the next
// customer's entry.
func (p *PinPad) isNewAnswer(f Frame) bool {
	if !isEntryAnswer(f) {
		return false
	}
	s, err := p.parse(f)
	defer s.Wipe()
	if err != nil {
		return true // for the caller to say what is wrong with it
	}
	if s.Scheme != pin.MasterSession {
		return !p.recent.has(serialOf(s))
	}
	// A master/session block has no number. The block of another account number
	// is another block, and so is each of format 3; the same one for the same
	// account number is the same PIN.
	if p.mark(s.Bytes()) != p.lastBlock {
		return true
	}
	return s.Layout != pin.Format3 && p.account == p.lastAccount
}

// mark stands for a secret that must be recognised and not kept: E(x) XOR x under
// a key of this process, which does not lead back to x. A hash would leave the
// secret in buffers of its own that nobody can overwrite.
func (p *PinPad) mark(secret []byte) (out [8]byte) {
	x, sum := p.scratch[:16], p.scratch[16:]
	defer clear(p.scratch[:])
	for len(secret) > 0 {
		n := copy(x, secret)
		clear(x[n:])
		subtle.XORBytes(x, x, sum)
		p.markCipher.Encrypt(sum, x)
		subtle.XORBytes(sum, sum, x)
		secret = secret[n:]
	}
	copy(out[:], sum)
	return out
}

// dropped remembers the block of an answer that nobody gets.
func (p *PinPad) dropped(f Frame) {
	if s, err := p.parse(f); err == nil {
		p.seen(s)
		s.Wipe()
	}
}

func (p *PinPad) seen(s *pin.Sealed) {
	if s.Scheme == pin.MasterSession {
		p.lastBlock, p.lastAccount = p.mark(s.Bytes()), p.account
		return
	}
	p.recent.add(serialOf(s))
}

// selectKey sends 08. UIC pads answer with a status, VeriFone's with EOT.
func (p *PinPad) selectKey(ctx context.Context, l *link) error {
	isAnswer := func(f Frame) bool { return messageID(f) == "08" }
	f, err := p.exchange(ctx, l, msgSelectKey(p.cfg.KeySlot), p.cfg.ReplyTimeout, isAnswer)
	switch {
	case errors.Is(err, errEOT):
		return nil
	case err != nil:
		return err
	}
	return parseSelectAnswer(f)
}

// stop ends an entry that nobody waits for any more: 72, then EOT from the pad.
// A block that crosses the 72 is acknowledged and dropped. Without EOT it says 72
// once more, for the ACK may have been a late one of the packet before, and the
// pad still be taking a PIN. The error says that the pad has not obeyed.
func (p *PinPad) stop(l *link) error {
	ctx, cancel := context.WithTimeout(context.Background(), p.cfg.CancelTimeout)
	defer cancel()
	crossed := false
	answer := func(f Frame) bool {
		crossed = crossed || isEntryAnswer(f)
		return false // not an acknowledgement; send drops it
	}
	for range 2 {
		if err := l.send(ctx, msgCancel(), p.cfg.AckTimeout, answer); err != nil {
			return fmt.Errorf("%w: it was told to stop an entry (%w)", ErrUnplugged, err)
		}
		if crossed || l.ended {
			return nil // it had ended by itself, so no EOT will follow
		}
		f, err := l.receive(ctx, time.Now().Add(p.cfg.CancelTimeout/3), isEntryAnswer)
		if err == nil {
			l.drop(f)
			return nil
		}
		if errors.Is(err, errEOT) {
			return nil
		}
		if !errors.Is(err, errWait) {
			return err
		}
	}
	return fmt.Errorf("%w: it was told to stop an entry and did not say EOT", ErrUnplugged)
}
