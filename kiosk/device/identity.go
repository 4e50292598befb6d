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
	err := p.askSerial(ctx, l)
	if errors.Is(err, ErrOtherPad) {
		err = p.askSerial(ctx, l) // an LRC does not show all damage; an alarm is worth a second question
	}
	return err
}

func (p *PinPad) askSerial(ctx context.Context, l *link) error {
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

// serialNumber is a key serial number of either DUKPT; that of TDES has two
// zeros behind it.
type serialNumber [12]byte

func serialOf(s *pin.Sealed) (n serialNumber) {
	if s.Scheme == pin.AESDUKPT {
		return serialNumber(s.AESKSN)
	}
	copy(n[:], s.KSN[:])
	return n
}

// device is the number without its counter.
func (n serialNumber) device(scheme pin.Scheme) serialNumber {
	if scheme == pin.AESDUKPT {
		return serialNumber(pin.AESKSN(n).WithCounter(0))
	}
	ksn := pin.KSN(n[:10]).WithCounter(0)
	copy(n[:], ksn[:])
	return n
}

// recentNumbers are the last few key serial numbers that came over the line. It
// is not enough to remember the highest: one that the line has damaged in a way
// that no LRC shows would bar all that follow.
type recentNumbers struct {
	numbers [8]serialNumber
	next    int
}

func (r *recentNumbers) has(n serialNumber) bool {
	for _, old := range r.numbers {
		if old == n {
			return true
		}
	}
	return false
}

func (r *recentNumbers) add(n serialNumber) {
	r.numbers[r.next%len(r.numbers)] = n
	r.next++
}

// sameDevice compares the key serial number of a block with those before it: a
// pad with the same serial number and other keys is not the same. What it knows,
// it has seen twice.
func (p *PinPad) sameDevice(s *pin.Sealed) error {
	if s.Scheme == pin.MasterSession {
		return nil
	}
	n := serialOf(s).device(s.Scheme)
	switch {
	case n == p.keyDevice:
		p.keyDeviceSure = true
	case p.keyDeviceSure:
		return fmt.Errorf("%w: its key serial number belongs to another device", ErrOtherPad)
	default:
		p.keyDevice = n
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
