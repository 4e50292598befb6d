package virtual

import (
	"sync"

	"buka/cardio/apdu"
)

// Program is a card: what it answers to a reset and to commands. Process gets
// one command and returns data and status word; nil means that the card lost
// power and the answer never left. Its methods may be called from any
// goroutine. Every Program fits a reader in memory (reader.Device).
type Program interface {
	ATR() []byte
	Reset()
	Process(cmd []byte) (resp []byte)
}

// When says on which side of the card's commit the power goes.
type When uint8

// The two sides.
const (
	Before When = iota + 1 // the command is not applied
	After                  // it is applied and committed; its answer never leaves
)

// Tear takes the card's power once, at the Nth command that matches.
type Tear struct {
	When  When
	Match func(cmd []byte) bool // nil matches every command
	N     int                   // 1 or less: the next one that matches
	// OnTorn is called once the card is dark, from the goroutine of Process. It
	// must not wait for the reader; the card leaves its slot by itself.
	OnTorn func()
}

// power is the power supply of a card: on, off, and what may take it away.
type power struct {
	mu   sync.Mutex
	tear *Tear
	left int
	dark bool
}

// Tear arms a tear; it replaces one that has not fired.
func (p *power) Tear(t Tear) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tear, p.left = &t, max(1, t.N)
}

// Armed reports that a tear waits for its command.
func (p *power) Armed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tear != nil
}

// Disarm forgets a tear that has not fired.
func (p *power) Disarm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tear = nil
}

func (p *power) on() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dark = false
}

// meets counts a command and returns the tear if its moment has come.
func (p *power) meets(cmd []byte) (t *Tear, dark bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dark {
		return nil, true
	}
	if p.tear == nil || p.tear.Match != nil && !p.tear.Match(cmd) {
		return nil, false
	}
	if p.left--; p.left > 0 {
		return nil, false
	}
	t, p.tear = p.tear, nil
	p.dark = true
	return t, false
}

// run carries out one command under the supply: answer is the card's program.
func (p *power) run(cmd []byte, answer func([]byte) []byte) []byte {
	t, dark := p.meets(cmd)
	switch {
	case dark:
		return nil
	case t == nil:
		return answer(cmd)
	case t.When == After:
		answer(cmd)
	}
	if t.OnTorn != nil {
		t.OnTorn()
	}
	return nil
}

// IsCredit matches CREDIT FOR LOAD, the write of a load.
func IsCredit(cmd []byte) bool { return hasHeader(cmd, 0x80, 0x52) }

// IsDebit matches DEBIT FOR PURCHASE.
func IsDebit(cmd []byte) bool { return hasHeader(cmd, 0x80, 0x54) }

// IsInitialize matches INITIALIZE FOR LOAD and FOR PURCHASE.
func IsInitialize(cmd []byte) bool { return hasHeader(cmd, 0x80, 0x50) }

func hasHeader(cmd []byte, cla, ins byte) bool {
	return len(cmd) >= 4 && cmd[0] == cla && cmd[1] == ins
}

func sw(s apdu.SW) apdu.Response { return apdu.Response{SW: s} }

func ok(data []byte) apdu.Response { return apdu.Response{Data: data, SW: apdu.OK} }
