package emv

import (
	"context"
	"errors"
	"fmt"

	"buka/cardio/apdu"
)

// Answer is what the host said about the payment, for the card.
type Answer struct {
	Approved bool
	ARC      string // DE39, 2 characters: tag 8A
	Issuer   []byte // tag 91 of its DE55, or none
	Scripts  []byte // tags 71 and 72 of its DE55, as they came, or none
}

// ErrCardRefuses says that the card refuses what the host approved: the payment
// is to be reversed. So is one whose dialogue breaks here.
var ErrCardRefuses = errors.New("emv: the card refuses what the host approved")

const (
	maxScripts        = 8
	maxScriptCommands = 16
)

// ParseAnswer takes the card's part out of the DE55 of the host's answer. A
// malformed one counts as none.
func ParseAnswer(approved bool, arc string, de55 []byte) Answer {
	a := Answer{Approved: approved, ARC: arc}
	list, err := apdu.ParseTLVs(de55)
	if err != nil {
		return a
	}
	for _, o := range list {
		switch o.Tag {
		case 0x91:
			if len(o.Value) >= 8 && len(o.Value) <= 16 {
				a.Issuer = o.Value
			}
		case 0x71, 0x72:
			if b, err := apdu.Encode(o.Tag, o.Value); err == nil {
				a.Scripts = append(a.Scripts, b...)
			}
		}
	}
	return a
}

// Finish gives the host's answer to the card, in the session that Start used:
// issuer authentication, scripts, the second GENERATE AC (EMV Book 3 10.9 to
// 10.11). nil for an approval: the card agrees. It is only wanted where More is
// set. scripts is the result to be told to the issuer (DF31), empty if there
// were none.
func (p *Payment) Finish(ctx context.Context, ch Channel, a Answer) (scripts []byte, err error) {
	if len(a.ARC) != 2 {
		a.ARC = "Z3" // it could not go online
	}
	p.terminal[0x8A] = []byte(a.ARC)
	if a.Issuer != nil {
		p.terminal[0x91] = a.Issuer
		if aipIssuer.in(p.profile) {
			if err := p.externalAuthenticate(ctx, ch, a.Issuer); err != nil {
				return nil, err
			}
		}
	}
	before, err := p.runScripts(ctx, ch, a.Scripts, 0x71, scriptBefore)
	if err != nil {
		return before, err
	}
	wanted := aac
	if a.Approved {
		wanted = tc
	}
	if err := p.last(ctx, ch, wanted); err != nil {
		return before, err
	}
	agreed := p.ac.kind == tc
	after, err := p.runScripts(ctx, ch, a.Scripts, 0x72, scriptAfter)
	scripts = append(before, after...)
	switch {
	case a.Approved && !agreed:
		return scripts, ErrCardRefuses
	case agreed:
		return scripts, nil // a script that breaks after that changes nothing
	}
	return scripts, err
}

// externalAuthenticate shows the issuer's answer to the card. A refusal is a
// flag; the card has its say in the second GENERATE AC.
func (p *Payment) externalAuthenticate(ctx context.Context, ch Channel, data []byte) error {
	r, err := apdu.Exchange(ctx, ch, apdu.Command{CLA: 0x00, INS: 0x82, Data: data, Ne: apdu.NoLe})
	if err != nil {
		return fmt.Errorf("external authenticate: %w", err)
	}
	didIssuer.set(p.tsi)
	if r.SW != apdu.OK {
		issuerFailed.set(p.tvr)
	}
	return nil
}

// last is the second GENERATE AC, with CDOL2.
func (p *Payment) last(ctx context.Context, ch Channel, kind byte) error {
	wishes, err := apdu.ParseDOL(p.card[0x8D])
	if err != nil {
		return fmt.Errorf("%w: list for the second cryptogram (8D): %w", ErrAnswer, err)
	}
	r, err := apdu.Exchange(ctx, ch, apdu.Command{CLA: 0x80, INS: 0xAE, P1: kind, Data: apdu.FillDOL(wishes, p.values()), Ne: apdu.MaxNe})
	if err != nil {
		return fmt.Errorf("second generate AC: %w", err)
	}
	if r.SW != apdu.OK {
		return fmt.Errorf("%w: second GENERATE AC: %v", ErrCardRefuses, r.SW)
	}
	return p.takeGenerated(r.Data, false)
}

// runScripts sends the commands of every script of one kind, in order. A script
// stops at the first command that the card refuses. The result has 5 bytes for
// each: what came of it and at which command, then its identifier.
func (p *Payment) runScripts(ctx context.Context, ch Channel, scripts []byte, kind apdu.Tag, failed flag) (result []byte, err error) {
	list, err := apdu.ParseTLVs(scripts)
	if err != nil {
		return nil, nil
	}
	for _, o := range list {
		if o.Tag != kind || len(result) >= 5*maxScripts {
			continue
		}
		one, err := p.runScript(ctx, ch, o.Value)
		result = append(result, one...)
		didScript.set(p.tsi)
		if one[0]&0xF0 != scriptDone {
			failed.set(p.tvr)
		}
		p.scripts = append(p.scripts[:len(p.scripts):len(p.scripts)], one...)
		if err != nil {
			return result, err
		}
	}
	return result, nil
}

// Results of a script, in the high half of the first byte.
const (
	scriptNotRun = 0x00
	scriptFailed = 0x10
	scriptDone   = 0x20
)

func (p *Payment) runScript(ctx context.Context, ch Channel, script []byte) ([]byte, error) {
	result := make([]byte, 5)
	list, err := apdu.ParseTLVs(script)
	if err != nil {
		return result, nil // scriptNotRun
	}
	n := 0
	for _, o := range list {
		switch o.Tag {
		case 0x9F18:
			copy(result[1:], o.Value)
		case 0x86:
			if n++; n > maxScriptCommands {
				return result, nil
			}
			result[0] = scriptFailed | byte(min(n, 15))
			if _, err := apdu.ParseCommand(o.Value); err != nil {
				return result, nil // no command: a reader might not take it, and the card need not
			}
			answer, err := ch.Transmit(ctx, o.Value)
			if err != nil {
				return result, fmt.Errorf("issuer script: %w", err)
			}
			r, err := apdu.ParseResponse(answer)
			if err != nil || !r.SW.Warning() && r.SW != apdu.OK {
				return result, nil
			}
		}
	}
	if n > 0 {
		result[0] = scriptDone
	}
	return result, nil
}
