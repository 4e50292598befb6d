package switchlink

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/field"
)

//go:embed specs/*.json
var specFiles embed.FS

// Spec is one way to put requests on the wire: how each data element is
// written, the frame, which message asks for what, the elements that are made
// of parts, and which one holds the MAC. It is data: a file in the form of
// docs/protocols/switch.md §8. It never changes once it is loaded.
type Spec struct {
	Name string

	codec  *iso8583.MessageSpec
	hexed  map[int]bool // binary elements that travel as hexadecimal characters
	packed map[int]bool // elements with two digits a byte
	chars  bool         // everything is characters, the bitmap too
	frame  framing
	shapes map[Kind]shape
	parts  map[int][]part
	clock  bool // requests carry DE7, DE12 and DE13
	mac    macPlace
}

// macPlace says where the MAC is.
type macPlace struct {
	field, wide int // wide: instead of field where there is a secondary bitmap
	without     map[Kind]bool
}

// UnionPay is the compressed spec of UnionPay terminals.
var UnionPay = sync.OnceValue(func() *Spec { return builtin("unionpay") })

// ASCII87 is ISO 8583:1987 in characters.
var ASCII87 = sync.OnceValue(func() *Spec { return builtin("ascii87") })

// Builtin gives an embedded spec by name: unionpay or ascii87.
func Builtin(name string) (*Spec, bool) {
	switch name {
	case "unionpay":
		return UnionPay(), true
	case "ascii87":
		return ASCII87(), true
	}
	return nil, false
}

// builtin loads an embedded file. Every test packs with both, so they cannot be
// wrong in a built program.
func builtin(name string) *Spec {
	file, err := specFiles.ReadFile("specs/" + name + ".json")
	if err != nil {
		panic(err)
	}
	s, err := LoadSpec(file)
	if err != nil {
		panic(err)
	}
	return s
}

// Codec is how the codec writes each data element, for tools that look at packed
// messages. It must not be changed.
func (s *Spec) Codec() *iso8583.MessageSpec { return s.codec }

// specFile is the form of the file.
type specFile struct {
	Name    string `json:"name"`
	Charset string `json:"charset"` // bcd or ascii
	Frame   struct {
		Length string `json:"length"` // binary2 or ascii4
		TPDU   string `json:"tpdu"`
		Header string `json:"header"`
	} `json:"frame"`
	Clock bool `json:"clock"`
	MAC   struct {
		Field   int      `json:"field"`
		Wide    int      `json:"wide"`
		Without []string `json:"without"`
	} `json:"mac"`
	Parts    map[string][]string  `json:"parts"`
	Messages map[string]shapeRule `json:"messages"`
	Fields   map[string]fieldRule `json:"fields"`
}

const maxSpecFile = 256 << 10

// LoadSpec reads a spec file. The error names the entry that is wrong.
func LoadSpec(file []byte) (s *Spec, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("message spec: %w", err)
		}
	}()
	if len(file) > maxSpecFile {
		return nil, fmt.Errorf("%d bytes are too many", len(file))
	}
	var data specFile
	dec := json.NewDecoder(bytes.NewReader(file))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&data); err != nil {
		return nil, err
	}
	s = &Spec{Name: data.Name, clock: data.Clock, hexed: map[int]bool{}, packed: map[int]bool{}, chars: data.Charset == "ascii"}
	if err := s.loadFields(data); err != nil {
		return nil, err
	}
	if s.frame, err = newFraming(data.Frame.Length, data.Frame.TPDU, data.Frame.Header); err != nil {
		return nil, err
	}
	if err := s.loadMessages(data); err != nil {
		return nil, err
	}
	if err := s.loadMAC(data); err != nil {
		return nil, err
	}
	return s, s.complete()
}

