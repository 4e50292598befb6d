package device

import (
	"errors"
	"fmt"
)

// Control characters of the packet protocol.
const (
	stx = 0x02
	etx = 0x03
	eot = 0x04
	ack = 0x06
	so  = 0x0E
	si  = 0x0F
	nak = 0x15
	sub = 0x1A // first in a Z2: clear the display
	fs  = 0x1C // between fields
	gs  = 0x1D
	rs  = 0x1E
)

// MaxBody bounds the bytes between start and end of a packet. The longest
// message of the family carries 224 bytes of text and three short fields.
const MaxBody = 512

// ErrFrame says that a body cannot go into a packet: empty, too long, or with a
// character that the protocol keeps for itself.
var ErrFrame = errors.New("not a body for a PIN pad packet")

// Frame is one packet: message id and data, without framing and LRC.
type Frame struct {
	// Admin packets travel as SI…SO, the others as STX…ETX.
	Admin bool
	Body  []byte
}

// Encode puts a body between its control characters and appends the LRC: the
// XOR of every byte after the first, up to and including the last.
func (f Frame) Encode() ([]byte, error) {
	if len(f.Body) == 0 || len(f.Body) > MaxBody {
		return nil, fmt.Errorf("%w: %d bytes", ErrFrame, len(f.Body))
	}
	first, last := f.ends()
	out := make([]byte, 0, len(f.Body)+3)
	out = append(out, first)
	sum := last
	for i, b := range f.Body {
		if !isText(b) {
			return nil, fmt.Errorf("%w: byte %d is a control character or not 7-bit", ErrFrame, i)
		}
		sum ^= b
		out = append(out, b)
	}
	return append(out, last, sum), nil
}

func (f Frame) ends() (first, last byte) {
	if f.Admin {
		return si, so
	}
	return stx, etx
}

func isText(b byte) bool {
	return b >= 0x20 && b < 0x7F || b == fs || b == gs || b == rs || b == sub
}

// EventKind is what a Decoder has recognised.
type EventKind uint8

// What can arrive on the line.
const (
	EventNone  EventKind = iota // nothing complete yet
	EventACK                    // the other end has our packet
	EventNAK                    // the other end wants it again
	EventEOT                    // the other end has given up, or was cancelled
	EventFrame                  // a packet with the right LRC
	EventBad                    // a packet with a wrong LRC, too long, or cut
)

// Event is one thing that arrived. Frame is set for EventFrame; its body belongs
// to the receiver, who overwrites it after use.
type Event struct {
	Kind  EventKind
	Frame Frame
}

// Decoder takes a line's bytes one at a time. It never fails: what makes no
// sense is skipped, or ends in EventBad, which a receiver answers with NAK. The
// byte after ETX or SO is always taken as the LRC, whatever it looks like: the
// LRC of the packet 72 is the ACK character. The zero value is ready.
type Decoder struct {
	state   decoderState
	admin   bool
	spoilt  bool // the packet in progress can only end in EventBad
	sum     byte
	body    [MaxBody]byte
	bodyLen int
}

type decoderState uint8

const (
	outside decoderState = iota
	inBody
	atLRC
)

// Partial says that a packet has begun and not ended.
func (d *Decoder) Partial() bool { return d.state != outside }

// Reset drops a packet in progress and overwrites what was collected.
func (d *Decoder) Reset() { *d = Decoder{} }

// Feed takes the next byte and gives what it completes, mostly EventNone.
func (d *Decoder) Feed(b byte) Event {
	switch d.state {
	case inBody:
		d.feedBody(b)
		return Event{}
	case atLRC:
		return d.finish(b)
	}
	switch b {
	case ack:
		return Event{Kind: EventACK}
	case nak:
		return Event{Kind: EventNAK}
	case eot:
		return Event{Kind: EventEOT}
	case stx, si:
		d.begin(b)
	case etx, so:
		// The start was lost. The next byte is an LRC all the same, and must
		// not be taken for an answer.
		d.state, d.spoilt = atLRC, true
	}
	return Event{}
}

func (d *Decoder) begin(first byte) {
	d.Reset()
	d.state, d.admin = inBody, first == si
}

func (d *Decoder) feedBody(b byte) {
	switch {
	case b == stx || b == si:
		d.begin(b) // the end of the one before was lost
		return
	case b == etx || b == so:
		if (b == so) != d.admin {
			d.spoilt = true
		}
		d.state = atLRC
	case !isText(b) || d.bodyLen == MaxBody:
		d.spoilt = true
	default:
		d.body[d.bodyLen] = b
		d.bodyLen++
	}
	d.sum ^= b
}

func (d *Decoder) finish(lrc byte) Event {
	defer d.Reset()
	if d.spoilt || d.bodyLen == 0 || lrc != d.sum {
		return Event{Kind: EventBad}
	}
	body := make([]byte, d.bodyLen)
	for i := range body { // one by one: see line.read
		body[i] = d.body[i]
	}
	return Event{Kind: EventFrame, Frame: Frame{Admin: d.admin, Body: body}}
}
