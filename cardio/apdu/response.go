package apdu

import (
	"errors"
	"fmt"
)

// MaxResponse bounds one response: 256 bytes of data and the status word. A
// reader that answers a short command with more is broken.
const MaxResponse = MaxNe + 2

// ErrResponse is in the chain of every error about a response's form.
var ErrResponse = errors.New("apdu: not a response")

// Response is what a card answered: data, then the status word.
type Response struct {
	Data []byte
	SW   SW
}

// ParseResponse splits an answer. Fewer than two bytes, or more than
// MaxResponse, is an error. Data is a copy and nil when there is none.
func ParseResponse(b []byte) (Response, error) {
	if len(b) < 2 || len(b) > MaxResponse {
		return Response{}, fmt.Errorf("%w: %d bytes", ErrResponse, len(b))
	}
	n := len(b) - 2
	r := Response{SW: SW(b[n])<<8 | SW(b[n+1])}
	if n > 0 {
		r.Data = append([]byte(nil), b[:n]...)
	}
	return r, nil
}

// Bytes is the answer as it travels; the card side uses it.
func (r Response) Bytes() []byte {
	b := make([]byte, 0, len(r.Data)+2)
	b = append(b, r.Data...)
	return append(b, r.SW.SW1(), r.SW.SW2())
}
