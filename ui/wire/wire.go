// Package wire is what a page and its server say to each other over the
// websocket: JSON texts, bounded in size. It imports little, so that it can
// be fuzzed by itself. Bad input is an error, never a panic.
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Bounds of an input, in bytes and pieces.
const (
	MaxInput = 2048
	MaxText  = 128
	MaxArgs  = 8
)

// ErrMalformed says that an input is not one of ours.
var ErrMalformed = errors.New("malformed input")

// Input is what somebody pressed: on which screen, and what.
type Input struct {
	Sale  string            `json:"sale,omitempty"`
	Rev   uint64            `json:"rev"`
	Do    string            `json:"do"`
	Value string            `json:"value,omitempty"`
	Args  map[string]string `json:"args,omitempty"`
}

// Decode reads one input. It refuses unknown fields, anything after the
// object, long texts, control characters and too many arguments.
func Decode(data []byte) (Input, error) {
	if len(data) > MaxInput {
		return Input{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(data))
	}
	if !utf8.Valid(data) {
		return Input{}, fmt.Errorf("%w: not UTF-8", ErrMalformed)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var in Input
	if err := dec.Decode(&in); err != nil {
		return Input{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Input{}, fmt.Errorf("%w: more than one object", ErrMalformed)
	}
	if err := in.check(); err != nil {
		return Input{}, err
	}
	return in, nil
}

func (in Input) check() error {
	if in.Do == "" {
		return fmt.Errorf("%w: nothing was pressed", ErrMalformed)
	}
	if len(in.Args) > MaxArgs {
		return fmt.Errorf("%w: %d arguments", ErrMalformed, len(in.Args))
	}
	texts := []string{in.Sale, in.Do, in.Value}
	for k, v := range in.Args {
		texts = append(texts, k, v)
	}
	for _, s := range texts {
		if len(s) > MaxText {
			return fmt.Errorf("%w: a text of %d bytes", ErrMalformed, len(s))
		}
		for _, r := range s {
			if r < ' ' || r == 0x7f {
				return fmt.Errorf("%w: a control character", ErrMalformed)
			}
		}
	}
	return nil
}

// Encode writes an input as the browser does.
func Encode(in Input) ([]byte, error) { return json.Marshal(in) }

// Fragment is a piece of a page: the element whose id is ID becomes HTML.
type Fragment struct {
	ID   string `json:"id"`
	HTML string `json:"html"`
}

// Message goes from the server to a page.
type Message struct {
	Kind      string            `json:"kind"` // "frame" or "told"
	Sale      string            `json:"sale"`
	Rev       uint64            `json:"rev"`
	NowMS     int64             `json:"now"`            // the server's clock, milliseconds since 1970 UTC
	Root      map[string]string `json:"root,omitempty"` // attributes of the root element
	Fragments []Fragment        `json:"fragments,omitempty"`
	Text      string            `json:"text,omitempty"` // of "told": a sentence for the person
}
