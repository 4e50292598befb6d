package device

import (
	"context"
	"errors"
	"fmt"
	"time"

	"buka/internal/pin"
)

// greet drops an entry that an earlier life of the kiosk may have left in the
// pad, then asks who is there and whether it has its master key.
func (p *PinPad) greet(l *link) error {
	p.keyChecked = ""
	if err := l.send(p.life, msgCancel(), p.cfg.ProbeTimeout, nil); err != nil {
		return err
	}
	if err := p.probe(p.life, l); err != nil {
		return err
	}
	if p.cfg.Scheme != pin.MasterSession {
		return nil
	}
	return p.hasKey(l)
}

// lateAnswer is how long the answer may take that was asked for when an EOT
// came: the EOT may be the end of something older.
const lateAnswer = 500 * time.Millisecond

// probe asks for the serial number. A pad that acknowledges and then answers
// with nothing but EOT is there as well, only without a number.
func (p *PinPad) probe(ctx context.Context, l *link) error {
	l.forget()
	isSerial := func(f Frame) bool { return messageID(f) == "06" }
	f, err := p.exchange(ctx, l, msgReadSerial(), p.cfg.ProbeTimeout, isSerial)
	for range maxTries {
		if !errors.Is(err, errEOT) {
			break
		}
		f, err = l.receive(ctx, time.Now().Add(min(lateAnswer, p.cfg.ProbeTimeout)), isSerial)
		if errors.Is(err, errWait) {
			return p.itself("")
		}
	}
	switch {
	case errors.Is(err, errEOT):
		return p.itself("")
	case err != nil:
		return err
	}
	return p.itself(string(f.Body[2:]))
}

// hasKey asks with 04 whether the master key is there. A pad that ends the
// question with EOT does not tell.
func (p *PinPad) hasKey(l *link) error {
	isAnswer := func(f Frame) bool { return messageID(f) == "04" }
	f, err := p.exchange(p.life, l, msgCheckKey(p.cfg.KeySlot), p.cfg.ProbeTimeout, isAnswer)
	switch {
	case errors.Is(err, errEOT):
		return nil
	case err != nil:
		return err
	}
	present, err := parseCheckAnswer(f)
	if err == nil && !present {
		err = fmt.Errorf("%w: slot %s", ErrNoMasterKey, p.cfg.KeySlot)
	}
	return err
}

// itself compares a serial number with the one that is configured, or else with
// the first that this driver has met.
func (p *PinPad) itself(serial string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	want := p.cfg.Serial
	if want == "" {
		want = p.serial
	}
	if want != "" && serial != want {
		if serial == "" {
			serial = "none"
		}
		return fmt.Errorf("%w: serial number %.16s instead of %s", ErrOtherPad, printable(serial), want)
	}
	p.serial = serial
	return nil
}

// sameDevice compares the key serial number of a block with those before it: a
// pad with the same serial number and other keys is not the same.
func (p *PinPad) sameDevice(s *pin.Sealed) error {
	same := true
	switch s.Scheme {
	case pin.TDESDUKPT:
		same = p.lastKSN == pin.KSN{} || s.KSN.SameDevice(p.lastKSN)
	case pin.AESDUKPT:
		same = p.lastAESKSN == pin.AESKSN{} || s.AESKSN.SameDevice(p.lastAESKSN)
	}
	if !same {
		return fmt.Errorf("%w: its key serial number belongs to another device", ErrOtherPad)
	}
	return nil
}

// printable keeps what a stranger calls itself from spoiling a log.
func printable(s string) string {
	out := []byte(s)
	for i, b := range out {
		if b < 0x20 || b > 0x7E {
			out[i] = '?'
		}
	}
	return string(out)
}

// exchange sends a packet and waits for its answer. A silent pad is
// ErrUnplugged; errEOT is for the caller to judge.
func (p *PinPad) exchange(ctx context.Context, l *link, f Frame, wait time.Duration, isAnswer func(Frame) bool) (Frame, error) {
	if err := l.send(ctx, f, min(wait, p.cfg.AckTimeout), isAnswer); err != nil {
		return Frame{}, err
	}
	answer, err := l.receive(ctx, time.Now().Add(wait), isAnswer)
	if errors.Is(err, errWait) {
		err = fmt.Errorf("packet %s: %w", messageID(f), ErrUnplugged)
	}
	return answer, err
}
