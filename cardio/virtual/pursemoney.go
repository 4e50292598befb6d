package virtual

import (
	"encoding/binary"

	"buka/cardio/apdu"
	"buka/internal/pboc"
)

// getBalance is GET BALANCE: slot 0, and slot 1 of T-Union.
func (p *Purse) getBalance(c apdu.Command) apdu.Response {
	switch {
	case c.P2 != 0x02:
		return sw(apdu.BadP1P2)
	case c.P1 == 0x00:
		return ok(binary.BigEndian.AppendUint32(nil, p.eeprom.Balance))
	case c.P1 == 0x01 && p.opt.Family == TUnion:
		return ok(binary.BigEndian.AppendUint32(nil, p.eeprom.Owed))
	}
	return sw(apdu.BadP1P2)
}

// initialize is INITIALIZE FOR LOAD and FOR PURCHASE: key index, amount,
// terminal.
func (p *Purse) initialize(c apdu.Command) apdu.Response {
	switch {
	case c.P2 != 0x02 || c.P1 != 0x00 && c.P1 != 0x01:
		return sw(apdu.BadP1P2)
	case len(c.Data) != 11:
		return sw(apdu.WrongLength)
	case c.Data[0] != p.opt.KeyIndex:
		return sw(apdu.KeyNotSupported)
	}
	amount := binary.BigEndian.Uint32(c.Data[1:5])
	terminal := pboc.Terminal(c.Data[5:11])
	if c.P1 == 0x01 {
		return p.initializePurchase(amount, terminal)
	}
	return p.initializeLoad(amount, terminal)
}

// forgetProof does what this card's INITIALIZE does to the last proof.
func (p *Purse) forgetProof() bool {
	if p.opt.Proof == KeepProof || p.eeprom.Proof == nil {
		return true
	}
	e := p.eeprom
	e.Proof = nil
	return p.commit(e)
}

func (p *Purse) initializeLoad(amount uint32, terminal pboc.Terminal) apdu.Response {
	after := uint64(p.eeprom.Balance) + uint64(amount)
	switch {
	case len(p.pin) > 0 && !p.session.verified:
		return sw(apdu.SecurityNotMet)
	case p.eeprom.Online == 0xFFFF:
		return sw(apdu.CounterAtMaximum)
	case after > maxBalance || p.opt.Limit > 0 && after > uint64(p.opt.Limit):
		return sw(apdu.ConditionsNotMet)
	case !p.forgetProof():
		return sw(apdu.WriteFailed)
	}
	l := &pboc.Load{
		Type: pboc.PurseLoad, OldBalance: p.eeprom.Balance, Counter: p.eeprom.Online,
		Random: p.opt.Random(), Amount: amount, Terminal: terminal,
	}
	p.session.load = l
	b := binary.BigEndian.AppendUint32(nil, l.OldBalance)
	b = binary.BigEndian.AppendUint16(b, l.Counter)
	b = append(b, p.opt.KeyVersion, 0)
	b = append(b, l.Random[:]...)
	mac := l.MAC1(p.load)
	return ok(append(b, mac[:]...))
}

func (p *Purse) initializePurchase(amount uint32, terminal pboc.Terminal) apdu.Response {
	switch {
	case p.eeprom.Offline == 0xFFFF:
		return sw(apdu.CounterAtMaximum)
	case amount > p.eeprom.Balance:
		return sw(apdu.AmountAboveBalance)
	case !p.forgetProof():
		return sw(apdu.WriteFailed)
	}
	b := &pboc.Purchase{
		Type: pboc.PursePurchase, Counter: p.eeprom.Offline, Random: p.opt.Random(), Amount: amount, Terminal: terminal,
	}
	p.session.buy = b
	out := binary.BigEndian.AppendUint32(nil, p.eeprom.Balance)
	out = binary.BigEndian.AppendUint16(out, b.Counter)
	out = append(out, 0, 0, 0, p.opt.KeyVersion, 0)
	return ok(append(out, b.Random[:]...))
}

