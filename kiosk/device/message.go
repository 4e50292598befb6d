package device

import (
	"fmt"
	"strings"
	"time"

	"buka/internal/money"
	"buka/internal/pin"
)

// Packet is the request by which a pad is asked for a PIN.
type Packet string

// The requests of the family. Z60 and Z63 take a PIN under a prompt that Z2 has
// shown before; 70 and Z62 bring amount and prompt along, so that the two cannot
// be parted.
const (
	PacketZ60 Packet = "Z60"
	PacketZ62 Packet = "Z62" // the words and the amount of the kiosk
	PacketZ63 Packet = "Z63" // as Z60, with the lengths that are allowed
	Packet70  Packet = "70"  // the pad's own words, with the amount
)

func (p Packet) known() bool {
	return p == PacketZ60 || p == PacketZ62 || p == PacketZ63 || p == Packet70
}

// prompted says that the prompt must be sent before, with Z2.
func (p Packet) prompted() bool { return p == PacketZ60 || p == PacketZ63 }

// Messages to the pad, named as in the manuals of the family.

func msgCheckKey(slot string) Frame  { return Frame{Admin: true, Body: []byte("04" + slot)} }
func msgReadSerial() Frame           { return Frame{Admin: true, Body: []byte("06")} }
func msgSelectKey(slot string) Frame { return Frame{Admin: true, Body: []byte("08" + slot)} }
func msgCancel() Frame               { return Frame{Body: []byte("72")} }

// msgPrompt is Z2: clear the display, then show text.
func msgPrompt(text string) Frame {
	return Frame{Body: append([]byte{'Z', '2', sub}, text...)}
}

// dukptWord stands where Z60 and Z63 have a session key, in their DUKPT form.
const dukptWord = "DUKPT ENCRYPTION"

// entryMessage is what the four requests are made from.
type entryMessage struct {
	scheme  pin.Scheme
	key     pin.WrappedKey // of MasterSession
	pan     string
	amount  money.Fen
	prompt  string
	timeout time.Duration // the kiosk's own; the pad is given more
}

// frame makes the request. Whoever sends it overwrites its body after use.
func (m entryMessage) frame(p Packet) Frame {
	body := make([]byte, 0, MaxBody) // never moved, so that there is one copy of the PAN
	body = append(append(body, p...), '.')
	body = append(append(body, m.pan...), fs)
	switch p {
	case PacketZ60:
		body = m.keyOr(body, dukptWord)
	case PacketZ63:
		body = append(m.keyOr(body, dukptWord), "0412N*"...)
	case PacketZ62:
		body = append(m.keyOr(body, ""), "0412N"...)
		body = append(append(body, amountLine(m.amount)...), fs)
		body = append(append(body, shownPrompt(m.prompt)...), fs)
		body = append(append(body, "PLEASE WAIT"...), fs, m.timeoutDigit())
	case Packet70:
		// The flag D is for a debit of the customer. Without an amount a DUKPT
		// pad asks for the PIN alone; a master/session pad insists on one.
		body = m.keyOr(body, "D")
		if m.amount > 0 || m.scheme == pin.MasterSession {
			body = append(body, m.amount.String()...)
		}
		body = append(body, fs, m.timeoutDigit())
	}
	return Frame{Body: body}
}

// keyOr appends the session key's cryptogram in hex, or a word in its place.
func (m entryMessage) keyOr(body []byte, word string) []byte {
	if m.scheme != pin.MasterSession {
		return append(body, word...)
	}
	return appendHex(body, m.key.Cryptogram)
}

// timeoutDigit is the pad's own patience, 1 to 9 times 30 s: the kiosk's and
// half a minute more, for the kiosk is to be the one that gives up.
func (m entryMessage) timeoutDigit() byte {
	const step = 30 * time.Second
	return '0' + byte(min(9, (m.timeout+step-1)/step+1))
}

func appendHex(dst, src []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, b := range src {
		dst = append(dst, digits[b>>4], digits[b&0xF])
	}
	return dst
}

// displayColumns is the width of the narrowest display of the family, which has
// two lines.
const displayColumns = 16

// displayText makes the two lines of an entry: the amount, then the prompt.
func displayText(prompt string, amount money.Fen) string {
	if amount <= 0 {
		return shownPrompt(prompt)
	}
	return fmt.Sprintf("%-*s%s", displayColumns, amountLine(amount), shownPrompt(prompt))
}

func amountLine(amount money.Fen) string {
	if amount <= 0 {
		return ""
	}
	return "CNY " + amount.String()
}

// shownPrompt is a prompt as the pad can show it. One that it cannot show (it
// knows ASCII only) becomes ENTER PIN: the words in the passenger's language are
// on the page.
func shownPrompt(prompt string) string {
	for i := range len(prompt) {
		if prompt[i] < 0x20 || prompt[i] > 0x7E {
			prompt = ""
			break
		}
	}
	if prompt = strings.TrimSpace(prompt); prompt == "" {
		prompt = "ENTER PIN"
	}
	if len(prompt) > displayColumns {
		prompt = prompt[:displayColumns]
	}
	return prompt
}

// messageID names a packet for logs and switches: one of the ids that the
// driver knows, or "?". It never gives out more of a body than that.
func messageID(f Frame) string {
	ids := []string{"70", "71", "72", "73", "Z60", "Z62", "Z63", "Z66", "Z67", "Z2"}
	if f.Admin {
		ids = []string{"04", "06", "08"}
	}
	for _, id := range ids {
		if strings.HasPrefix(string(f.Body[:min(3, len(f.Body))]), id) {
			return id
		}
	}
	return "?"
}
