package sim

import (
	"fmt"
	"strings"

	"buka/topup"
)

// Fault is one thing that goes wrong.
type Fault uint8

const (
	fNone         Fault = iota
	fCardGone           // the card leaves before the command did anything
	fCardLost           // the card did it, and left before its answer came
	fTornBefore         // the write was torn, and the card is as it was
	fTornAfter          // the write was done, and its answer torn
	fSW6C               // done, but the card answers 6C04
	fSW6F               // not done, and the card answers 6F00
	fSW6985             // not done, said in so many words
	fSW9302             // MAC2 wrong
	fReplay             // a relay in the field answers with a recording
	fRequestLost        // never reached the host
	fRequestLate        // no answer in time; reaches the host later
	fAnswerLost         // the host did it
	fAnswerLate         // no answer in time; it comes later
	fAnswerTwice        // and once more later
	fRequestTwice       // and once more later
	fHostFails          // code 96
	fDeclined           // 51, or 62 for a load
	fWrongPIN           // 55
	fPartial            // approved for less
	fHostDenies         // a reversal of an approved payment is answered 25
	fAppendLost         // an append fails, nothing durable, power cut
	fAppendKept         // an append fails, all durable, power cut
	fCrash              // power cut between two effects
	fNetworkDown
	fBatchClosed
	fLoadElsewhere // the card is loaded by another kiosk
	fRide          // and used for a ride
	fLogLost       // its log is overwritten
	fCardDies      // blocked, or at its limit
	fTenderFails
	fBadMAC      // the host did it, and the answer's MAC is wrong
	fCardRefuses // approved, and then the bank card says no
	fNewKeys     // code A0: the host wants a sign-on first
	// Those that follow want Options.Wide.
	fRelay       // a recording of an INITIALIZE for another terminal
	fStaleInit   // a relay answers INITIALIZE with a recording; the card knows nothing of it
	fReinit      // the card was initialised anew before the MAC2 came
	fHostUnsure  // code 68: the host does not know itself
	fHostRestart // and what is under way to it and from it is lost
	fPayDown     // the payment host is out of reach, the authority is not
	fAuthDown    // the other way round
	fDiskLow     // too little space for a sale's worst case
	fDiskFull    // no append succeeds until there is space again
	fHostClock   // the authority's clock jumps, to 1970 too
	fKioskClock  // the kiosk's clock jumps: every card looks expired
	fCardFull    // the card is at its limit, until it is used
	fCardNever   // the card never comes back
	fRestored    // a backup takes the place of the journal
	fLogShort    // of the log only the newest record can be read, while the card lies there
	fAuthCut     // the link to the authority alone is down, and the kiosk knows it
	faultCount
)

var faultNames = [...]string{"none", "card-gone", "card-answer-lost", "torn-before", "torn-after", "sw-6c", "sw-6f00", "sw-6985", "sw-9302",
	"replay", "request-lost", "request-late", "answer-lost", "answer-late", "answer-twice", "request-twice", "host-fails", "declined",
	"wrong-pin", "partial", "host-denies", "append-lost", "append-kept", "crash", "network-down", "batch-closed", "load-elsewhere",
	"ride", "log-lost", "card-dies", "tender-fails", "bad-mac", "bank-card-refuses", "new-keys", "relay", "stale-initialise", "initialised-anew", "host-unsure", "host-restart",
	"payment-down", "authority-down", "disk-low", "disk-full", "host-clock", "kiosk-clock", "card-at-limit", "card-never-back",
	"journal-restored", "log-short", "authority-cut"}

func (f Fault) String() string { return faultNames[f] }

func (f Fault) wide() bool { return f >= fRelay }

// Counts says how often each fault struck, and how often a card was written.
type Counts struct {
	Fault   [faultCount]int
	Written int
}

// Map gives the counts by name, without zeros.
func (c *Counts) Map() map[string]int {
	m := map[string]int{}
	for f, n := range c.Fault {
		if n > 0 {
			m[Fault(f).String()] = n
		}
	}
	return m
}

// Faults is a choice of faults; nil is all of them.
type Faults map[Fault]bool

func (fs Faults) has(f Fault) bool { return fs == nil || fs[f] }

// ParseFaults reads names divided by commas; "" is all, "none" none.
func ParseFaults(list string) (Faults, error) {
	if list == "" || list == "all" {
		return nil, nil
	}
	fs := Faults{}
next:
	for name := range strings.SplitSeq(list, ",") {
		for f, n := range faultNames {
			if n == strings.TrimSpace(name) {
				fs[Fault(f)] = true
				continue next
			}
		}
		return nil, fmt.Errorf("%q is not a fault: choose from %s", name, strings.Join(faultNames[:], ", "))
	}
	return fs, nil
}

func (w *World) strike(f Fault) {
	w.struck.Fault[f]++
	if w.faults > 0 {
		w.faults--
	}
}

