package e2e

import (
	"testing"

	"buka/cardio/virtual"
)

// TestAlarm: a rule strikes at a foreign card; an operator sees it, acknowledges it
// and is calm again; who has seen it stands there after the host has died, too. The
// payment went on all the while.
func TestAlarm(t *testing.T) {
	t.Parallel()
	w := begin(t, "zh", []card{{"ruby", "3105170010170908024", 2850}}, []bank{rich})
	w.speak()
	abroad := bank{name: "abroad", pan: "6225880000000043", pin: "246810", funds: 100000}
	if err := w.lab.AddBank(t.Context(), abroad.name, abroad.pin, abroad.funds, virtual.BankOptions{PAN: abroad.pan, Country: 0x0840}, false); err != nil {
		t.Fatal(err)
	}
	operator := w.signIn("operator")
	operator.reads("#fleet-sum", w.words.T("fleet.calm"))
	w.paid("ruby", 1000, abroad)
	w.tap("ruby")
	w.screen("done")
	operator.reads("#alarms-new", w.words.T("fleet.alarms-new", "n", 1))
	operator.reads("#fleet-alarms", w.words.T("fleet.alarm.risk", "detail", "cross-border-seen"))
	operator.reads("#fleet-alarms", "10.00")
	operator.reads("#kiosk-K0001", w.words.T("fleet.alarms-new", "n", 1))
	operator.shoot("alarm", laptop)
	operator.press(`#fleet-alarms button[data-do="acknowledge"]`)
	operator.reads("#fleet-seen", w.words.T("fleet.seen-by", "who", "operator"))
	operator.reads("#fleet-sum", w.words.T("fleet.calm"))
	operator.until("no new alarm", `!document.querySelector("#alarms-new") && !document.querySelector("#fleet-alarms button")`)
	operator.shoot("alarm-seen", laptop)
	w.killHost()
	operator.reads("#kiosk-K0001", w.words.T("fleet.down"))
	w.startHost()
	operator.reads("#kiosk-K0001", w.words.T("fleet.up"))
	operator.reads("#fleet-seen", w.words.T("fleet.seen-by", "who", "operator"))
	operator.reads("#fleet-sum", w.words.T("fleet.calm"))
	w.balance("ruby", 3850)
	w.charged(abroad.name, 1000)
	w.settled()
}
