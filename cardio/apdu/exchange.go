package apdu

import (
	"context"
	"fmt"
)

// Transmitter carries one command to a card and brings its answer back. Its
// errors say whether the command can have reached the card.
type Transmitter interface {
	Transmit(ctx context.Context, cmd []byte) ([]byte, error)
}

// maxRounds bounds the 61xx chain and the 6Cxx repeats of one Exchange.
const maxRounds = 16

// Send transmits one command exactly once and follows nothing: the only call
// that may carry a write.
func Send(ctx context.Context, t Transmitter, c Command) (Response, error) {
	b, err := c.Bytes()
	if err != nil {
		return Response{}, err
	}
	a, err := t.Transmit(ctx, b)
	if err != nil {
		return Response{}, err
	}
	return ParseResponse(a)
}

// Exchange transmits a command that changes nothing worth money. It fetches
// what 61xx announces and repeats the command once with the Le that 6Cxx asks
// for. Never use it for a write.
func Exchange(ctx context.Context, t Transmitter, c Command) (Response, error) {
	r, err := Send(ctx, t, c)
	if err != nil {
		return r, err
	}
	if n, ok := r.SW.WrongLe(); ok {
		c.Ne = n
		if r, err = Send(ctx, t, c); err != nil {
			return r, err
		}
	}
	return Collect(ctx, t, r)
}

// Collect fetches with GET RESPONSE what a 61xx answer announced and returns
// the whole data with the last status word. Any other answer passes through.
// After a write the write itself is done whatever Collect returns.
func Collect(ctx context.Context, t Transmitter, r Response) (Response, error) {
	data := r.Data
	for range maxRounds {
		n, ok := r.SW.More()
		if !ok {
			return Response{Data: data, SW: r.SW}, nil
		}
		next, err := Send(ctx, t, GetResponse(n))
		if err != nil {
			return Response{Data: data, SW: r.SW}, err
		}
		if m, ok := next.SW.WrongLe(); ok { // GET RESPONSE is no write
			if next, err = Send(ctx, t, GetResponse(m)); err != nil {
				return Response{Data: data, SW: r.SW}, err
			}
		}
		data = append(data, next.Data...)
		r = next
	}
	return Response{}, fmt.Errorf("%w: 61xx without end", ErrResponse)
}
