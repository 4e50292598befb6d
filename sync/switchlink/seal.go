package switchlink

import (
	"crypto/subtle"
	"errors"
	"fmt"
)

// ErrBadMAC says that an answer came whose MAC is wrong or missing. It is a bad
// answer: the outcome is unknown. A payment is reversed for reason A0, and the
// terminal signs on again for new keys.
var ErrBadMAC = fmt.Errorf("%w: the message's MAC is wrong or missing", ErrBadAnswer)

const macBytes = 8

// macSize is how many bytes or characters the MAC has in a message.
func macSize(hexed bool) int {
	if hexed {
		return 2 * macBytes
	}
	return macBytes
}

// Authenticator makes message authentication codes (DE64, DE128) under the
// terminal's working key. mab is the message from MTI to the last element
// before the MAC, as it is on the wire. It may be called from any goroutine.
type Authenticator interface {
	MAC(mab []byte) ([macBytes]byte, error)
}

// seal is what a MAC is over, of a message that was read.
type seal struct {
	mab []byte
	mac []byte
}

// place gives the element of the MAC for this message: the last of its bitmap.
func (m *Message) macField() int {
	if wide := m.spec.mac.wide; wide != 0 {
		for de := range m.Fields {
			if de > 64 {
				return wide
			}
		}
	}
	return m.spec.mac.field
}

// keepSeal remembers the raw bytes under the MAC, if the message has one.
func (m *Message) keepSeal(data []byte) {
	de := m.macField()
	mac, ok := m.Fields[de]
	if n := len(data) - macSize(m.spec.hexed[de]); ok && n > 0 && len(mac) == macBytes {
		m.seal = seal{append([]byte(nil), data[:n]...), mac}
	}
}

// macSpan gives the place of the MAC, which is last in a message of this length.
func (m *Message) macSpan(length int) span {
	hexed := m.spec.hexed[m.macField()]
	return span{length - macSize(hexed), length, hexed}
}

// packSealed packs the message with its MAC, which is its last bytes; without one
// if a is nil.
func (m *Message) packSealed(a Authenticator) ([]byte, error) {
	de := m.macField()
	if a == nil || de == 0 {
		return m.Pack()
	}
	m.Fields[de] = make([]byte, macBytes)
	out, err := m.Pack()
	if err != nil {
		return nil, err
	}
	at := m.macSpan(len(out))
	mac, err := a.MAC(out[:at.from])
	if err != nil {
		clear(out)
		return nil, fmt.Errorf("the message's MAC: %w", err)
	}
	m.Fields[de] = mac[:]
	at.put(out, mac[:])
	return out, nil
}

var errNoMAC = errors.New("there is none")

// checkSeal is sealedBy, and forgets the bytes under the MAC.
func (m *Message) checkSeal(a Authenticator) error {
	defer m.forgetSeal()
	return m.sealedBy(a)
}

// sealedBy compares the MAC of a message that was read, in constant time.
func (m *Message) sealedBy(a Authenticator) error {
	if m.seal.mab == nil {
		return errNoMAC
	}
	want, err := a.MAC(m.seal.mab)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(want[:], m.seal.mac) != 1 {
		return errors.New("it differs")
	}
	return nil
}

func (m *Message) forgetSeal() {
	clear(m.seal.mab)
	m.seal = seal{}
}