var (
	readFaults    = []Fault{fCardGone}
	wipeFaults    = []Fault{fCardGone, fCardLost, fRequestLost}
	loadFaults    = []Fault{fCardGone, fCardLost, fRequestLost, fAnswerLost, fAnswerLate, fHostFails, fDeclined, fAppendLost, fStaleInit}
	probeFaults   = []Fault{fCardGone, fCardLost, fRequestLost, fReplay, fAnswerLate, fRelay}
	writeFaults   = []Fault{fTornBefore, fTornAfter, fSW6C, fSW6F, fSW6985, fSW9302, fAppendLost, fReinit}
	tenderFaults  = []Fault{fTenderFails}
	payFaults     = []Fault{fRequestLost, fRequestLate, fAnswerLost, fAnswerLate, fAnswerTwice, fHostFails, fDeclined, fWrongPIN, fPartial, fAppendLost, fBadMAC, fCardRefuses, fNewKeys, fHostUnsure}
	sendFaults    = []Fault{fRequestLost, fRequestTwice, fAnswerLost, fAnswerLate, fAnswerTwice, fHostFails, fAppendLost, fNewKeys}
	denyFaults    = append(sendFaults[:len(sendFaults):len(sendFaults)], fHostDenies)
	restoreFaults = []Fault{fRequestLost, fAnswerLost, fAnswerLate, fAnswerTwice}
	settleFaults  = []Fault{fRequestLost, fRequestTwice, fAnswerLost, fAnswerLate, fAnswerTwice, fHostFails, fAppendLost, fNewKeys}
	tacFaults     = []Fault{fRequestLost, fAnswerLate, fAnswerTwice}
)

func (w *World) cardFaults(c topup.Command) []Fault {
	switch c.(type) {
	case topup.ReadCard, topup.Prove:
		return readFaults
	case topup.ProbeCard:
		return wipeFaults
	case topup.Load:
		return loadFaults
	case topup.ProbeSlot:
		return probeFaults
	case topup.Write:
		return writeFaults
	}
	return nil
}

func linkFaults(c topup.Command) []Fault {
	switch c := c.(type) {
	case topup.Pay:
		return payFaults
	case topup.Send:
		if c.Duty.Kind == topup.Reversal {
			return denyFaults
		}
		return sendFaults
	case topup.VerifyTAC:
		return tacFaults
	case topup.Settle, topup.Upload:
		return settleFaults
	case topup.ConfirmRestore:
		return restoreFaults
	}
	return nil
}

// worldFaults strike by themselves.
func (w *World) worldFaults() []Fault {
	fs := []Fault{fCrash, fBatchClosed}
	if w.up {
		fs = append(fs, fNetworkDown)
	}
	if w.away() >= 0 {
		fs = append(fs, fLoadElsewhere, fRide, fLogLost, fCardDies)
	}
	switch {
	case w.opt.Wide:
		fs = w.wideFaults(fs)
	case w.opt.Brisk && len(w.links)+len(w.net)+len(w.late) > 0:
		fs = append(fs, fHostRestart) // with nothing under way it is the network that goes
	}
	return fs
}

func (w *World) wideFaults(fs []Fault) []Fault {
	fs = append(fs, fHostRestart, fHostClock, fKioskClock)
	if c := w.place[0].card; c >= 0 && w.opt.Purse != nil && !w.cards[c].short {
		fs = append(fs, fLogShort)
	}
	if w.backup != nil {
		fs = append(fs, fRestored)
	}
	if !w.ill[illPay] {
		fs = append(fs, fPayDown)
	}
	if !w.ill[illAuthority] {
		fs = append(fs, fAuthDown)
		if w.up {
			fs = append(fs, fAuthCut)
		}
	}
	if !w.ill[illSpace] {
		fs = append(fs, fDiskLow, fDiskFull)
	}
	if w.away() >= 0 {
		fs = append(fs, fCardFull)
		if w.coming() > 1 {
			fs = append(fs, fCardNever)
		}
	}
	return fs
}

// coming counts the cards that may still come.
func (w *World) coming() (n int) {
	for i := range w.cards {
		if !w.cards[i].never {
			n++
		}
	}
	return n
}

// away gives the card that may be used elsewhere: the first one that lies on
// no reader and has something open, or -1.
func (w *World) away() int {
	for _, t := range w.truth {
		if c := &w.cards[t.card]; !w.lies(t.card) && !c.dead && !c.never {
			return t.card
		}
	}
	return -1
}

func (w *World) worldFault(f Fault) {
	switch f {
	case fCrash:
		w.crashed = true
	case fBatchClosed:
		w.host.terminals[w.index].next()
	case fNetworkDown:
		w.up = false
		w.feed(topup.LinkChanged{})
	case fHostRestart:
		w.hostRestarts()
	case fRestored:
		w.restoreJournal()
	case fLogShort:
		w.cards[w.place[0].card].short = true
	case fHostClock:
		w.host.clock = (w.host.clock + 1) % len(stamps)
	case fKioskClock:
		w.ill[illClock] = true
	case fPayDown:
		w.ill[illPay] = true
	case fAuthDown:
		w.ill[illAuthority] = true
	case fAuthCut:
		w.ill[illAuthority] = true
		w.feed(topup.LinkChanged{Pay: true})
	case fDiskLow, fDiskFull:
		w.ill[illSpace], w.full = true, f == fDiskFull
		w.feed(topup.DeviceChanged{Name: "journal", Why: "disk-low"})
	default:
		w.elsewhere(w.away(), f)
	}
}
