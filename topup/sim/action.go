package sim

import (
	"fmt"
	"slices"

	"buka/internal/entry"
	"buka/topup"
)

// Action is one thing that may happen next. Arg says to whom, How with which
// fault; both mean nothing without the world that it is done in.
type Action struct {
	Op  Op
	At  uint8 // the kiosk
	Arg uint8
	How Fault
	Cut uint8 // what becomes of the append that follows from it
}

// Op is a kind of Action.
type Op uint8

const (
	opPresent Op = iota // Arg: card*2 + place
	opRemove            // Arg: place
	opChoose            // Arg: which amount
	opStop
	opTimer  // Arg: which of those that run, by name
	opCard   // Arg: place; the worker does its next command
	opTender // the bank card and the PIN pad
	opLink   // Arg: which request to the host
	opLate   // Arg: which answer arrives
	opNet    // Arg: which request reaches the host
	opUp
	opDesk // Arg: 0 prove, 1 rewrite, 2 withdraw, 3 clear
	opFault
	opHeal   // Arg: what
	opSync   // a round on the fleet link
	opBackup // of the journal
	opCredit // Arg: the card; a top-up paid elsewhere
	opSettle // the batch is closed
)

var opNames = [...]string{"present", "remove", "choose", "stop", "timer", "card", "tender", "link", "late answer", "late request", "link up", "desk", "fault", "heal", "fleet link", "backup", "credit", "settle"}

var deskActs = [...]string{"prove", "rewrite", "withdraw", "clear", "hand-over", "refund",
	"decide-credited", "decide-paid-out", "decide-refund", "decide-credited", "decide-paid-out", "decide-refund"}

const (
	deskAlone  = 4 // those that need no fleet link
	deskSecond = 9 // those of another person
)

// who does it.
func who(act uint8) string {
	if act >= deskSecond {
		return "supervisor"
	}
	return "cashier"
}

const creditsMax = 8 // of one world

func (w *World) fleetActions(list []Action) []Action {
	if w.up {
		list = append(list, Action{Op: opSync})
	}
	list = append(list, Action{Op: opBackup})
	if w.host.credits < creditsMax {
		for i := range w.cards {
			list = append(list, Action{Op: opCredit, Arg: uint8(i)})
		}
	}
	return list
}

// Actions appends all that may happen now.
func (w *World) Actions(list []Action) []Action {
	for i := range w.host.terminals {
		w.turn(i)
		list = w.actions(list)
	}
	w.turn(0)
	return list
}

// actions appends what may happen at the kiosk that acts now.
func (w *World) actions(list []Action) []Action {
	from := len(list)
	list = w.listed(list)
	for i := from; i < len(list) && w.index > 0; i++ {
		list[i].At = uint8(w.index)
	}
	return list
}

func (w *World) listed(list []Action) []Action {
	for i, ill := range w.ill {
		if ill {
			list = append(list, Action{Op: opHeal, Arg: uint8(i)})
		}
	}
	if w.down {
		return list
	}
	f := &w.loop.State.Live.Front
	for i := range w.place {
		list = w.cardActions(list, i)
	}
	if len(w.tender) > 0 {
		list = w.with(list, Action{Op: opTender}, tenderFaults)
	}
	for i, c := range w.links {
		list = w.with(list, Action{Op: opLink, Arg: uint8(i)}, linkFaults(c))
	}
	for i := range w.late {
		list = append(list, Action{Op: opLate, Arg: uint8(i)})
	}
	for i := range w.net {
		list = append(list, Action{Op: opNet, Arg: uint8(i)})
	}
	if f.Phase == topup.Choosing && (w.opt.Sales == 0 || w.chosen < w.opt.Sales) {
		for i := range max(w.opt.Amounts, 1) {
			list = append(list, Action{Op: opChoose, Arg: uint8(i)})
		}
	}
	switch f.Phase {
	case topup.Choosing, topup.CardBack, topup.Probing, topup.Paying, topup.PINEntry, topup.Holding, topup.Sending, topup.Loading:
		if !f.Stop {
			list = append(list, Action{Op: opStop})
		}
	}
	for i := range w.timers {
		list = append(list, Action{Op: opTimer, Arg: uint8(i)})
	}
	if !w.up {
		list = append(list, Action{Op: opUp})
	}
	if w.opt.Fleet {
		list = w.fleetActions(list)
	}
	if (w.opt.Settles < 0 || w.asked < w.opt.Settles) && w.disk.Sells() {
		list = append(list, Action{Op: opSettle})
	}
	if w.opt.Desk && w.loop.State.Live.Desk.Sale != "" {
		for i := range deskActs {
			if i >= deskAlone && !w.opt.Fleet {
				break
			}
			list = append(list, Action{Op: opDesk, Arg: uint8(i)})
		}
	}
	return w.with(list, Action{Op: opFault}, w.worldFaults())
}

