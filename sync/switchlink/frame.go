package switchlink

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
)

const (
	// MaxFrame bounds what follows the length. The longest message that a spec
	// can hold is below it.
	MaxFrame = 4096

	tpduSize   = 5
	headerSize = 6
	// minMessage is an MTI and a primary bitmap, in BCD.
	minMessage = 2 + 8
)

// ErrFrame says that the bytes of the connection are no frames: it must be
// closed, for nobody knows where the next one begins.
var ErrFrame = errors.New("switchlink: not a frame")

// Frame is one message on the wire:
//
//	length of all that follows | TPDU | header | message
//
// A spec says how the length is written (2 bytes, big endian, or 4 digits), and
// whether there are a TPDU (5 bytes, BCD) and a header (6 bytes, BCD), as
// UnionPay terminals send them.
type Frame struct {
	TPDU, Header []byte
	Message      []byte // MTI, bitmap, data elements
}

// framing is the form of a spec's frames, and what a request begins with.
type framing struct {
	digits       bool // the length is 4 digits, else 2 bytes
	tpdu, header []byte
}

func newFraming(length, tpdu, header string) (f framing, err error) {
	switch length {
	case "binary2":
	case "ascii4":
		f.digits = true
	default:
		return f, fmt.Errorf("frame: length %q is neither binary2 nor ascii4", length)
	}
	if f.tpdu, err = hex.DecodeString(tpdu); err != nil || len(f.tpdu) != 0 && (len(f.tpdu) != tpduSize || f.tpdu[0] != 0x60) {
		return f, fmt.Errorf("frame: TPDU %q is not 10 digits that begin with 60", tpdu)
	}
	if f.header, err = hex.DecodeString(header); err != nil || len(f.header) != 0 && len(f.header) != headerSize {
		return f, fmt.Errorf("frame: header %q is not 12 digits", header)
	}
	return f, nil
}

// request is the frame of a request.
func (f framing) request(message []byte) Frame {
	return Frame{TPDU: f.tpdu, Header: f.header, Message: message}
}

// Reply gives the frame of an answer: destination and source of the TPDU change
// places, the header stays.
func (f Frame) Reply(message []byte) Frame {
	t := append([]byte(nil), f.TPDU...)
	if len(t) == tpduSize {
		t[1], t[2], t[3], t[4] = t[3], t[4], t[1], t[2]
	}
	return Frame{TPDU: t, Header: f.Header, Message: message}
}

// Requirement is the processing requirement in the header of an answer (0 if
// there is no header): what the host wants the terminal to do next. 3 is: sign
// on again.
func (f Frame) Requirement() byte {
	if len(f.Header) != headerSize {
		return 0
	}
	return f.Header[2] & 0x0F
}

// bytes is the frame as it goes onto the wire.
func (f framing) bytes(x Frame) ([]byte, error) {
	n := len(x.TPDU) + len(x.Header) + len(x.Message)
	if len(x.Message) < minMessage || n > MaxFrame {
		return nil, fmt.Errorf("%w: %d bytes", ErrFrame, n)
	}
	out := make([]byte, 0, 4+n)
	if f.digits {
		out = append(out, decimal(uint64(n), 4)...)
	} else {
		out = binary.BigEndian.AppendUint16(out, uint16(n))
	}
	out = append(out, x.TPDU...)
	out = append(out, x.Header...)
	return append(out, x.Message...), nil
}

// read reads one frame. It allocates only after the length was found sensible.
// The error is ErrFrame, or that of the reader.
func (f framing) read(r io.Reader) (Frame, error) {
	n, err := f.readLength(r)
	if err != nil {
		return Frame{}, err
	}
	head := len(f.tpdu) + len(f.header)
	if n < head+minMessage || n > MaxFrame {
		return Frame{}, fmt.Errorf("%w: a length of %d", ErrFrame, n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return Frame{}, err
	}
	if len(f.tpdu) > 0 && body[0] != 0x60 {
		return Frame{}, fmt.Errorf("%w: TPDU begins with %02X", ErrFrame, body[0])
	}
	return Frame{TPDU: body[:len(f.tpdu)], Header: body[len(f.tpdu):head], Message: body[head:]}, nil
}

func (f framing) readLength(r io.Reader) (int, error) {
	if !f.digits {
		var b [2]byte
		_, err := io.ReadFull(r, b[:])
		return int(binary.BigEndian.Uint16(b[:])), err
	}
	var b [4]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0, err
	}
	if !isDigits(string(b[:])) {
		return 0, fmt.Errorf("%w: a length that is not digits", ErrFrame)
	}
	n, err := strconv.Atoi(string(b[:]))
	return n, err
}
