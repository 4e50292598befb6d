package virtualpad

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"buka/internal/pin"
)

// errNoMaster says that the selected slot holds no master key, errSessionKey that
// a session key does not fit.
var (
	errNoMaster   = errors.New("no active master key")
	errSessionKey = errors.New("session key")
)

// Throttle slows down whoever tries PINs: at most Burst in a row, and then one
// each Every. PCI wants an average of one in 30 s. The zero value is none.
type Throttle struct {
	Burst int
	Every time.Duration
}

// bucket is a throttle at work.
type bucket struct {
	used int       // of the burst
	at   time.Time // when used was last brought up to date
}

// take says whether one more PIN may be enciphered now, and counts it.
func (b *bucket) take(t Throttle, now time.Time) bool {
	if t.Burst <= 0 || t.Every <= 0 {
		return true
	}
	if back := int(now.Sub(b.at) / t.Every); back > 0 {
		b.used, b.at = max(0, b.used-back), now
	}
	if b.used >= t.Burst {
		return false
	}
	b.used++
	return true
}

// reserve prepares the key serial number of the entry that has begun. What goes
// wrong is met again, and told, when the PIN is in.
func (p *Pad) reserve() {
	var err error
	switch p.cfg.Scheme {
	case pin.MasterSession:
	case pin.AESDUKPT:
		err = p.aesCount.reserve()
	default:
		err = p.count.reserve()
	}
	if err != nil {
		p.log.Debug("virtual PIN pad: no key serial number in advance", "err", err)
	}
}

// sealed is what an entry gives: the head of the answer and the block.
type sealed struct {
	head  string
	block []byte
}

// encipher makes the block. For DUKPT the counter is durable before the block
// exists.
func (p *Pad) encipher() (sealed, error) {
	typed, err := pin.NewPIN(p.entry.digits[:p.entry.n])
	if err != nil {
		return sealed{}, err
	}
	defer typed.Zero()
	var s sealed
	var key pin.SecretKey
	switch p.cfg.Scheme {
	case pin.MasterSession:
		key = p.entry.key
		kind := "01"
		if p.cfg.Format == pin.Format3 {
			kind = "03"
		}
		s.head = fmt.Sprintf(".0%02d%s", typed.Len(), kind)
	case pin.AESDUKPT:
		var ksn pin.AESKSN
		if ksn, err = p.aesCount.take(); err != nil {
			return sealed{}, err
		}
		key, err = pin.AESPINKey(p.cfg.AESIK, ksn, p.cfg.Format)
		s.head = p.dukptHead() + ksn.String()
	default:
		var ksn pin.KSN
		if ksn, err = p.count.take(); err != nil {
			return sealed{}, err
		}
		var transaction pin.Key
		transaction, err = pin.TransactionKey(p.cfg.IK, ksn)
		key = transaction.PINKey().Secret()
		transaction.Zero()
		s.head = p.dukptHead() + strings.TrimLeft(ksn.String(), "F")
	}
	defer key.Zero()
	if err != nil {
		return sealed{}, err
	}
	s.block, err = pin.Encipher(key, p.cfg.Format, typed, p.entry.pan)
	return s, err
}

// dukptHead is the front of a DUKPT answer: VeriFone's 73 has a dot and five
// zeros, 71 one zero.
func (p *Pad) dukptHead() string {
	if p.entry.answer == "73" {
		return ".00000"
	}
	return "0"
}

// sessionKey deciphers a session key under the selected master key.
func (p *Pad) sessionKey(slot byte, digits string) (pin.SecretKey, error) {
	master, ok := p.cfg.MasterKeys[slot]
	if !ok {
		return pin.SecretKey{}, errNoMaster
	}
	raw, err := unhex(digits)
	if err != nil {
		return pin.SecretKey{}, errSessionKey
	}
	key, err := pin.Unwrap(master, pin.WrappedKey{Cryptogram: raw})
	if err != nil {
		return pin.SecretKey{}, errSessionKey
	}
	return key, nil
}