// creditForLoad is CREDIT FOR LOAD, the write: date, time, MAC2.
func (p *Purse) creditForLoad(c apdu.Command, l *pboc.Load) apdu.Response {
	switch {
	case l == nil:
		return sw(apdu.InvalidState)
	case c.P1 != 0 || c.P2 != 0:
		return sw(apdu.BadP1P2)
	case len(c.Data) != 11:
		return sw(apdu.WrongLength)
	}
	l.Date, l.Time = pboc.Date(c.Data[0:4]), pboc.TimeOfDay(c.Data[4:7])
	if !l.MAC2(p.load).Equal(pboc.MAC(c.Data[7:11])) {
		return p.wrongMAC()
	}
	tac := l.TAC(p.tac)
	e := p.eeprom
	e.Balance += l.Amount
	e.Online++
	e.MACErrors = 0
	e.Proof = &proof{Type: l.Type, Number: l.Counter, TAC: tac}
	e = e.with(pboc.LogRecord{
		Number: p.logNumber(l.Counter), Amount: l.Amount, Type: l.Type, Terminal: l.Terminal, Date: l.Date, Time: l.Time,
	})
	if !p.commit(e) {
		return sw(apdu.WriteFailed)
	}
	return ok(tac[:])
}

// debitForPurchase is DEBIT FOR PURCHASE: serial, date, time, MAC1.
func (p *Purse) debitForPurchase(c apdu.Command, b *pboc.Purchase) apdu.Response {
	switch {
	case b == nil:
		return sw(apdu.InvalidState)
	case c.P1 != 1 || c.P2 != 0:
		return sw(apdu.BadP1P2)
	case len(c.Data) != 15:
		return sw(apdu.WrongLength)
	}
	b.Serial = binary.BigEndian.Uint32(c.Data[0:4])
	b.Date, b.Time = pboc.Date(c.Data[4:8]), pboc.TimeOfDay(c.Data[8:11])
	if !b.MAC1(p.buy).Equal(pboc.MAC(c.Data[11:15])) {
		return p.wrongMAC()
	}
	tac, mac := b.TAC(p.tac), b.MAC2(p.buy)
	e := p.eeprom
	e.Balance -= b.Amount
	e.Offline++
	e.MACErrors = 0
	e.Proof = &proof{Type: b.Type, Number: b.Counter, MAC2: mac, TAC: tac}
	e = e.with(pboc.LogRecord{
		Number: p.logNumber(b.Counter), Amount: b.Amount, Type: b.Type, Terminal: b.Terminal, Date: b.Date, Time: b.Time,
	})
	if !p.commit(e) {
		return sw(apdu.WriteFailed)
	}
	return ok(append(tac[:], mac[:]...))
}

// wrongMAC counts and, at the limit, locks for good.
func (p *Purse) wrongMAC() apdu.Response {
	if p.opt.MACErrorLimit == 0 {
		return sw(apdu.MACWrong)
	}
	e := p.eeprom
	e.MACErrors++
	e.Locked = e.MACErrors >= p.opt.MACErrorLimit
	if !p.commit(e) {
		return sw(apdu.WriteFailed)
	}
	if e.Locked {
		return sw(apdu.PermanentlyLocked)
	}
	return sw(apdu.MACWrong)
}

// transactionProve is GET TRANSACTION PROVE: type in P2, number; it answers
// MAC2 and TAC of the last transaction, and can be asked again.
func (p *Purse) transactionProve(c apdu.Command) apdu.Response {
	switch {
	case c.P1 != 0:
		return sw(apdu.BadP1P2)
	case len(c.Data) != 2:
		return sw(apdu.WrongLength)
	case p.eeprom.Proof == nil:
		return sw(apdu.ConditionsNotMet)
	}
	pr := p.eeprom.Proof
	want := pr.Number
	if p.opt.Prove == ProveNext {
		want++
	}
	if byte(pr.Type) != c.P2 || binary.BigEndian.Uint16(c.Data) != want {
		return sw(apdu.ProofNotAvailable)
	}
	return ok(append(pr.MAC2[:], pr.TAC[:]...))
}

func (p *Purse) logNumber(n uint16) uint16 {
	if p.opt.LogAfter {
		n++
	}
	return n
}