func (w *World) cardActions(list []Action, i int) []Action {
	p := &w.place[i]
	if len(p.queue) > 0 {
		list = w.with(list, Action{Op: opCard, Arg: uint8(i)}, w.cardFaults(p.queue[0]))
	}
	switch {
	case i == 1 && !w.opt.Desk:
	case p.card >= 0:
		list = append(list, Action{Op: opRemove, Arg: uint8(i)})
	case w.opt.Brisk && w.voids() >= voidsMax:
	default:
		for c := range w.cards {
			// A worker that is two commands behind stands for any that is late.
			if !w.cards[c].never && !w.lies(c) && len(p.queue) < 2 && (len(p.queue) == 0 || !w.opt.Brisk) {
				list = append(list, Action{Op: opPresent, Arg: uint8(2*c + i)})
			}
		}
	}
	return list
}

// voidsMax bounds a brisk world: while a sale owes so many voids no card is
// presented, because people are slower than the network. Else somebody who
// takes the card away before each write would make states without end.
const voidsMax = 2

// voids is the most that one sale owes.
func (w *World) voids() (most int) {
	for _, s := range w.disk.Sales {
		most = max(most, len(s.OweVoids))
	}
	return most
}

// with appends an action as it goes well (unless it is nothing but a fault),
// and with each fault that may still strike.
func (w *World) with(list []Action, a Action, faults []Fault) []Action {
	if a.Op != opFault {
		list = append(list, a)
	}
	if w.faults == 0 {
		return list
	}
	for _, f := range faults {
		if f.wide() && !w.opt.Wide || !w.opt.Allowed.has(f) {
			continue
		}
		a.How, a.Cut = f, appendWell
		if f == fAppendLost {
			a.How, a.Cut = fNone, appendLost
		}
		list = append(list, a)
	}
	return list
}

// Do does one action, and all that follows from it at once. It says whether
// the action was possible; one that is not changes nothing.
func (w *World) Do(a Action) bool {
	if w.failed != nil || !w.possible(a) {
		return false
	}
	w.do(a)
	return true
}

// do does what is known to be possible.
func (w *World) do(a Action) {
	w.turn(int(a.At))
	if a.How != fNone {
		w.strike(a.How)
	}
	if a.Cut != appendWell {
		w.strike(fAppendLost + Fault(a.Cut-appendLost))
		w.journal = a.Cut
	}
	switch a.Op {
	case opPresent:
		w.present(int(a.Arg/2), int(a.Arg%2))
	case opRemove:
		w.remove(int(a.Arg))
	case opChoose:
		w.chosen++
		w.feed(topup.Chosen{Sale: w.loop.State.Live.Front.Sale, Amount: w.amount(int(a.Arg))})
	case opStop:
		w.feed(topup.Stopped{Sale: w.loop.State.Live.Front.Sale})
	case opTimer:
		w.fire(int(a.Arg))
	case opCard:
		p := &w.place[a.Arg]
		c := p.queue[0]
		p.queue = p.queue[1:]
		w.onCard(int(a.Arg), c, a.How)
	case opTender:
		c := w.tender[0]
		w.tender = w.tender[1:]
		w.onTender(c, a.How)
	case opLink:
		c := w.links[a.Arg]
		w.links = slices.Delete(w.links, int(a.Arg), int(a.Arg)+1)
		w.onLink(c, a.How)
	case opLate:
		e := w.late[a.Arg]
		w.late = slices.Delete(w.late, int(a.Arg), int(a.Arg)+1)
		w.feed(e)
	case opNet:
		c := w.net[a.Arg]
		w.net = slices.Delete(w.net, int(a.Arg), int(a.Arg)+1)
		w.arrives(c)
	case opUp:
		w.up = true
		w.feed(topup.LinkChanged{Up: true})
	case opDesk:
		w.feed(topup.DeskActed{Sale: w.loop.State.Live.Desk.Sale, Do: deskActs[a.Arg], Who: who(a.Arg)})
	case opFault:
		w.worldFault(a.How)
	case opHeal:
		w.heal(int(a.Arg))
	case opSync:
		w.sync()
	case opBackup:
		w.backup = &backup{w.disk.Clone(), slices.Clone(w.unshipped), slices.Clone(w.book)}
	case opCredit:
		w.credit(int(a.Arg))
	case opSettle:
		w.asked++
		w.feed(topup.SettleAsked{Who: "schedule"})
	}
	if !w.crashed {
		w.journal = appendWell
	}
	w.settle()
	if err := w.law(); err != nil {
		w.fail(err)
	}
}

