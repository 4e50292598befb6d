package virtual

import (
	"bytes"

	"buka/cardio/apdu"
)

// Reset powers the card up anew.
func (b *Bank) Reset() {
	b.on()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deselect()
}

// Process answers one command.
func (b *Bank) Process(cmd []byte) []byte {
	return b.run(cmd, func(cmd []byte) []byte {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.answer(cmd).Bytes()
	})
}

func (b *Bank) answer(cmd []byte) apdu.Response {
	c, err := apdu.ParseCommand(cmd)
	switch {
	case err != nil:
		return sw(apdu.WrongLength)
	case c.CLA == 0x00 && c.INS == 0xA4:
		return b.selectName(c)
	case c.CLA == 0x00 && c.INS == 0xB2 && b.inPSE:
		return b.readDirectory(c)
	}
	return b.applications()[b.selected].application(c, cmd)
}

// application answers what is not about the card as a whole.
func (b *Bank) application(c apdu.Command, cmd []byte) apdu.Response {
	switch {
	case c.CLA == 0x00 && c.INS == 0xB2:
		return b.readRecord(c)
	case c.CLA == 0x80 && c.INS == 0xA8:
		return b.processingOptions(c)
	case c.CLA == 0x80 && c.INS == 0xAE:
		return b.generate(c)
	case c.CLA == 0x00 && c.INS == 0x88:
		return b.internalAuthenticate(c)
	case c.CLA == 0x00 && c.INS == 0x82:
		return b.externalAuthenticate(c)
	case c.CLA == 0x84:
		return b.script(c, cmd)
	case c.CLA != 0x00 && c.CLA != 0x80:
		return sw(apdu.BadCLA)
	}
	return sw(apdu.BadINS)
}

// wishes is the PDOL, 9F38.
func (b *Bank) wishes() []byte {
	if b.opt.Contact {
		return pdolContact
	}
	return pdolContactless
}

// readRecord serves the application's files.
func (b *Bank) readRecord(c apdu.Command) apdu.Response {
	if !b.session.optioned {
		return sw(apdu.ConditionsNotMet)
	}
	return record(b.files[c.P2>>3], c)
}

// record is READ RECORD of one file.
func record(file [][]byte, c apdu.Command) apdu.Response {
	switch {
	case c.P2&0x07 != 0x04 || file == nil:
		return sw(apdu.FileNotFound)
	case c.P1 < 1 || int(c.P1) > len(file):
		return sw(apdu.RecordNotFound)
	}
	return ok(file[c.P1-1])
}

// processingOptions is GET PROCESSING OPTIONS: it begins a transaction, counts
// it, and gives profile and locator; of a card with one GPO the cryptogram too.
func (b *Bank) processingOptions(c apdu.Command) apdu.Response {
	s := &b.session
	switch {
	case !s.selected || s.optioned:
		return sw(apdu.ConditionsNotMet)
	case c.P1 != 0 || c.P2 != 0:
		return sw(apdu.BadP1P2)
	}
	data, err := apdu.Find(c.Data, 0x83)
	list, _ := apdu.ParseDOL(b.wishes())
	objects, fits := unfill(list, data)
	if err != nil || !fits {
		return sw(apdu.WrongLength)
	}
	state, err := b.counter()
	if err != nil || state.ATC == 0xFFFF {
		return sw(apdu.ConditionsNotMet)
	}
	state.ATC++
	if b.keep(state) != nil {
		return sw(apdu.WriteFailed)
	}
	s.optioned, s.atc, s.pdol = true, state.ATC, bytes.Clone(data)
	if !b.oneGPO() {
		return ok(object(0x77, object(0x82, b.aip), object(0x94, locator)))
	}
	return b.oneAnswer(objects)
}

// unfill cuts filled data into its objects.
func unfill(list []apdu.DOLEntry, data []byte) (map[apdu.Tag][]byte, bool) {
	objects := map[apdu.Tag][]byte{}
	for _, e := range list {
		if len(data) < e.Len {
			return nil, false
		}
		objects[e.Tag], data = data[:e.Len:e.Len], data[e.Len:]
	}
	return objects, len(data) == 0
}
