package switchlink

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// shape is how a kind looks on the wire.
type shape struct {
	mti   string // of the first sending
	again string // of each later one; the same where the spec has no other form
	code  string // DE3, "" if absent
	cond  string // DE25
	kind  string // the part "type"
	net   string // the part "net"

	credit string   // DE3 of an upload that is a refund
	last   string   // the part "net" of the last upload
	also   []string // other values of "net" that a host takes
}

// shapeRule is one message of a spec file.
type shapeRule struct {
	MTI       string `json:"mti"`
	Again     string `json:"again"` // MTI of a repeat; "": origin digit 1
	Code      string `json:"code"`
	Condition string `json:"condition"`
	Type      string `json:"type"`
	Net       string `json:"net"`

	Credit string   `json:"credit"`
	Last   string   `json:"last"`
	Also   []string `json:"also"`
}

func (r shapeRule) shape() (shape, error) {
	if len(r.MTI) != 4 || !isDigits(r.MTI) || r.MTI[3] != '0' || (r.MTI[2]-'0')%2 != 0 {
		return shape{}, fmt.Errorf("MTI %q is not that of a request", r.MTI)
	}
	if r.Again == "" {
		r.Again = r.MTI[:3] + "1"
	}
	if r.Again[:min(3, len(r.Again))] != r.MTI[:3] || len(r.Again) != 4 || r.Again[3] != '0' && r.Again[3] != '1' {
		return shape{}, fmt.Errorf("MTI %q is not that of a repeat of %s", r.Again, r.MTI)
	}
	type sized struct {
		text string
		size int
	}
	all := []sized{{r.Code, 6}, {r.Condition, 2}, {r.Type, 2}, {r.Net, 3}, {r.Credit, 6}, {r.Last, 3}}
	for _, net := range r.Also {
		all = append(all, sized{net, 3})
	}
	for _, f := range all {
		if f.text != "" && (len(f.text) != f.size || !isDigits(f.text)) {
			return shape{}, fmt.Errorf("%q is not %d digits", f.text, f.size)
		}
	}
	if (r.Code == "") != (r.Condition == "") {
		return shape{}, fmt.Errorf("code and condition go together")
	}
	return shape{r.MTI, r.Again, r.Code, r.Condition, r.Type, r.Net, r.Credit, r.Last, r.Also}, nil
}

// codeOf is DE3 of a request.
func (s shape) codeOf(r *Request) string {
	if r.Credit && s.credit != "" {
		return s.credit
	}
	return s.code
}

// netOf is the network management code of a request.
func (s shape) netOf(r *Request) string {
	switch {
	case r.Last && s.last != "":
		return s.last
	case r.Kind == KindSignOn && r.Net != "":
		return r.Net
	}
	return s.net
}

// fits says whether a message with this processing code and network management
// code may be of this shape.
func (s shape) fits(code, net string) bool {
	if s.code == "" {
		return code == "" && (net == s.net || slices.Contains(s.also, net))
	}
	return code == s.code || s.credit != "" && code == s.credit
}

// What a part of an element may hold.
const (
	partType     = "type"     // the message's type code
	partBatch    = "batch"    // batch number
	partNet      = "net"      // network management code
	partOriginal = "original" // STAN of the original transaction
	partMTI      = "mti"      // MTI of the original transaction
	partZeros    = "zeros"    // nothing: zeros
)

var partNames = []string{partType, partBatch, partNet, partOriginal, partMTI, partZeros}

// part is some digits of an element, such as batch:6.
type part struct {
	what  string
	width int
}

func parsePart(text string) (part, error) {
	name, width, ok := strings.Cut(text, ":")
	n, err := strconv.Atoi(width)
	if !ok || err != nil || n < 1 || n > 42 || !slices.Contains(partNames, name) {
		return part{}, fmt.Errorf("%q is not NAME:WIDTH with a name of %s", text, strings.Join(partNames, ", "))
	}
	return part{name, n}, nil
}

// putParts writes the elements that are made of parts, each only if all of its
// parts have a value in this message.
func (s *Spec) putParts(m *Message, values map[string]string) error {
	for id, list := range s.parts {
		if !whole(list, values) {
			continue
		}
		var b strings.Builder
		for _, p := range list {
			v := values[p.what]
			if p.what == partZeros {
				v = strings.Repeat("0", p.width)
			}
			if len(v) != p.width || !isDigits(v) {
				return fieldErr("DE" + strconv.Itoa(id))
			}
			b.WriteString(v)
		}
		m.set(id, b.String())
	}
	return nil
}

func whole(list []part, values map[string]string) bool {
	return !slices.ContainsFunc(list, func(p part) bool { return p.what != partZeros && values[p.what] == "" })
}

// getPart reads one part, "" if it is not there. Parts at the end of an element
// may be cut off.
func (s *Spec) getPart(m *Message, what string) string {
	for id, list := range s.parts {
		at, text := 0, m.Text(id)
		for _, p := range list {
			if p.what == what && len(text) >= at+p.width {
				return text[at : at+p.width]
			}
			at += p.width
		}
	}
	return ""
}

// putClock writes DE7 (UTC), DE12 and DE13 (the host's zone) where requests
// carry them.
func (s *Spec) putClock(m *Message, now time.Time) {
	if !s.clock || now.IsZero() {
		return
	}
	m.set(7, now.UTC().Format("0102150405"))
	m.set(12, now.In(zoneHost).Format("150405"))
	m.set(13, now.In(zoneHost).Format("0102"))
}