func (w *World) possible(a Action) bool {
	if (a.How != fNone || a.Cut != appendWell) && w.faults == 0 {
		return false
	}
	if a.Cut != appendWell {
		a.How, a.Cut = fNone, appendWell
	}
	if int(a.At) >= len(w.host.terminals) {
		return false
	}
	w.turn(int(a.At))
	return slices.Contains(w.actions(nil), a)
}

func (w *World) present(c, i int) {
	w.session++
	w.cards[c].short = false
	w.place[i].card, w.place[i].session, w.place[i].held = c, w.session, nil
	w.feed(topup.CardPresented{Place: nameOf(i), Session: w.session})
}

func (w *World) remove(i int) {
	p := &w.place[i]
	p.card, p.held, p.write, p.init = -1, nil, nil, nil
	w.feed(topup.CardGone{Place: nameOf(i), Session: p.session})
}

// fire lets a timer run out. Who has not answered for a while does not answer
// the question whether he is there either.
func (w *World) fire(i int) {
	t := w.timers[i]
	w.timers = slices.Delete(w.timers, i, i+1)
	w.feed(topup.TimerFired{Name: t.name, Gen: t.gen})
	if t.name == "idle" {
		for j, u := range w.timers {
			if u.name == "warn" {
				w.fire(j)
				return
			}
		}
	}
}

// Describe says what an action would do now.
func (w *World) Describe(a Action) string {
	w.turn(int(a.At))
	s := opNames[a.Op]
	switch a.Op {
	case opPresent:
		s += fmt.Sprintf(" card %d at the %s", a.Arg/2, nameOf(int(a.Arg%2)))
	case opRemove:
		s += fmt.Sprintf(" the card at the %s", nameOf(int(a.Arg)))
	case opChoose:
		s += " " + w.amount(int(a.Arg)).String()
	case opTimer:
		s += " " + w.timers[a.Arg].name
	case opCard:
		s = fmt.Sprintf("%s: %T", nameOf(int(a.Arg)), w.place[a.Arg].queue[0])
	case opTender:
		s = fmt.Sprintf("%T", w.tender[0])
	case opLink:
		s = fmt.Sprintf("%T", w.links[a.Arg])
		if c, ok := w.links[a.Arg].(topup.Send); ok {
			s += " " + string(c.Duty.Kind)
		}
	case opLate:
		s += fmt.Sprintf(" %T", w.late[a.Arg])
	case opNet:
		s += fmt.Sprintf(" %T", w.net[a.Arg])
	case opCredit:
		s += fmt.Sprintf(" card %d", a.Arg)
	case opDesk:
		s += " " + deskActs[a.Arg] + " by " + who(a.Arg)
	case opHeal:
		s += " " + illNames[a.Arg]
	}
	if a.At > 0 {
		s = fmt.Sprintf("kiosk %d: %s", a.At+1, s)
	}
	if a.How != fNone {
		s += " [" + a.How.String() + "]"
	}
	if a.Cut != appendWell {
		s += " [" + (fAppendLost + Fault(a.Cut-appendLost)).String() + "]"
	}
	return s
}

// sale is what the journal says about one, if it is open.
func (w *World) sale(id entry.SaleID) topup.Sale { return w.disk.Sales[id] }
