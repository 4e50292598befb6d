package virtual

import (
	"bytes"

	"buka/cardio/apdu"
	"buka/internal/pboc"
)

const ppse = "2PAY.SYS.DDF01"

// object is apdu.Encode for what is known to fit.
func object(t apdu.Tag, values ...[]byte) []byte {
	b, err := apdu.Encode(t, values...)
	if err != nil {
		panic("virtual: " + err.Error())
	}
	return b
}

// selectFile is SELECT by name or by file id.
func (p *Purse) selectFile(c apdu.Command) apdu.Response {
	p.session.selected, p.session.verified = false, false
	switch {
	case c.P1 == 0x04 && c.P2 == 0x00:
		return p.selectName(c.Data)
	case c.P1 == 0x04:
		return sw(apdu.FileNotFound) // there is no next occurrence
	case c.P1 != 0x00 || c.P2 != 0x00:
		return sw(apdu.BadP1P2)
	case len(c.Data) == 0 || bytes.Equal(c.Data, []byte{0x3F, 0x00}):
		return sw(apdu.OK)
	case p.opt.Family == CityUnion && bytes.Equal(c.Data, []byte{0x10, 0x01}):
		return p.enter()
	}
	return sw(apdu.FileNotFound)
}

// selectName reaches the application by its AID or a prefix of it of at least
// five bytes, the registered provider (ISO 7816-4 §12.2.2).
func (p *Purse) selectName(name []byte) apdu.Response {
	switch {
	case p.opt.Family == TUnion && string(name) == ppse:
		return ok(directory(ppse, p.opt.AID, "MOT_T_EP"))
	case len(name) >= 5 && bytes.HasPrefix(p.opt.AID, name):
		return p.enter()
	}
	return sw(apdu.FileNotFound)
}

// directory is the answer of a PPSE that lists one application.
func directory(name string, aid []byte, label string) []byte {
	entry := object(0x61, object(0x4F, aid), object(0x50, []byte(label)), object(0x87, []byte{0x01}))
	return object(0x6F, object(0x84, []byte(name)), object(0xA5, object(0xBF0C, entry)))
}

// enter selects the purse. A locked one cannot be entered; a blocked one shows
// its FCI with a warning.
func (p *Purse) enter() apdu.Response {
	if p.eeprom.Locked {
		return sw(apdu.NotSupported)
	}
	p.session.selected = true
	own := object(0x9F0C, p.info.Bytes())
	if p.opt.Family == TUnion {
		own = append(object(0x9F08, []byte{0x02}), own...)
	}
	r := ok(object(0x6F, object(0x84, p.opt.AID), object(0xA5, own)))
	if p.opt.Blocked {
		r.SW = apdu.FileInvalidated
	}
	return r
}

// readBinary serves EF15.
func (p *Purse) readBinary(c apdu.Command) apdu.Response {
	if c.P1&0xE0 != 0x80 || c.P1&0x1F != 0x15 {
		return sw(apdu.FileNotFound)
	}
	file := p.info.Bytes()
	if int(c.P2) >= len(file) {
		return sw(apdu.BadOffset)
	}
	file = file[c.P2:]
	switch {
	case c.Ne == apdu.NoLe:
		return sw(apdu.WrongLength)
	case c.Ne == apdu.MaxNe:
		return ok(file)
	case c.Ne > len(file):
		return sw(0x6C00 | apdu.SW(byte(len(file))))
	}
	return ok(file[:c.Ne])
}

// readRecord serves EF18.
func (p *Purse) readRecord(c apdu.Command) apdu.Response {
	switch {
	case c.P2&0x07 != 0x04:
		return sw(apdu.BadP1P2)
	case c.P2>>3 != 0x18:
		return sw(apdu.FileNotFound)
	case c.P1 < 1 || c.P1 > logRecords:
		return sw(apdu.RecordNotFound)
	}
	b := p.eeprom.record(int(c.P1))
	if b == nil && p.opt.LogMissing {
		return sw(apdu.RecordNotFound)
	}
	if b == nil {
		b = make([]byte, pboc.LogSize)
	}
	return ok(b)
}
