package foreign

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	kindLoad     = 0x02
	kindPurchase = 0x06
)

// getBalance: the purse, and the second slot of T-Union, which is empty here.
func (c *card) getBalance(cmd command) ([]byte, uint16) {
	if cmd.p2 != kindLoad {
		return nil, swP1P2
	}
	switch cmd.p1 {
	case 0:
		if c.mask != nil {
			return exactly(cmd, be32(c.mask.balance))
		}
		return exactly(cmd, be32(c.balance))
	case 1:
		if !c.opts.NoSlot {
			return exactly(cmd, be32(0))
		}
	}
	return nil, swP1P2
}

// initialize is INITIALIZE FOR LOAD.
func (c *card) initialize(cmd command) ([]byte, uint16) {
	switch {
	case cmd.p1 != 0 || cmd.p2 != kindLoad:
		return nil, swP1P2
	case len(cmd.data) != 11:
		return nil, swLength
	case cmd.le != 0 && cmd.le != 16:
		return nil, 0x6C10
	case c.locked:
		return nil, swLocked
	case c.opts.PIN != "" && !c.session.verified:
		return nil, swSecurity
	case cmd.data[0] != 1:
		return nil, swKey
	case c.online == 0xFFFF:
		return nil, swCounter
	case c.mask != nil:
		return c.recorded, swOK
	}
	l := &loading{amount: binary.BigEndian.Uint32(cmd.data[1:]), terminal: [6]byte(cmd.data[5:])}
	if uint64(c.balance)+uint64(l.amount) > 1<<31-1 {
		return nil, 0x6A80
	}
	var random [4]byte
	rand.Read(random[:]) // never fails
	l.key = loadKey(c.load, random, c.online)
	if c.opts.Wipe {
		c.proof = nil
	}
	c.session.loading = l
	old := be32(c.balance)
	m := mac(l.key, old, be32(l.amount), []byte{kindLoad}, l.terminal[:])
	c.recorded = bytes.Join([][]byte{old, be16(c.online), {1, 0}, random[:], m[:]}, nil)
	return c.recorded, swOK
}

// credit is CREDIT FOR LOAD, the one command that changes the purse, and the
// moment at which the card may be torn away.
func (c *card) credit(cmd command) ([]byte, verdict) {
	l := c.session.loading
	c.session.loading = nil
	switch {
	case c.locked:
		return status(nil, swLocked), stays
	case l == nil || !c.session.selected:
		return status(nil, swState), stays
	case cmd.p1 != 0 || cmd.p2 != 0:
		return status(nil, swP1P2), stays
	case len(cmd.data) != 11:
		return status(nil, swLength), stays
	}
	when := [7]byte(cmd.data)
	want := mac(l.key, be32(l.amount), []byte{kindLoad}, l.terminal[:], when[:])
	if !bytes.Equal(want[:], cmd.data[7:]) {
		return status(nil, c.wrongMAC()), stays
	}
	tear := c.opts.Tear
	c.opts.Tear = "" // once
	if c.opts.Replay && tear != "" {
		c.mask = &mask{balance: c.balance, log: slices.Clone(c.log)}
	}
	if tear == "before" {
		c.torn++
		return nil, dropped
	}
	c.wrongMACs = 0
	tac := c.commit(l.amount, l.terminal, when)
	c.loads++
	c.credited += uint64(l.amount)
	if tear == "after" {
		c.torn++
		return nil, dropped
	}
	return c.hand(tac[:], swOK), stays
}

func (c *card) wrongMAC() uint16 {
	if !c.opts.Count {
		return swMAC
	}
	if c.wrongMACs++; c.wrongMACs >= tries {
		c.locked = true
		return swLocked
	}
	return swMAC
}

// commit changes purse, counter, log and proof together.
func (c *card) commit(amount uint32, terminal [6]byte, when [7]byte) [4]byte {
	before := c.online
	c.balance += amount
	c.online++
	tac := mac(c.tac, be32(c.balance), be16(before), be32(amount), []byte{kindLoad}, terminal[:], when[:])
	number, logged := c.online, before
	if c.opts.ProveSame {
		number = before
	}
	if c.opts.LogNext {
		logged = c.online
	}
	c.proof = &proof{kind: kindLoad, number: number, tac: tac}
	c.note(logged, amount, kindLoad, terminal, when)
	return tac
}

// prove is GET TRANSACTION PROVE: MAC2, then TAC.
func (c *card) prove(cmd command) ([]byte, uint16) {
	switch {
	case c.opts.NoProve:
		return nil, swINS
	case c.mask != nil:
		return nil, swNoProof
	case cmd.p1 != 0:
		return nil, swP1P2
	case len(cmd.data) != 2:
		return nil, swLength
	case cmd.le != 0 && cmd.le != 8:
		return nil, 0x6C08
	}
	p := c.proof
	if p == nil && c.opts.Empty6985 {
		return nil, swConditions
	}
	if p == nil || p.kind != cmd.p2 || p.number != binary.BigEndian.Uint16(cmd.data) {
		return nil, swNoProof
	}
	if c.opts.Once {
		c.proof = nil
	}
	return append(append([]byte{}, p.mac[:]...), p.tac[:]...), swOK
}

// elsewhere is what happens to the card at other machines: "ride 2.00",
// "load 20.00".
func (c *card) elsewhere(what string) error {
	words := strings.Fields(what)
	if len(words) != 2 {
		return fmt.Errorf("%q: ride AMOUNT or load AMOUNT", what)
	}
	amount, err := fen(words[1])
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = session{}
	terminal, when := [6]byte{0x36, 0x04, 0x86, 0x60, 0x00, 0x02}, bcd(time.Now())
	switch {
	case words[0] == "load":
		c.commit(amount, terminal, when)
	case words[0] == "ride" && amount <= c.balance:
		c.ride(amount, terminal, when)
	default:
		return fmt.Errorf("%q is not possible", what)
	}
	return nil
}

// ride is a purchase: it takes the place of whatever PROVE knew.
func (c *card) ride(amount uint32, terminal [6]byte, when [7]byte) {
	const sequence = 0x127
	var random [4]byte
	rand.Read(random[:])
	before := c.offline
	c.balance -= amount
	c.offline++
	key := purchaseKey(c.purchase, random, before, sequence)
	c.proof = &proof{
		kind: kindPurchase, number: c.offline, mac: mac(key, be32(amount)),
		tac: mac(c.tac, be32(amount), []byte{kindPurchase}, terminal[:], be32(sequence), when[:]),
	}
	c.note(before, amount, kindPurchase, terminal, when)
}

func bcd(t time.Time) [7]byte { return [7]byte(unhex(t.Format("20060102150405"))) }
