package foreign

import (
	"bytes"
	"encoding/hex"
)

var (
	ppse    = []byte("2PAY.SYS.DDF01")
	purseID = unhex("A000000632010105")
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func tlv(tag string, parts ...[]byte) []byte {
	value := bytes.Join(parts, nil)
	return append(append(unhex(tag), byte(len(value))), value...)
}

// selectFile knows the directory and the purse. Another selection ends the
// session of the one before, also if it fails by name.
func (c *card) selectFile(cmd command) ([]byte, uint16) {
	if cmd.p1 != 0x04 {
		return nil, swNoFile
	}
	if cmd.p2 != 0 || len(cmd.data) < 5 {
		return nil, swNoFile
	}
	switch {
	case bytes.Equal(cmd.data, ppse) && !c.opts.NoPPSE:
		c.session = session{}
		entry := tlv("61", tlv("4F", purseID), tlv("50", []byte("MOT_T_EP")), tlv("87", []byte{1}))
		return tlv("6F", tlv("84", ppse), tlv("A5", tlv("BF0C", entry))), swOK
	case bytes.HasPrefix(purseID, cmd.data):
		c.session = session{selected: true}
		proprietary := tlv("9F08", []byte{2})
		if !c.opts.Bare {
			proprietary = append(proprietary, tlv("9F0C", c.ef15())...)
		}
		return tlv("6F", tlv("84", purseID), tlv("A5", proprietary)), swOK
	}
	return nil, swNoFile
}

// ef15 is the public application info (§1.2).
func (c *card) ef15() []byte {
	b := unhex("01011000FFFFFFFF" + "02" + "01")
	b = append(b, c.asn[:]...)
	return append(b, unhex("20190806"+"20991231"+"0000")...)
}

// ef17 says country, city and that the card is valid elsewhere too.
func (c *card) ef17() []byte {
	b := make([]byte, 60)
	copy(b, unhex("00000156"+"0011"+"1000"+"0001"+"01"))
	return b
}

func (c *card) readBinary(cmd command) ([]byte, uint16) {
	if cmd.p1&0x80 == 0 {
		return nil, swConditions // no file is current
	}
	var file []byte
	switch cmd.p1 & 0x1F {
	case 0x15:
		file = c.ef15()
	case 0x17:
		file = c.ef17()
	default:
		return nil, swNoFile
	}
	off := int(cmd.p2)
	if off >= len(file) {
		return nil, 0x6B00
	}
	rest := file[off:]
	if cmd.le > len(rest) {
		return nil, 0x6C00 | uint16(len(rest))
	}
	if cmd.le > 0 {
		rest = rest[:cmd.le]
	}
	return rest, swOK
}

// readRecord gives the log: record 1 is the newest.
func (c *card) readRecord(cmd command) ([]byte, uint16) {
	if cmd.p2>>3 != 0x18 || c.opts.NoLog {
		return nil, swNoFile
	}
	if cmd.p2&7 != 4 {
		return nil, swP1P2
	}
	n, log := int(cmd.p1), c.log
	if c.mask != nil {
		log = c.mask.log
	}
	switch {
	case n >= 1 && n <= len(log):
		return exactly(cmd, log[n-1][:])
	case n < 1 || n > logLength || c.opts.Short:
		return nil, swNoRecord
	}
	return exactly(cmd, make([]byte, 23))
}

func (c *card) verify(cmd command) ([]byte, uint16) {
	if c.opts.PIN == "" {
		return nil, 0x6A88
	}
	switch {
	case c.wrongPINs >= tries:
		return nil, swPINLocked
	case !bytes.Equal(cmd.data, unhex(c.opts.PIN)):
		c.wrongPINs++
		return nil, 0x63C0 | uint16(tries-c.wrongPINs)
	}
	c.wrongPINs, c.session.verified = 0, true
	return nil, swOK
}

// note adds a record to the cyclic log.
func (c *card) note(number uint16, amount uint32, kind byte, terminal [6]byte, when [7]byte) {
	var r [23]byte
	copy(r[0:], be16(number))
	copy(r[5:], be32(amount))
	r[9] = kind
	copy(r[10:], terminal[:])
	copy(r[16:], when[:])
	c.log = append([][23]byte{r}, c.log...)
	if len(c.log) > logLength {
		c.log = c.log[:logLength]
	}
}
