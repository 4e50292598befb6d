package virtualpad

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"buka/internal/pin"
	"buka/kiosk/device"
)

const (
	idleText    = "WELCOME"
	workingText = "PROCESSING"
	columns     = 16
)

// entry is one PIN in the making. The digits are the only clear PIN of the
// house.
type entry struct {
	active  bool
	request []byte // the packet that asked, to know it again when it is repeated
	pan     string
	answer  string // id of the answer: "71" or "73"
	prompt  string
	digits  [pin.MaxPIN]byte
	n       int
	timer   *time.Timer
}

// begin starts an entry, or goes on with one that the kiosk asks for again
// because it has not seen our ACK.
func (p *Pad) begin(request []byte, pan, answer, prompt string) {
	if p.entry.active && string(p.entry.request) == string(request) {
		return
	}
	p.endEntry()
	if code := panError(pan); code != "" {
		p.refuse(code)
		return
	}
	p.entry.active = true
	p.entry.request = append([]byte(nil), request...)
	p.entry.pan, p.entry.answer, p.entry.prompt = pan, answer, prompt
	p.entry.timer.Reset(p.cfg.EntryTimeout)
}

// panError is the code of the 71 table for a PAN, empty for a good one.
func panError(pan string) string {
	switch {
	case pan == "":
		return "0"
	case len(pan) < pin.MinPAN:
		return "2"
	case len(pan) > pin.MaxPAN:
		return "3"
	case pin.CheckPAN(pan) != nil:
		return "4"
	}
	return ""
}

// endEntry overwrites everything of an entry.
func (p *Pad) endEntry() {
	p.entry.timer.Stop()
	clear(p.entry.request)
	p.entry = entry{timer: p.entry.timer}
}

// abandon ends an entry without a PIN: EOT.
func (p *Pad) abandon(text string) {
	p.endEntry()
	p.idle = text
	p.transmit([]byte{eot})
}

func (p *Pad) press(k string) error {
	e := &p.entry
	switch {
	case len(k) == 1 && k[0] >= '0' && k[0] <= '9':
		if e.n < len(e.digits) {
			e.digits[e.n] = k[0]
			e.n++
		}
	case k == "clear":
		clear(e.digits[:])
		e.n = 0
	case k == "cancel":
		p.abandon("CANCELLED")
	case k == "enter":
		if e.n >= pin.MinPIN {
			p.finish()
		}
	default:
		return fmt.Errorf("%q: %w", k, ErrKey)
	}
	return nil
}

// finish makes the block and sends it. The counter is durable before the block
// exists.
func (p *Pad) finish() {
	answer := p.entry.answer
	ksn, err := p.count.take()
	if err != nil {
		p.log.Error("virtual PIN pad: no key", "err", err)
		p.endEntry()
		code := "G"
		if errors.Is(err, pin.ErrExhausted) {
			code = "F"
		}
		p.refuse(code)
		return
	}
	block, err := p.encipher(ksn)
	p.endEntry()
	if err != nil {
		p.log.Error("virtual PIN pad: no block", "err", err)
		p.refuse("8")
		return
	}
	defer block.Zero()
	p.idle = workingText
	head := "710"
	if answer == "73" {
		head = "73.00000"
	}
	body := append([]byte(head), strings.TrimLeft(ksn.String(), "F")...)
	p.reply(device.Frame{Body: appendHex(body, block[:])})
}

func (p *Pad) encipher(ksn pin.KSN) (pin.Block, error) {
	typed, err := pin.NewPIN(p.entry.digits[:p.entry.n])
	if err != nil {
		return pin.Block{}, err
	}
	defer typed.Zero()
	c, err := pin.Encode0(typed, p.entry.pan)
	if err != nil {
		return pin.Block{}, err
	}
	defer c.Zero()
	key, err := pin.TransactionKey(p.cfg.IK, ksn)
	if err != nil {
		return pin.Block{}, err
	}
	defer key.Zero()
	return pin.EncryptBlock(key, c), nil
}

// refuse answers with an error code of the 71 table. 73 has no such table, so
// the refusal of a Z60 is a 71 in both dialects.
func (p *Pad) refuse(code string) {
	p.idle = "NOT POSSIBLE"
	p.reply(device.Frame{Body: []byte("71" + code)})
}

// display is the text of the moment, a star for each digit typed, in lines.
func (p *Pad) display() string {
	text := p.idle
	if p.entry.active {
		text = p.entry.prompt
	}
	var lines []string
	for len(text) > columns {
		lines = append(lines, strings.TrimRight(text[:columns], " "))
		text = text[columns:]
	}
	lines = append(lines, text)
	if p.entry.n > 0 {
		lines = append(lines, strings.Repeat("*", p.entry.n))
	}
	return strings.Join(lines, "\n")
}

func appendHex(dst, src []byte) []byte {
	at := len(dst)
	dst = hex.AppendEncode(dst, src)
	copy(dst[at:], strings.ToUpper(string(dst[at:])))
	return dst
}
