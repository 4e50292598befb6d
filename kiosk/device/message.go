package device

import (
	"encoding/hex"
	"fmt"
	"strings"

	"buka/internal/money"
	"buka/internal/pin"
)

// Result is what a PIN pad gives out, and all that it gives out.
type Result struct {
	// Block is the ISO 9564-1 format 0 block under the PIN key of KSN. It lives
	// in memory only, until the host has it.
	Block pin.Block
	KSN   pin.KSN
}

// Messages to the pad, named as in the manuals of the family.

func msgSelectKey(slot string) Frame { return Frame{Admin: true, Body: []byte("08" + slot)} }
func msgReadSerial() Frame           { return Frame{Admin: true, Body: []byte("06")} }
func msgCancel() Frame               { return Frame{Body: []byte("72")} }

// msgPrompt is Z2: clear the display, then show text.
func msgPrompt(text string) Frame {
	return Frame{Body: append([]byte{'Z', '2', sub}, text...)}
}

// msgEnterPIN is Z60 in its DUKPT form: take a PIN under the prompt that is shown.
func msgEnterPIN(pan string) Frame {
	body := append([]byte("Z60."), pan...)
	body = append(body, fs)
	return Frame{Body: append(body, "DUKPT ENCRYPTION"...)}
}

// msgEnterPINAmount is 70 in its DUKPT form: the pad shows prompts of its own.
// The flag D is for a debit of the customer. Without an amount, 0, the pad asks
// for the PIN alone.
func msgEnterPINAmount(pan string, amount money.Fen) Frame {
	body := append([]byte("70."), pan...)
	body = append(body, fs, 'D')
	if amount > 0 {
		body = append(body, amount.String()...)
	}
	return Frame{Body: body}
}

// displayColumns is the width of the narrowest display of the family, which has
// two lines.
const displayColumns = 16

// displayText makes the two lines of an entry: the amount, then the prompt. A
// prompt that the pad cannot show (it knows ASCII only) becomes ENTER PIN: the
// words in the passenger's language are on the page.
func displayText(prompt string, amount money.Fen) string {
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
	if amount <= 0 {
		return prompt
	}
	return fmt.Sprintf("%-*s%s", displayColumns, "CNY "+amount.String(), prompt)
}

// isEntryAnswer says whether a packet is an answer to Z60 or 70.
func isEntryAnswer(f Frame) bool {
	id := messageID(f)
	return id == "71" || id == "73"
}

// parseEntryAnswer reads an answer of a DUKPT pad: 71, status 0, KSN, block
// (UIC, VeriFone packet 76); or 73, dot, five status digits, KSN, block
// (VeriFone, to Z60). Anything short is a refusal and its rest is the code.
func parseEntryAnswer(f Frame) (Result, error) {
	id, rest := messageID(f), f.Body[min(2, len(f.Body)):]
	head := 1
	if id == "73" {
		head = len(".00000")
	}
	switch {
	case !isEntryAnswer(f), len(rest) == 0, id == "71" && rest[0] == '.': // the dot is for master/session keys
		return Result{}, fmt.Errorf("%w: packet %s of %d bytes", ErrAnswer, id, len(f.Body))
	case len(rest) <= len(".00000"):
		code := strings.TrimPrefix(string(rest), ".")
		return Result{}, ErrPadRefused{Message: id, Code: code}
	}
	if status := string(rest[:head]); status != "0" && status != ".00000" {
		return Result{}, ErrPadRefused{Message: id, Code: strings.TrimPrefix(status, ".")}
	}
	rest = rest[head:]
	if len(rest) < 16 {
		return Result{}, fmt.Errorf("%w: packet %s of %d bytes", ErrAnswer, id, len(f.Body))
	}
	var r Result
	at := len(rest) - 16
	ksn, err := pin.ParseKSN(string(rest[:at]))
	if err != nil {
		return Result{}, fmt.Errorf("%w: packet %s: %w", ErrAnswer, id, err)
	}
	if _, err := hex.Decode(r.Block[:], rest[at:]); err != nil {
		r.Block.Zero()
		return Result{}, fmt.Errorf("%w: packet %s: the block is not hex", ErrAnswer, id)
	}
	r.KSN = ksn
	return r, nil
}

// parseSelectAnswer reads UIC's answer to 08: status 0, or an error code.
func parseSelectAnswer(f Frame) error {
	if code := string(f.Body[2:]); code != "0" {
		return ErrPadRefused{Message: "08", Code: code}
	}
	return nil
}

// messageID names a packet for logs and switches: one of the ids that the
// driver knows, or "?". It never gives out more of a body than that.
func messageID(f Frame) string {
	ids := []string{"70", "71", "72", "73", "Z60", "Z2"}
	if f.Admin {
		ids = []string{"06", "08"}
	}
	for _, id := range ids {
		if strings.HasPrefix(string(f.Body[:min(3, len(f.Body))]), id) {
			return id
		}
	}
	return "?"
}
