package switchlink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// MaxFrame bounds what follows the two length bytes. The longest message
	// that the spec can hold is below it.
	MaxFrame = 4096

	tpduSize   = 5
	headerSize = 6
	// minMessage is an MTI and a primary bitmap.
	minMessage = 2 + 8
	minFrame   = tpduSize + headerSize + minMessage
)

// ErrFrame says that the bytes of the connection are no frames: it must be
// closed, for nobody knows where the next one begins.
var ErrFrame = errors.New("switchlink: not a frame")

// Frame is one message on the wire:
//
//	length 2, big endian, of all that follows | TPDU 5 | header 6 | message
//
// as UnionPay terminals send it. TPDU and header are BCD.
type Frame struct {
	TPDU    [tpduSize]byte
	Header  [headerSize]byte
	Message []byte // MTI, bitmap, data elements
}

var (
	// requestTPDU: protocol 60, to NII 0003, from 0000.
	requestTPDU = [tpduSize]byte{0x60, 0x00, 0x03, 0x00, 0x00}
	// requestHeader: class 61 (IC), edition 31, state 0, nothing asked of the
	// terminal, software 310001.
	requestHeader = [headerSize]byte{0x61, 0x31, 0x00, 0x31, 0x00, 0x01}
)

// Reply gives the frame of an answer: destination and source of the TPDU change
// places, the header stays.
func (f Frame) Reply(message []byte) Frame {
	t := f.TPDU
	t[1], t[2], t[3], t[4] = t[3], t[4], t[1], t[2]
	return Frame{TPDU: t, Header: f.Header, Message: message}
}

// Bytes is the frame as it goes onto the wire.
func (f Frame) Bytes() ([]byte, error) {
	n := tpduSize + headerSize + len(f.Message)
	if n < minFrame || n > MaxFrame {
		return nil, fmt.Errorf("%w: %d bytes", ErrFrame, n)
	}
	out := make([]byte, 0, 2+n)
	out = binary.BigEndian.AppendUint16(out, uint16(n))
	out = append(out, f.TPDU[:]...)
	out = append(out, f.Header[:]...)
	return append(out, f.Message...), nil
}

// ReadFrame reads one frame. It allocates only after the length was found
// sensible. The error is ErrFrame, or that of the reader.
func ReadFrame(r io.Reader) (Frame, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return Frame{}, err
	}
	n := int(binary.BigEndian.Uint16(length[:]))
	if n < minFrame || n > MaxFrame {
		return Frame{}, fmt.Errorf("%w: a length of %d", ErrFrame, n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return Frame{}, err
	}
	if body[0] != 0x60 {
		return Frame{}, fmt.Errorf("%w: TPDU begins with %02X", ErrFrame, body[0])
	}
	f := Frame{Message: body[tpduSize+headerSize:]}
	copy(f.TPDU[:], body)
	copy(f.Header[:], body[tpduSize:])
	return f, nil
}
