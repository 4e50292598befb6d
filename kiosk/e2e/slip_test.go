package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestSlips: the passenger is told to take the slip; the bench shows it as a
// picture; without paper the passenger has it as a code, the operator knows of
// the paper, and the cashier prints it again when there is some.
func TestSlips(t *testing.T) {
	t.Parallel()
	w := begin(t, "zh", []card{{"ruby", "3105170010170908024", 2850}}, []bank{rich})
	w.speak()
	w.paid("ruby", 5000, rich)
	w.tap("ruby")
	w.screen("done")
	w.passenger.reads("#slip", w.words.T("slip.printed"))
	w.shoot("slip-printed")
	picture := func(n int) string {
		return fmt.Sprintf(`(() => { const i = document.querySelector("#slip-%d img"); return Boolean(i && i.complete && i.naturalWidth > 200 && i.naturalHeight > 300) })()`, n)
	}
	w.bench.until("a picture of the slip", picture(1))
	ask[bool](w.bench, `(() => { document.querySelector("#bench-printer").scrollIntoView(); return true })()`)
	w.bench.shoot("slip", upright)
	alt := ask[string](w.bench, `document.querySelector("#slip-1 img").alt`)
	for _, want := range []string{"充值成功", "TOPPED UP", "622588******0027", "**** 8024", "￥78.50", "￥28.50"} {
		if !strings.Contains(alt, want) {
			t.Errorf("the slip does not say %q:\n%s", want, alt)
		}
	}

	w.bench.press("#printer-out")
	w.paid("ruby", 1000, rich)
	w.tap("ruby")
	w.screen("done")
	w.passenger.reads("#slip", w.words.T("slip.none"))
	w.passenger.until("the slip as a code", `(() => { const i = document.querySelector("#slip img"); return Boolean(i && i.complete && i.naturalWidth > 200) })()`)
	w.shoot("slip-code")

	operator := w.signIn("operator")
	operator.press("#kiosk-K0001 a")
	operator.reads("body", w.words.T("device.printer-paper-out"))
	cashier := w.signIn("cashier")
	cashier.reads("#slip-state", w.words.T("slip.desk-none"))
	cashier.until("no button without paper", `document.querySelector("#reprint").disabled`)
	w.bench.press("#printer-low")
	cashier.until("the button", `!document.querySelector("#reprint").disabled`)
	cashier.press("#reprint")
	cashier.reads("#slip-again", w.words.T("slip.desk-printed"))
	cashier.shoot("slip", laptop)
	w.bench.until("a picture of the second slip", picture(2))
	if alt := ask[string](w.bench, `document.querySelector("#slip-2 img").alt`); !strings.Contains(alt, "重印 REPRINT") || !strings.Contains(alt, "￥88.50") {
		t.Errorf("the second slip:\n%s", alt)
	}
	operator.reads("body", w.words.T("device.printer-paper-low"))
	w.balance("ruby", 8850)
	w.settled()
}
