package sim

import (
	"fmt"
	"slices"
	"strings"

	"buka/internal/entry"
	"buka/topup"
)

// Script writes a history as a scenario (docs/scenarios.md) that does the same
// to the whole system. There devices and links go on by themselves, so a fault
// is armed before the line that leads to it, and a card lies where it is until
// somebody takes it away. What the language has no word for is a comment.
func Script(o *Options, history []Action) string {
	s := &script{w: New(o)}
	s.head()
	for _, a := range history {
		if !s.w.possible(a) {
			continue
		}
		s.action(a)
		if s.w.failed != nil {
			break
		}
	}
	s.end()
	return strings.Join(s.lines, "\n") + "\n"
}

type script struct {
	w     *World
	lines []string
	mark  int    // the line that led to all that goes on now
	after string // the line that follows the present action
	ill   bool   // something has gone wrong: what is seen from here on may be the defect
	host  bool   // a fault of the host is armed
	armed bool   // a fault that strikes by itself is armed
}

var cardNames = [...]string{"red", "green", "yellow", "white"}

// head declares cards as the model's are: the last load was of the same amount,
// at the same terminal and, by the clock, at the same time.
func (s *script) head() {
	s.add("# Found by topup/sim. Lines with # are what the language has no word for.")
	s.add("set switch.timeout 1s")
	for i := range s.w.cards {
		c := &s.w.cards[i]
		line := fmt.Sprintf("card %s family=tunion number=31051700101709%05d balance=%s counter=%d", cardNames[i], 7984+i, c.balance, c.counter)
		for _, x := range []struct {
			is   bool
			text string
		}{{c.wipes, " proof=wipe"}, {!c.wipes, " proof=keep"}, {!c.next, " prove=same"}, {c.logNext, " log=next"}} {
			if x.is {
				line += x.text
			}
		}
		s.add(line)
	}
	s.add("bank blue pan=6225880000000001 pin=123456 funds=1000.00")
	s.mark = len(s.lines)
}

func (s *script) add(line string) { s.lines = append(s.lines, line) }

// act adds a line that sets things going.
func (s *script) act(line string) {
	s.mark = len(s.lines)
	s.add(line)
}

// arm puts a line before the one that set things going.
func (s *script) arm(line string) {
	s.lines = slices.Insert(s.lines, s.mark, line)
	s.mark++
	s.armed = true
}

// hostFault arms a fault of the host, which ends after it has struck.
func (s *script) hostFault(line string) {
	if s.host {
		s.note("host %s", line) // one at a time
		return
	}
	s.arm("host " + line)
	s.host = true
}

func (s *script) note(format string, a ...any) { s.add("# " + fmt.Sprintf(format, a...)) }

// action says what one action does, does it, and, while all is well, says what is
// seen then.
func (s *script) action(a Action) {
	w := s.w
	s.after = ""
	before := w.screen()
	s.ill = s.ill || a.How != fNone || a.Cut != appendWell
	s.say(a)
	if a.Cut != appendWell {
		s.cut(a)
	}
	w.do(a)
	if now := w.screen(); now != before && now != "processing" && !s.ill && w.failed == nil {
		s.add("expect within 10s screen " + now)
	}
	if s.after != "" {
		s.add(s.after)
	}
}

// screen is what the passenger sees.
func (w *World) screen() string { return w.loop.Core.Look(w.loop.State).Screen }

// say adds what people and the world do; what devices and links do by
// themselves needs no line, but their faults do.
func (s *script) say(a Action) {
	w := s.w
	switch a.Op {
	case opPresent:
		s.present(int(a.Arg/2), int(a.Arg%2))
	case opRemove:
		s.remove(int(a.Arg))
	case opChoose:
		s.act("choose " + w.amount(int(a.Arg)).String())
	case opStop:
		s.act("press stop")
	case opTimer:
		s.timer(w.timers[a.Arg].name)
	case opTender:
		s.tender(w.tender[0], a.How)
	case opCard:
		s.cardFault(w.place[a.Arg].queue[0], int(a.Arg), a.How)
	case opLink:
		s.linkFault(w.links[a.Arg], a.How)
	case opUp:
		s.act("network switch up")
	case opSettle:
		s.act("settle")
	case opDesk:
		if deskActs[a.Arg] == "clear" {
			s.note("the cashier clears the screen")
		} else {
			s.act("desk " + deskActs[a.Arg])
		}
	case opFault:
		s.worldFault(a.How)
	default:
		s.note("%s", w.Describe(a))
	}
}

func (s *script) present(card, place int) {
	if place == 1 {
		s.act("desk tap " + cardNames[card])
		return
	}
	s.act("lay " + cardNames[card])
}

func (s *script) remove(place int) {
	p := &s.w.place[place]
	if len(p.queue) > 0 {
		s.note("the card leaves before %T is done", p.queue[0])
	}
	s.act("remove " + cardNames[p.card])
}

func (s *script) timer(name string) {
	switch {
	case name == "last":
		s.act("press ok")
	case name == "retry", name == "again", name == "sign-on", name == "settle":
		s.note("what had no answer is tried again, by itself")
	case strings.HasPrefix(name, "offer:"):
		s.note("the time of the offer is over: 120 s")
	default:
		s.note("nobody does anything: timer %s", name)
	}
}

