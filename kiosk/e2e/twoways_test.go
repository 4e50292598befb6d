package e2e

// twoWays: the demo's card with debit and credit lies in the slot, and the page
// asks how to pay. Who stops has paid nothing; who presses has paid by that one.
func twoWays(w *world) {
	both := bank{"both", "6225880000000043", "123456", 100000}
	old, debits := w.now("ruby", both)
	ask := func() {
		w.offer("ruby")
		w.choose(2000)
		w.screen("payment")
		w.pay(both.name)
		w.title("screen.payment.choose")
		w.passenger.reads("#application-0", "UnionPay Debit")
		w.passenger.reads("#application-1", "UnionPay Credit")
		if w.words.Code == "zh" {
			w.passenger.reads("#application-1", w.words.T("application.unionpay-credit"))
		}
		w.passenger.reads("#amount", "20.00")
	}
	ask()
	w.shoot("two-ways")
	w.passenger.press("#stop")
	w.screen("declined")
	w.reason("stopped")
	w.home()
	w.charged(both.name, debits)
	ask()
	w.passenger.press("#application-1")
	w.screen("pin")
	w.passenger.reads("#bank-card", "622588******0050")
	w.keys(both.pin)
	w.screen("hold")
	w.tap("ruby")
	w.screen("done")
	w.balance("ruby", old+2000)
	w.charged(both.name, debits)
	w.charged("both-2", 2000)
	w.settled()
}
