package sim

import (
	"slices"

	"buka/topup"
)

// What can be wrong with a kiosk for a while.
const (
	illPay       = iota // the payment host is out of reach
	illAuthority        // so is the load authority
	illSpace            // of the disk
	illClock            // the date is wrong
	illCount
)

var illNames = [illCount]string{"the payment host", "the authority", "the disk", "the clock"}

// heal ends one of them.
func (w *World) heal(i int) {
	w.ill[i] = false
	if l := w.loop.State.Live; i == illAuthority && w.up && l.PayUp && !l.HostUp { // the kiosk knew
		w.feed(topup.LinkChanged{Up: true})
	}
	if i != illSpace {
		return
	}
	w.full = false
	if w.down {
		w.down = false
		w.restart()
		return
	}
	w.feed(topup.DeviceChanged{Name: "journal", OK: true})
}

// hostRestarts: what the host has committed stays, what was on its way is lost.
func (w *World) hostRestarts() {
	now := w.index
	for i := range w.host.terminals {
		w.turn(i)
		w.net = nil
		w.late = slices.DeleteFunc(w.late, func(e topup.Event) bool {
			switch e.(type) {
			case topup.Paid, topup.Sent, topup.TACJudged: // nobody waits for it any more
				return true
			}
			return false // a worker always says how its command ended
		})
		if w.up {
			w.up = false
			w.feed(topup.LinkChanged{})
			w.settle()
		}
	}
	w.turn(now)
}

func (w *World) payUp() bool       { return w.up && !w.ill[illPay] }
func (w *World) authorityUp() bool { return w.up && !w.ill[illAuthority] }

// unreachable is the answer of a switch that cannot reach who is asked.
const unreachable = "91"
