package virtual

import (
	"bytes"

	"buka/cardio/apdu"
)

// applications are those of the card, best first.
func (b *Bank) applications() []*Bank {
	if b.beside == nil {
		return []*Bank{b}
	}
	return []*Bank{b, b.beside}
}

// Second is the card's other application as a card of its own; nil: there is one.
func (b *Bank) Second() *Bank { return b.beside }

// deselect forgets what goes on, in every application.
func (b *Bank) deselect() {
	b.inPSE, b.selected = false, 0
	for _, a := range b.applications() {
		a.session = bankSession{}
	}
}

// selectName is SELECT: of a directory, or of an application by its name or the
// beginning of it, the first (P2 = 00) or the one after that which is selected (02).
func (b *Bank) selectName(c apdu.Command) apdu.Response {
	name, from := c.Data, 0
	if c.P2 == 0x02 && b.applications()[b.selected].session.selected {
		from = b.selected + 1
	}
	b.deselect()
	switch {
	case c.P1 != 0x04:
		return sw(apdu.BadP1P2)
	case b.opt.Blocked:
		return sw(apdu.NotSupported)
	case c.P2 != 0x00 && (c.P2 != 0x02 || from == 0):
		return sw(apdu.FileNotFound)
	case string(name) == ppse && !b.opt.Contact:
		return ok(object(0x6F, object(0x84, name), object(0xA5, object(0xBF0C, b.entries()...))))
	case string(name) == pse && !b.opt.NoPSE:
		b.inPSE = true
		return ok(object(0x6F, object(0x84, name), object(0xA5, object(0x88, []byte{0x01}))))
	}
	for i, a := range b.applications()[from:] {
		if len(name) >= 5 && bytes.HasPrefix(a.opt.AID, name) {
			b.selected = from + i
			return a.enter(b.selected)
		}
	}
	return sw(apdu.FileNotFound)
}

// enter is SELECT of this application, the nth of its card.
func (b *Bank) enter(n int) apdu.Response {
	state, err := b.counter()
	if err != nil {
		return sw(apdu.NoDiagnosis)
	}
	if state.Blocked {
		return sw(apdu.FileInvalidated)
	}
	b.session.selected = true
	return ok(object(0x6F, object(0x84, b.opt.AID), object(0xA5, object(0x50, []byte(b.opt.Label)), b.priority(n), object(0x9F38, b.wishes()))))
}

// priority is 87: the card's order, and whether the cardholder must agree.
func (b *Bank) priority(n int) []byte {
	p := byte(n + 1)
	if b.opt.Confirm {
		p |= 0x80
	}
	return object(0x87, []byte{p})
}

// entries are those of the directory.
func (b *Bank) entries() [][]byte {
	var list [][]byte
	for n, a := range b.applications() {
		list = append(list, object(0x61, object(0x4F, a.opt.AID), object(0x50, []byte(a.opt.Label)), a.priority(n)))
	}
	return list
}

// readDirectory serves the file of the PSE, one application a record.
func (b *Bank) readDirectory(c apdu.Command) apdu.Response {
	var file [][]byte
	if c.P2>>3 == 1 {
		for _, e := range b.entries() {
			file = append(file, object(0x70, e))
		}
	}
	return record(file, c)
}