func (s *Spec) loadFields(data specFile) error {
	if data.Charset != "bcd" && data.Charset != "ascii" {
		return fmt.Errorf("charset %q is neither bcd nor ascii", data.Charset)
	}
	s.codec = &iso8583.MessageSpec{Name: data.Name, Fields: map[int]field.Field{}}
	for _, key := range slices.Sorted(maps.Keys(data.Fields)) {
		id, err := strconv.Atoi(key)
		if err != nil || id < 0 || id > 128 || id == 65 {
			return fmt.Errorf("field %q is not 0 to 128", key)
		}
		rule := data.Fields[key]
		f, err := rule.build(data.Charset == "ascii")
		if err != nil {
			return fmt.Errorf("field %d: %w", id, err)
		}
		s.codec.Fields[id] = f
		if data.Charset == "ascii" && rule.Kind == "binary" {
			s.hexed[id] = true
		}
		s.packed[id] = data.Charset == "bcd" && (rule.Kind == "digits" || rule.Kind == "track2")
	}
	return s.codec.Validate()
}

func (s *Spec) loadMessages(data specFile) error {
	s.shapes, s.parts = map[Kind]shape{}, map[int][]part{}
	for name, rule := range data.Messages {
		k, ok := kindNamed(name)
		if !ok {
			return fmt.Errorf("message %q is not one of this program", name)
		}
		sh, err := rule.shape()
		if err != nil {
			return fmt.Errorf("message %q: %w", name, err)
		}
		s.shapes[k] = sh
	}
	for k := range kindNames {
		if _, ok := s.shapes[k]; !ok {
			return fmt.Errorf("message %q is not there", k)
		}
	}
	if up := s.shapes[KindUpload]; up.credit == "" || up.last == "" {
		return errors.New(`message "batch upload": credit and last are wanted`)
	}
	for key, list := range data.Parts {
		id, err := strconv.Atoi(key)
		if err != nil || s.codec.Fields[id] == nil {
			return fmt.Errorf("parts of %q: there is no such field", key)
		}
		for _, text := range list {
			p, err := parsePart(text)
			if err != nil {
				return fmt.Errorf("parts of field %d: %w", id, err)
			}
			s.parts[id] = append(s.parts[id], p)
		}
	}
	return nil
}

func (s *Spec) loadMAC(data specFile) error {
	s.mac = macPlace{field: data.MAC.Field, wide: data.MAC.Wide, without: map[Kind]bool{}}
	last := 0
	for id := range s.codec.Fields {
		if id <= 64 {
			last = max(last, id)
		}
	}
	for _, id := range []int{s.mac.field, s.mac.wide} {
		if f := s.codec.Fields[id]; id != 0 && (f == nil || f.Spec().Length != macSize(s.hexed[id])) {
			return fmt.Errorf("the MAC's field %d is not one of %d bytes", id, macBytes)
		}
	}
	if s.mac.field != 0 && s.mac.field != last || s.mac.wide != 0 && s.mac.wide != 128 {
		return errors.New("the MAC is not the last field of its bitmap")
	}
	for _, name := range data.MAC.Without {
		k, ok := kindNamed(name)
		if !ok {
			return fmt.Errorf("without a MAC: message %q is not one of this program", name)
		}
		s.mac.without[k] = true
	}
	return nil
}

// complete wants the elements that the program itself sets and reads.
func (s *Spec) complete() error {
	for _, id := range []int{2, 3, 4, 11, 12, 13, 14, 22, 23, 25, 26, 35, 37, 38, 39, 41, 42, 48, 49, 52, 55, 58, 59, 62} {
		if s.codec.Fields[id] == nil {
			return fmt.Errorf("field %d is wanted", id)
		}
	}
	if s.clock && s.codec.Fields[7] == nil {
		return errors.New("field 7 is wanted with a clock")
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(s.parts)), func(ps []part) bool {
		return slices.ContainsFunc(ps, func(p part) bool { return p.what == partBatch })
	}) {
		return errors.New("no field has the part batch")
	}
	return nil
}