func (s *script) tender(c topup.Command, how Fault) {
	_, again := c.(topup.RetryPIN)
	if !again {
		s.add("pay blue")
	}
	if how == fTenderFails {
		s.act("pin cancel")
		return
	}
	s.act("pin 123456")
}

// cardFault arms what goes wrong at a card.
func (s *script) cardFault(c topup.Command, place int, how Fault) {
	if how == fNone {
		return
	}
	name := "?"
	if i := s.w.place[place].card; i >= 0 {
		name = cardNames[i]
	}
	switch how {
	case fTornBefore:
		s.arm("tear " + name + " before commit")
	case fTornAfter:
		s.arm("tear " + name + " after commit")
	case fSW6985, fSW6F, fSW9302:
		s.arm("refuse " + name + " " + map[Fault]string{fSW6985: "6985", fSW6F: "6F00", fSW9302: "9302"}[how])
	case fSW6C:
		s.arm("# the card does the write and answers 6C04; nearest to it:")
		s.arm("tear " + name + " after commit")
	case fCardGone, fCardLost:
		s.note("%s at %T", how, c)
		s.add("remove " + name)
	case fRequestLost:
		s.hostFault("silent")
	case fAnswerLost:
		s.hostFault("drops 0110")
	case fAnswerLate:
		s.hostFault("late 3s")
	case fHostFails:
		s.hostFault("declines 96")
	case fDeclined:
		s.hostFault("declines 62")
	default:
		s.note("%s at %T", how, c)
	}
}

// linkFault arms what goes wrong on the way to the host or there.
func (s *script) linkFault(c topup.Command, how Fault) {
	_, pays := c.(topup.Pay)
	kind := fmt.Sprintf("%T", c)
	answer := "0210"
	if q, ok := c.(topup.Send); ok {
		kind = string(q.Duty.Kind)
		if answer = "0230"; q.Duty.Kind == topup.Reversal {
			answer = "0410"
		}
	} else if !pays {
		answer = "0110"
	}
	switch {
	case how == fNone:
	case how == fRequestLost && pays:
		s.hostFault("silent")
	case how == fRequestLate, how == fAnswerLate && pays:
		s.hostFault("late 3s")
	case how == fAnswerLost:
		s.hostFault("drops " + answer)
	case how == fRequestLost, how == fAnswerLate:
		s.note("%s: %s; nearest to it:", kind, how)
		s.hostFault("drops " + answer)
	case how == fHostFails && pays:
		s.hostFault("declines 96")
	case how == fDeclined:
		s.hostFault("declines 51")
	case how == fHostDenies:
		s.hostFault("denies 25")
	case how == fNewKeys:
		s.hostFault("wants keys")
	case how == fBadMAC:
		s.hostFault("wrong-mac 0210")
	case how == fWrongPIN:
		if i := s.mark; s.lines[i] == "pin 123456" {
			s.lines[i] = "pin 654321"
		}
	default:
		s.note("%s: %s", kind, how)
	}
}

// cut is the power going while an append is under way.
func (s *script) cut(a Action) {
	kinds := s.w.wouldAppend(a)
	switch {
	case len(kinds) == 0:
	case a.Cut == appendKept:
		s.arm("power cut at " + kinds[len(kinds)-1])
		s.after = "power on"
		return
	default:
		s.note("the power goes before %s is durable", strings.Join(kinds, ", "))
	}
	s.add("power cut")
	s.after = "power on"
}

// wouldAppend gives the kinds of the entries that an action leads to first.
func (w *World) wouldAppend(a Action) (kinds []string) {
	c := w.Clone()
	a.Cut = appendWell
	c.loop.Appended = func(bodies []entry.Body) bool {
		if kinds == nil {
			for _, b := range bodies {
				kinds = append(kinds, string(b.Kind()))
			}
		}
		return false
	}
	c.do(a)
	return kinds
}

// worldFault is what strikes by itself.
func (s *script) worldFault(f Fault) {
	w := s.w
	switch f {
	case fCrash:
		s.add("power cut")
		s.act("power on")
	case fNetworkDown:
		s.act("network switch down")
	case fHostRestart:
		s.add("host killed")
		s.act("host started")
	case fLoadElsewhere:
		s.act("load " + cardNames[w.away()] + " 10.00")
	case fRide:
		s.act("use " + cardNames[w.away()] + " 2.00")
	default:
		s.note("%s", f)
	}
}

// end lets all faults end, brings each card back, and asks for what must hold.
func (s *script) end() {
	w := s.w
	s.note("all faults end")
	if s.armed {
		s.add("expect within 10s struck")
	}
	if !w.up {
		s.add("network up")
	}
	s.add("remove")
	for i := range w.cards {
		if slices.ContainsFunc(w.truth, func(t truth) bool { return t.card == i }) {
			s.add("tap " + cardNames[i])
		}
	}
	if s.host {
		s.add("host answers")
	}
	s.add("expect within 20s owed 0")
	s.add("expect within 20s money conserved")
	s.add("expect journal ok")
}
