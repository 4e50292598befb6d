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
	timer         *time.Timer
}

// arrive takes bytes from the line.
func (p *Pad) arrive(chunk []byte) {
	defer clear(chunk)
	if !p.on {
		return
	}
	in := p.mangle(FromKiosk, chunk)
	defer clear(in)
	for _, b := range in {
		switch ev := p.dec.Feed(b); ev.Kind {
		case device.EventACK:
			p.dropPending()
			if p.idle == workingText {
				p.idle = idleText
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
	body := f.Body
	switch {
	case f.Admin && string(body) == "06":
		p.reply(device.Frame{Admin: true, Body: []byte("06" + p.cfg.Serial)})
	case f.Admin && len(body) == 3 && bytes.HasPrefix(body, []byte("08")):
		if p.cfg.Dialect == UIC {
			p.reply(device.Frame{Admin: true, Body: []byte("080")})
			return
		}
		p.transmit([]byte{eot})
	case f.Admin:
	case string(body) == "72":
		if p.entry.active || answering {
			p.abandon("CANCELLED")
		}
	case bytes.HasPrefix(body, []byte("Z2")):
		p.idle = string(bytes.TrimPrefix(body[2:], []byte{sub}))
	case bytes.HasPrefix(body, []byte("Z60.")):
		pan, rest, _ := strings.Cut(string(body[4:]), string(rune(fs)))
		if rest != "DUKPT ENCRYPTION" {
			p.refuse("5") // a session key, which this pad has no use for
			return
		}
		answer := "73"
		if p.cfg.Dialect == UIC {
			answer = "71"
		}
		p.begin(body, pan, answer, p.idle)
	case bytes.HasPrefix(body, []byte("70.")):
		pan, rest, _ := strings.Cut(string(body[3:]), string(rune(fs)))
		prompt := "ENTER PIN"
		if amount := strings.TrimLeft(rest, "CD"); amount != "" {
			prompt = pad("TOTAL "+amount) + prompt
		}
		p.begin(body, pan, "71", prompt)
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
	if p.faults[ToKiosk][BadLRC] > 0 {
		p.faults[ToKiosk][BadLRC]--
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
		p.idle = idleText
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
	if !p.on || p.cable == nil {
		return
	}
	out := p.mangle(ToKiosk, b)
	p.cable.write(out)
	clear(out)
}
