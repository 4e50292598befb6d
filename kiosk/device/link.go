package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// maxTries bounds how often one packet is sent, and how many damaged ones are
// taken before the receiver gives up: the rule of three of the protocol.
const maxTries = 3

// afterNAK is how long a line must be quiet after a NAK.
const afterNAK = 50 * time.Millisecond

// errEOT says that the pad has ended the exchange.
var errEOT = errors.New("the PIN pad ended the exchange (EOT)")

// link is the rules of ACK, NAK and EOT over one line. Only the goroutine that
// owns the pad uses it.
type link struct {
	line      *line
	dec       Decoder
	queue     []Event     // decoded and not yet looked at; at most one chunk's worth
	held      *Frame      // an answer that overtook its ACK
	ended     bool        // an EOT came while the last send waited for its ACK
	tries     int         // how often the last send has written its packet
	dropped   func(Frame) // is told of sound packets that nobody waits for
	interByte time.Duration
	writeMax  time.Duration
	log       *slog.Logger
}

// next waits for one event: until the deadline (errWait), the end of ctx (its
// cause) or the loss of the port (ErrUnplugged). A packet that stops halfway
// becomes EventBad after interByte.
func (l *link) next(ctx context.Context, until time.Time) (Event, error) {
	for {
		if len(l.queue) > 0 {
			ev := l.queue[0]
			l.queue = l.queue[1:]
			return ev, nil
		}
		wait := time.Until(until)
		cut := l.dec.Partial() && l.interByte < wait
		if cut {
			wait = l.interByte
		}
		t := time.NewTimer(max(wait, 0))
		select {
		case chunk := <-l.line.rx:
			t.Stop()
			l.take(chunk)
		case <-ctx.Done():
			t.Stop()
			return Event{}, context.Cause(ctx)
		case <-l.line.gone:
			t.Stop()
			return Event{}, fmt.Errorf("%w (%w)", ErrUnplugged, l.line.err)
		case <-t.C:
			if !cut {
				return Event{}, errWait
			}
			l.dec.Reset()
			return Event{Kind: EventBad}, nil
		}
	}
}

// take decodes a chunk into the queue and overwrites it.
func (l *link) take(chunk []byte) {
	for _, b := range chunk {
		if ev := l.dec.Feed(b); ev.Kind != EventNone {
			l.queue = append(l.queue, ev)
		}
	}
	clear(chunk)
}

// forget drops whatever is known of the past: events, half a packet, an answer
// that nobody has asked for.
func (l *link) forget() {
	for _, ev := range l.queue {
		clear(ev.Frame.Body)
	}
	l.queue = nil
	if l.held != nil {
		clear(l.held.Body)
		l.held = nil
	}
	l.dec.Reset()
}

func (l *link) control(b byte) error { return l.line.write([]byte{b}, l.writeMax) }

// send delivers one packet: it writes it at most three times, after each NAK or
// each ackTimeout of silence, until the pad acknowledges. A packet that early
// recognises as the answer counts as an acknowledgement, for an ACK can be lost;
// the answer is kept for receive. EOT does not end the wait: it may be the late
// end of an earlier exchange, and the deadline is near.
func (l *link) send(ctx context.Context, f Frame, ackTimeout time.Duration, early func(Frame) bool) error {
	raw, err := f.Encode()
	if err != nil {
		return err
	}
	defer clear(raw)
	l.settle()
	l.ended = false
	id, naks := messageID(f), 0
	for try := 1; try <= maxTries; try++ {
		l.tries = try
		if err := l.line.write(raw, l.writeMax); err != nil {
			return fmt.Errorf("%w (%w)", ErrUnplugged, err)
		}
		l.log.Debug("pin pad: packet out", "id", id, "bytes", len(raw), "try", try)
		err := l.awaitACK(ctx, time.Now().Add(ackTimeout), early)
		for n := 0; errors.Is(err, errNAK) && n < maxTries; n++ {
			// A pad that has lost one byte may see two damaged packets and say
			// NAK twice. Only silence after it makes room for the next try.
			naks++
			err = l.awaitACK(ctx, time.Now().Add(min(afterNAK, ackTimeout)), early)
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errNAK):
		case !errors.Is(err, errWait):
			return err
		}
	}
	l.control(eot) // tells a pad that is still there that we have given up
	if naks > 0 {
		return fmt.Errorf("packet %s: %w", id, ErrGarbled)
	}
	return fmt.Errorf("packet %s: %w", id, ErrUnplugged)
}

var errNAK = errors.New("NAK")

func (l *link) awaitACK(ctx context.Context, until time.Time, early func(Frame) bool) error {
	for {
		ev, err := l.next(ctx, until)
		if err != nil {
			return err
		}
		switch ev.Kind {
		case EventACK:
			return nil
		case EventNAK:
			return errNAK
		case EventEOT:
			l.ended = true
		case EventBad:
			err = l.control(nak)
		case EventFrame:
			err = l.control(ack)
			if early != nil && early(ev.Frame) {
				l.held = &ev.Frame
				return err
			}
			l.drop(ev.Frame)
		}
		if err != nil {
			return fmt.Errorf("%w (%w)", ErrUnplugged, err)
		}
	}
}

// receive waits for a packet that want takes, and acknowledges it. Other sound
// packets are acknowledged and dropped. Damaged ones are answered with NAK; the
// third ends the exchange with EOT and ErrGarbled. The caller overwrites the
// body. Errors: errWait, errEOT, ErrGarbled, ErrUnplugged, the cause of ctx.
func (l *link) receive(ctx context.Context, until time.Time, want func(Frame) bool) (Frame, error) {
	if f := l.held; f != nil {
		l.held = nil
		if want(*f) {
			return *f, nil
		}
		l.drop(*f)
	}
	bad := 0
	for {
		ev, err := l.next(ctx, until)
		if err != nil {
			return Frame{}, err
		}
		switch ev.Kind {
		case EventEOT:
			return Frame{}, errEOT
		case EventBad:
			err = l.control(nak)
			if bad++; bad == maxTries {
				l.control(eot)
				return Frame{}, ErrGarbled
			}
		case EventFrame:
			err = l.control(ack)
			if want(ev.Frame) {
				return ev.Frame, nil // a lost ACK only makes the pad repeat itself
			}
			l.drop(ev.Frame)
		}
		if err != nil {
			return Frame{}, fmt.Errorf("%w (%w)", ErrUnplugged, err)
		}
	}
}

// settle takes what has arrived before a packet goes out, for none of it can be
// an answer to that packet.
func (l *link) settle() {
	for range chunksQueued {
		select {
		case chunk := <-l.line.rx:
			l.take(chunk)
			continue
		default:
		}
		break
	}
	l.answerIdle()
}

// idle answers what came while nothing is expected, such as a packet whose
// acknowledgement was lost. Where a packet has stopped halfway it says when to
// call cut, unless more comes.
func (l *link) idle() <-chan time.Time {
	l.answerIdle()
	if !l.dec.Partial() {
		return nil
	}
	return time.After(l.interByte)
}

// cut drops a packet that came half.
func (l *link) cut() {
	l.dec.Reset()
	l.control(nak)
}

func (l *link) answerIdle() {
	for _, ev := range l.queue {
		switch ev.Kind {
		case EventFrame:
			l.control(ack)
			l.drop(ev.Frame)
		case EventBad:
			l.control(nak)
		}
	}
	l.queue = nil
}

func (l *link) drop(f Frame) {
	l.log.Warn("pin pad: packet that nobody waits for", "id", messageID(f), "bytes", len(f.Body))
	if l.dropped != nil {
		l.dropped(f)
	}
	clear(f.Body)
}
