package virtualpad

import (
	"bytes"
	"strings"
	"time"

	"buka/kiosk/device"
)

const (
	ack = 0x06
	nak = 0x15
	eot = 0x04
	sub = 0x1A
	fs  = 0x1C

	// resends bounds how often an answer is repeated into silence, naksMax how
	// often it may be refused, badMax how many damaged packets in a row are
	// taken. EOT follows each.
	resends, naksMax, badMax = 2, 3, 3
)

// pending is an answer that the kiosk has not acknowledged yet.
type pending struct {
	raw           []byte
	silence, naks int
	trailing      bool // EOT follows the acknowledgement, as UIC's admin packets have it
	timer         *time.Timer
}

// arrive takes bytes from the line.
func (p *Pad) arrive(chunk []byte) {
	defer clear(chunk)
	if !p.on {
		return
	}
	p.hear(p.through(FromKiosk, chunk))
}

// hear takes bytes as they arrive at last.
func (p *Pad) hear(in []byte) {
	defer clear(in)
	for _, b := range in {
		switch ev := p.dec.Feed(b); ev.Kind {
		case device.EventACK:
			trailing := p.pending.trailing
			p.dropPending()
			if trailing {
				p.transmit([]byte{eot})
			}
			if p.working {
				p.idle, p.working = idleText, false
			}
		case device.EventNAK:
			p.resend(true)
		case device.EventEOT:
			p.dropPending() // the kiosk has given up
		case device.EventBad:
			p.badInRow++
			p.transmit([]byte{nak})
			if p.badInRow == badMax {
				p.badInRow = 0
				p.transmit([]byte{eot})
			}
		case device.EventFrame:
			p.badInRow = 0
			answering := p.pending.raw != nil
			p.dropPending() // whoever asks anew no longer waits for the old answer
			p.transmit([]byte{ack})
			p.obey(ev.Frame, answering)
			clear(ev.Frame.Body)
		}
	}
}

// obey carries out a sound packet. One with an unknown id is ignored. answering
// says that it has overtaken the acknowledgement of an answer.
func (p *Pad) obey(f device.Frame, answering bool) {
	if f.Admin {
		p.administer(string(f.Body))
		return
	}
	body := f.Body
	switch {
	case string(body) == "72":
		if p.entry.active || answering {
			p.abandon("CANCELLED")
		}
	case bytes.HasPrefix(body, []byte("Z2")):
		p.show(string(bytes.TrimPrefix(body[2:], []byte{sub})))
	case bytes.HasPrefix(body, []byte("Z3")):
		p.showLines(string(body[2:]))
	case bytes.HasPrefix(body, []byte("Z42")), bytes.HasPrefix(body, []byte("Z50")):
		p.transmit([]byte{eot}) // no key in clear leaves this pad
	case bytes.HasPrefix(body, []byte("Z66")):
		p.makeMAC(string(body))
	default:
		if a, code, ok := parseAsk(string(body), p.cfg.Scheme); ok {
			p.begin(body, a, code)
		}
	}
}

// show is Z2. Authenticated prompts by number (GS, RS) are of UIC's own table,
// which this pad has not.
func (p *Pad) show(text string) {
	if strings.ContainsAny(text, "\x1d\x1e\x1c") {
		p.transmit([]byte{eot})
		return
	}
	p.idle, p.prompted = text, true
}

// showLines is Z3: how many lines, perhaps SUB, the lines.
func (p *Pad) showLines(text string) {
	if text == "" || text[0] < '1' || text[0] > '7' || strings.ContainsAny(text, "\x1d\x1e") {
		p.transmit([]byte{eot})
		return
	}
	var all string
	for i, line := range strings.Split(strings.TrimPrefix(text[1:], "\x1a"), string(rune(fs))) {
		if i < int(text[0]-'0') {
			all += pad(line[:min(columns, len(line))])
		}
	}
	p.show(strings.TrimRight(all, " "))
}

// administer obeys an admin packet. Keys are not loaded over this line: that is
// work for two people and a key loading device.
func (p *Pad) administer(body string) {
	answer := func(text string) {
		p.reply(device.Frame{Admin: true, Body: []byte(text)})
		p.pending.trailing = p.cfg.Dialect == UIC
	}
	switch {
	case body == "06":
		answer("06" + p.cfg.Serial)
	case body == "16":
		answer("160")
	case len(body) == 3 && strings.HasPrefix(body, "04"):
		present := "0"
		if _, ok := p.cfg.MasterKeys[body[2]]; ok {
			present = "F"
		}
		answer("04" + present)
	case len(body) == 3 && strings.HasPrefix(body, "08"):
		ok := body[2] >= '0' && body[2] <= '9'
		if ok {
			p.active = body[2]
		}
		switch {
		case p.cfg.Dialect == VeriFone:
			p.transmit([]byte{eot})
		case ok:
			answer("080")
		default:
			answer("081")
		}
	case strings.HasPrefix(body, "02"), strings.HasPrefix(body, "05"):
		p.transmit([]byte{eot})
	}
}

func pad(line string) string {
	return line + strings.Repeat(" ", max(0, columns-len(line)))
}

// reply sends a packet and keeps it until it is acknowledged.
func (p *Pad) reply(f device.Frame) {
	p.dropPending()
	raw, err := f.Encode()
	clear(f.Body)
	if err != nil {
		p.log.Error("virtual PIN pad: answer cannot be sent", "err", err)
		return
	}
	p.pending.raw = raw
	p.sendPending()
}

func (p *Pad) sendPending() {
	out := append([]byte(nil), p.pending.raw...)
	if p.badLRC() {
		out[len(out)-1] ^= 1
	}
	p.transmit(out)
	clear(out)
	p.pending.timer.Reset(p.cfg.ResendAfter)
}

// resend repeats the pending answer after a NAK or after silence, within the
// bounds; then it gives up with EOT.
func (p *Pad) resend(refused bool) {
	if p.pending.raw == nil {
		return
	}
	if refused {
		p.pending.naks++
	} else {
		p.pending.silence++
	}
	if p.pending.naks >= naksMax || p.pending.silence > resends {
		p.dropPending()
		p.idle, p.working = idleText, false
		p.transmit([]byte{eot})
		return
	}
	p.sendPending()
}

func (p *Pad) dropPending() {
	p.pending.timer.Stop()
	clear(p.pending.raw)
	p.pending = pending{timer: p.pending.timer}
}

func (p *Pad) transmit(b []byte) {
	if p.on {
		p.put(p.through(ToKiosk, b))
	}
}

// put writes bytes to the line, as they leave it at last.
func (p *Pad) put(out []byte) {
	p.wired.Write(out)
	clear(out)
}
