package switchlink

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"
)

//go:embed spec.json
var specJSON []byte

// fieldRule is one data element of a spec file. Size counts digits, characters
// or bytes, and is the largest value where there is a prefix.
type fieldRule struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`   // digits, text, binary, track2, bitmap
	Size   int    `json:"size"`   //
	Prefix string `json:"prefix"` // "", LL or LLL: a BCD length of 1 or 2 bytes
	Align  string `json:"align"`  // of an odd number of digits: right (default) or left
}

// builtin is the embedded spec. Every test packs with it, so it cannot be wrong
// in a built program.
var builtin = sync.OnceValue(func() *iso8583.MessageSpec {
	spec, err := loadSpec(specJSON)
	if err != nil {
		panic(err)
	}
	return spec
})

// loadSpec builds what the codec needs from a spec file. Numeric identifiers get
// no padding: the codec would eat their leading zeros when it unpacks.
func loadSpec(file []byte) (*iso8583.MessageSpec, error) {
	var data struct {
		Name   string               `json:"name"`
		Fields map[string]fieldRule `json:"fields"`
	}
	dec := json.NewDecoder(bytes.NewReader(file))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&data); err != nil {
		return nil, fmt.Errorf("message spec: %w", err)
	}
	spec := &iso8583.MessageSpec{Name: data.Name, Fields: map[int]field.Field{}}
	for key, rule := range data.Fields {
		id, err := strconv.Atoi(key)
		if err != nil || id < 0 || id > 64 {
			return nil, fmt.Errorf("message spec: field %q is not 0 to 64", key)
		}
		f, err := rule.build()
		if err != nil {
			return nil, fmt.Errorf("message spec: field %d: %w", id, err)
		}
		spec.Fields[id] = f
	}
	if err := spec.Validate(); err != nil {
		return nil, fmt.Errorf("message spec: %w", err)
	}
	return spec, nil
}

func (r fieldRule) build() (field.Field, error) {
	if r.Size < 1 || r.Size > 999 {
		return nil, fmt.Errorf("size %d is not 1 to 999", r.Size)
	}
	s := &field.Spec{Length: r.Size, Description: r.Name}
	switch r.Prefix {
	case "":
		s.Pref = prefix.BCD.Fixed
	case "LL":
		s.Pref = prefix.BCD.LL
	case "LLL":
		s.Pref = prefix.BCD.LLL
	default:
		return nil, fmt.Errorf("unknown prefix %q", r.Prefix)
	}
	switch r.Kind {
	case "bitmap":
		s.Enc = encoding.Binary
		return field.NewBitmap(s), nil
	case "text":
		s.Enc = encoding.ASCII
		return field.NewString(s), nil
	case "binary":
		s.Enc = encoding.Binary
		return field.NewBinary(s), nil
	case "track2":
		s.Enc = packedTrack2{}
		return field.NewString(s), nil
	case "digits":
		switch r.Align {
		case "", "right":
			s.Enc = encoding.BCD
		case "left":
			s.Enc = encoding.LBCD
		default:
			return nil, fmt.Errorf("unknown alignment %q", r.Align)
		}
		return field.NewString(s), nil
	}
	return nil, fmt.Errorf("unknown kind %q", r.Kind)
}

// packedTrack2 packs track 2 two characters a byte, D for the separator, filled
// on the right with a 0 that the length does not count. The codec's own BCD
// refuses D.
type packedTrack2 struct{}

func (packedTrack2) Encode(track []byte) ([]byte, error) {
	out := make([]byte, (len(track)+1)/2)
	for i, c := range track {
		var nibble byte
		switch {
		case c >= '0' && c <= '9':
			nibble = c - '0'
		case c == 'D' || c == '=':
			nibble = 0xD
		default:
			return nil, fmt.Errorf("character %d of track 2 is neither digit nor separator", i+1)
		}
		out[i/2] |= nibble << (4 * (1 - i%2))
	}
	return out, nil
}

func (packedTrack2) Decode(data []byte, n int) ([]byte, int, error) {
	size := (n + 1) / 2
	if n < 0 || size > len(data) {
		return nil, 0, fmt.Errorf("track 2 of %d characters in %d bytes", n, len(data))
	}
	out := make([]byte, n)
	for i := range out {
		nibble := data[i/2] >> (4 * (1 - i%2)) & 0xF
		switch {
		case nibble <= 9:
			out[i] = '0' + nibble
		case nibble == 0xD:
			out[i] = 'D'
		default:
			return nil, 0, fmt.Errorf("nibble %d of track 2 is %X", i+1, nibble)
		}
	}
	return out, size, nil
}
