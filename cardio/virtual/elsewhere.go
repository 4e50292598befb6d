package virtual

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"buka/cardio/apdu"
	"buka/internal/money"
	"buka/internal/pboc"
)

// ErrElsewhere says that a card refused a transaction at another terminal.
var ErrElsewhere = errors.New("the card refused")

// Ride pays an amount at another terminal: the real purchase conversation under
// the card's own purchase key, as a gate would do it.
func (p *Purse) Ride(amount money.Fen, terminal pboc.Terminal, at time.Time) error {
	defer p.forget()
	date, clock := pboc.Stamp(at)
	a, err := p.speak(apdu.Command{CLA: 0x80, INS: 0x50, P1: 0x01, P2: 0x02, Data: p.initData(amount, terminal), Ne: 15}, 15)
	if err != nil {
		return err
	}
	b := pboc.Purchase{
		Type: pboc.PursePurchase, Counter: binary.BigEndian.Uint16(a[4:]), Random: pboc.Random(a[11:15]),
		Amount: uint32(amount), Terminal: terminal, Serial: 1, Date: date, Time: clock,
	}
	mac := b.MAC1(p.buy)
	data := binary.BigEndian.AppendUint32(nil, b.Serial)
	data = append(append(append(data, date[:]...), clock[:]...), mac[:]...)
	_, err = p.speak(apdu.Command{CLA: 0x80, INS: 0x54, P1: 0x01, Data: data, Ne: 8}, 8)
	return err
}

// LoadElsewhere loads an amount at another authority's terminal, under the
// card's own load key: what moves a counter behind our back.
func (p *Purse) LoadElsewhere(amount money.Fen, terminal pboc.Terminal, at time.Time) error {
	defer p.forget()
	date, clock := pboc.Stamp(at)
	a, err := p.speak(apdu.Command{CLA: 0x80, INS: 0x50, P2: 0x02, Data: p.initData(amount, terminal), Ne: 16}, 16)
	if err != nil {
		return err
	}
	l := pboc.Load{
		Type: pboc.PurseLoad, OldBalance: binary.BigEndian.Uint32(a), Counter: binary.BigEndian.Uint16(a[4:]),
		Random: pboc.Random(a[8:12]), Amount: uint32(amount), Terminal: terminal, Date: date, Time: clock,
	}
	mac := l.MAC2(p.load)
	data := append(append(append([]byte(nil), date[:]...), clock[:]...), mac[:]...)
	_, err = p.speak(apdu.Command{CLA: 0x80, INS: 0x52, Data: data, Ne: 4}, 4)
	return err
}

// SetBlocked is what an issuer does to a card elsewhere: it blocks it, or takes
// the block back.
func (p *Purse) SetBlocked(blocked bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opt.Blocked = blocked
}

// SetLimit changes the most that the card holds; 0: no limit.
func (p *Purse) SetLimit(limit money.Fen) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opt.Limit = limit
}

// forget ends what the other terminal began: it took the card from its field.
func (p *Purse) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.session = session{}
}

func (p *Purse) initData(amount money.Fen, terminal pboc.Terminal) []byte {
	data := []byte{p.opt.KeyIndex}
	data = binary.BigEndian.AppendUint32(data, uint32(amount))
	return append(data, terminal[:]...)
}

// speak runs one command inside the purse, whatever is selected and whatever
// tear is armed: that tear is meant for our reader.
func (p *Purse) speak(c apdu.Command, size int) ([]byte, error) {
	b, err := c.Bytes()
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.session.selected, p.session.verified = true, true
	r := p.answer(b)
	if _, more := r.SW.More(); more {
		r = p.getResponse(apdu.GetResponse(size))
	}
	if !r.SW.IsOK() || len(r.Data) != size {
		return nil, fmt.Errorf("card %s: %w: %v", p.opt.Number, ErrElsewhere, r.SW)
	}
	return r.Data, nil
}
