package purtest

import (
	"context"
	"errors"
	"fmt"

	"buka/cardio/purse"
)

// Fault says what happens to the command that is hit.
type Fault uint8

// Everything that can happen to one command. "Before" is before the card has
// carried it out, "after" is after.
const (
	TornBefore     Fault = iota + 1 // the card left before
	TornAfter                       // the card left after
	TimedOutBefore                  // no answer in time; the card did not get it
	TimedOutAfter                   // no answer in time; the card did it
	ReaderBefore                    // the reader went away before
	ReaderAfter                     // the reader went away after
	NotSentAtAll                    // the reader had gone: the command surely never left
	WrongStatus                     // carried out, answered 6F00
	WantsRepeat                     // carried out, answered 6C04
	FailedStatus                    // not carried out, answered 6581
	RefusedStatus                   // not carried out, answered 6985
	OneByte                         // carried out, one byte comes back
	NoData                          // carried out, 9000 without the data
	HalfTheData                     // carried out, half the data and 9000
	WrongFirst                      // carried out, one bit of the first byte is another
	WrongMiddle                     // carried out, one bit of the middle byte is another
	WrongLast                       // carried out, one bit of the last byte of the data is another
	StaleAnswer                     // carried out, the answer of the command before comes again
	OtherCard                       // another card lies there from this command on, just powered up
	OtherSelected                   // the same, and its purse is selected already, as a relay could do
)

var faultNames = [...]string{"none", "torn before", "torn after", "timed out before", "timed out after", "reader gone before",
	"reader gone after", "not sent", "6F00", "6C04", "6581", "6985", "one byte", "no data", "half the data", "wrong first byte",
	"wrong middle byte", "wrong last byte", "stale answer", "another card", "another card, selected"}

func (f Fault) String() string { return faultNames[f] }

// Faults is all of them.
func Faults() []Fault {
	var all []Fault
	for f := TornBefore; f <= OtherSelected; f++ {
		all = append(all, f)
	}
	return all
}

// CarriedOut says whether the card does what it was told.
func (f Fault) CarriedOut() bool {
	switch f {
	case TornBefore, TimedOutBefore, ReaderBefore, NotSentAtAll, FailedStatus, RefusedStatus, OtherCard, OtherSelected:
		return false
	}
	return true
}

// Answer is what comes back in place of the true answer; before is the answer
// of the command before. ok is false if nothing comes back at all.
func (f Fault) Answer(truth, before []byte) (answer []byte, ok bool) {
	data := max(0, len(truth)-2)
	flipped := func(at int) []byte {
		b := append([]byte{}, truth...)
		b[at] ^= 0x01
		return b
	}
	switch f {
	case WrongStatus:
		return []byte{0x6F, 0x00}, true
	case WantsRepeat:
		return []byte{0x6C, 0x04}, true
	case FailedStatus:
		return []byte{0x65, 0x81}, true
	case RefusedStatus:
		return []byte{0x69, 0x85}, true
	case OneByte:
		return []byte{0x90}, true
	case NoData:
		return truth[data:], true
	case HalfTheData:
		return append(append([]byte{}, truth[:data/2]...), truth[data:]...), true
	case WrongFirst:
		return flipped(0), true
	case WrongMiddle:
		return flipped(data / 2), true
	case WrongLast:
		return flipped(max(0, data-1)), true
	case StaleAnswer:
		if before == nil {
			return []byte{0x6F, 0x00}, true
		}
		return before, true
	}
	return nil, false
}

// lies says that a command can be carried out and its answer be another's: what
// a TAC says then is nothing.
func (f Fault) lies() bool { return f >= OneByte && f <= StaleAnswer }

var (
	errTorn  = errors.New("purtest: the card left the reader")
	errLate  = fmt.Errorf("purtest: no answer in time: %w", context.DeadlineExceeded)
	errNoOne = errors.New("purtest: the reader is gone")
	errGone  = errors.New("purtest: the transaction had ended before")
)

// NotSent is what a family under test is to be given, for cards in memory.
func NotSent(err error) bool { return errors.Is(err, errGone) }

// Faulty is a Card behind a real reader, which brings faults about by itself:
// Strike is the Transmit of the command that is hit. before is the answer of
// the command before.
type Faulty interface {
	Card
	Strike(ctx context.Context, f Fault, cmd, before []byte) ([]byte, error)
}

// line is a Channel that hits the nth command, counts writes and keeps the
// commands that went by. Once the transaction is over nothing passes.
type line struct {
	ch       purse.Channel
	card     Card
	other    func() purse.Channel // another card; whether its purse is selected is up to the fault
	isWrite  func([]byte) bool
	hit      int // the command to hit, from 1; 0: none
	fault    Fault
	count    int
	writes   int
	gone     bool
	fired    bool
	before   []byte
	commands [][]byte
	said     map[string][]byte // if not nil: keeps the answers, by command and by header
}

func (l *line) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	if l.gone {
		return nil, errGone
	}
	l.count++
	l.commands = append(l.commands, cmd)
	if l.isWrite(cmd) {
		l.writes++
	}
	if l.count != l.hit {
		answer, err := l.ch.Transmit(ctx, cmd)
		l.before = answer
		if l.said != nil && err == nil {
			l.said[string(cmd)], l.said[string(cmd[:4])] = answer, answer
		}
		return answer, err
	}
	l.fired = true
	if f, real := l.card.(Faulty); real {
		return f.Strike(ctx, l.fault, cmd, l.before)
	}
	return l.strike(ctx, cmd)
}

func (l *line) strike(ctx context.Context, cmd []byte) ([]byte, error) {
	var truth []byte
	if l.fault.CarriedOut() {
		var err error
		if truth, err = l.ch.Transmit(ctx, cmd); err != nil {
			return nil, err
		}
	}
	if answer, ok := l.fault.Answer(truth, l.before); ok {
		return answer, nil
	}
	switch l.fault {
	case OtherCard, OtherSelected:
		l.ch = l.other()
		return l.ch.Transmit(ctx, cmd)
	}
	l.gone = true
	switch l.fault {
	case TornBefore, TornAfter:
		return nil, errTorn
	case TimedOutBefore, TimedOutAfter:
		return nil, errLate
	case ReaderBefore, ReaderAfter:
		return nil, errNoOne
	}
	return nil, errGone
}
