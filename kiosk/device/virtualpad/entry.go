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
	active   bool
	request  []byte // the packet that asked, to know it again when it is repeated
	pan      string
	key      pin.SecretKey // the session key of master/session
	answer   string        // id of the answer: "71" or "73"
	prompt   string
	after    string // shown when the PIN is in
	min, max int
	echo     byte
	digits   [pin.MaxPIN]byte
	n        int
	timer    *time.Timer
}

// begin starts an entry, or goes on with one that the kiosk asks for again
// because it has not seen our ACK.
func (p *Pad) begin(request []byte, a ask, code string) {
	if p.entry.active && string(p.entry.request) == string(request) {
		return
	}
	p.endEntry()
	prompted := p.prompted
	p.prompted = false
	external := a.id == "Z60" || a.id == "Z63"
	if external && !prompted && p.cfg.Dialect == UIC {
		p.abandon("NO PROMPT") // UIC wants Z2 or Z3 before
		return
	}
	var key pin.SecretKey
	if code == "" {
		key, code = p.mayBegin(a)
	}
	if code != "" {
		p.refuse(code)
		return
	}
	p.asked++
	e := &p.entry
	e.active, e.request, e.key = true, append([]byte(nil), request...), key
	e.pan, e.min, e.max, e.echo = a.pan, a.min, a.max, a.echo
	e.answer = "71"
	if external && p.cfg.Dialect == VeriFone && p.cfg.Scheme != pin.MasterSession {
		e.answer = "73"
	}
	e.prompt, e.after = promptOf(a, p.idle, prompted)
	e.timer.Reset(p.cfg.EntryTimeout)
	p.reserve() // while the digits are typed
}

// mayBegin looks at the keys and at the throttle.
func (p *Pad) mayBegin(a ask) (key pin.SecretKey, code string) {
	if p.cfg.Scheme == pin.MasterSession {
		var err error
		key, err = p.sessionKey(p.active, a.key)
		switch {
		case errors.Is(err, errNoMaster):
			return key, codeNoMaster
		case err != nil:
			return key, codeKeyValue
		}
	}
	if !p.bucket.take(p.cfg.Throttle, time.Now()) {
		return key, codeThrottle
	}
	return key, ""
}

// promptOf is what the display shows during an entry and after it. A prompt that
// was sent for an older entry is not shown again.
func promptOf(a ask, idle string, prompted bool) (during, after string) {
	after = workingText
	switch {
	case a.id == "Z62":
		during = a.prompts[0]
		if during != "" && a.prompts[1] != "" {
			during = pad(during)
		}
		return during + a.prompts[1], a.prompts[2]
	case a.id == "70" && a.amount != "":
		return pad("TOTAL "+a.amount) + "ENTER PIN", after
	case a.id == "70" || !prompted:
		return "ENTER PIN", after
	}
	return idle, after
}

// endEntry overwrites everything of an entry.
func (p *Pad) endEntry() {
	p.entry.timer.Stop()
	clear(p.entry.request)
	p.entry.key.Zero()
	p.entry = entry{timer: p.entry.timer}
}

// abandon ends an entry without a PIN: EOT.
func (p *Pad) abandon(text string) {
	p.endEntry()
	p.idle, p.working, p.prompted = text, false, false
	p.transmit([]byte{eot})
}

func (p *Pad) press(k string) error {
	e := &p.entry
	switch {
	case len(k) == 1 && k[0] >= '0' && k[0] <= '9':
		if e.n < min(e.max, len(e.digits)) {
			e.digits[e.n] = k[0]
			e.n++
		}
	case k == "clear":
		clear(e.digits[:])
		e.n = 0
	case k == "cancel":
		p.abandon("CANCELLED")
	case k == "enter":
		if e.n >= max(e.min, pin.MinPIN) {
			p.finish()
		}
	default:
		return fmt.Errorf("%q: %w", k, ErrKey)
	}
	return nil
}

// finish makes the block and sends it.
func (p *Pad) finish() {
	id, after := p.entry.answer, p.entry.after
	s, err := p.encipher()
	p.endEntry()
	if err != nil {
		p.log.Error("virtual PIN pad: no block", "err", err)
		code := codeFile
		if errors.Is(err, pin.ErrExhausted) {
			code = codeUsedUp
		}
		p.refuse(code)
		return
	}
	defer clear(s.block)
	p.idle, p.working = after, true
	body := make([]byte, 0, device.MaxBody)
	body = append(append(body, id...), s.head...)
	p.reply(device.Frame{Body: appendHex(body, s.block)})
}

// refuse answers with an error code of the 71 table. 73 has no such table, so
// the refusal of a Z60 is a 71 in both dialects.
func (p *Pad) refuse(code string) {
	p.idle, p.working = "NOT POSSIBLE", false
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
		lines = append(lines, strings.Repeat(string(rune(p.entry.echo)), p.entry.n))
	}
	return strings.Join(lines, "\n")
}

func appendHex(dst, src []byte) []byte {
	at := len(dst)
	dst = hex.AppendEncode(dst, src)
	copy(dst[at:], strings.ToUpper(string(dst[at:])))
	return dst
}
