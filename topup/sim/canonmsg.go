package sim

import (
	"buka/internal/entry"
	"buka/topup"
)

// command writes a command that waits for its owner.
func (c *canon) command(cmd topup.Command) {
	switch q := cmd.(type) {
	case topup.ReadCard:
		c.text("read")
		c.session(q.Session, at(q.Place))
	case topup.ProbeCard:
		c.text("probe")
		c.session(q.Session, at(q.Place))
		c.id(q.Sale)
		c.of(q.Card)
		c.int(int(q.Amount))
	case topup.Load:
		c.text("load")
		c.session(q.Session, at(q.Place))
		c.id(q.Sale)
		c.of(q.Card)
		c.slot(c.index(q.Card), q.Slot)
		c.int(int(q.Amount))
	case topup.Write:
		c.text("write")
		c.session(q.Session, at(q.Place))
		c.id(q.Sale)
		c.random(q.Random)
	case topup.Prove:
		c.text("prove")
		c.session(q.Session, at(q.Place))
		c.id(q.Sale)
		c.of(q.Card)
		c.int(len(q.Numbers))
		for _, n := range q.Numbers {
			c.slot(c.index(q.Card), n)
		}
	case topup.ProbeSlot:
		c.text("slot")
		c.session(q.Session, at(q.Place))
		c.id(q.Sale)
		c.attempt(q.Attempt)
	case topup.ReleaseCard:
		c.text("release")
	case topup.TakeTender:
		c.text("tender")
		c.id(q.Sale)
	case topup.RetryPIN:
		c.text("pin")
		c.id(q.Sale)
	case topup.Pay:
		c.text("pay")
		c.id(q.Sale)
		c.stan(q.STAN)
		c.int(int(q.Amount))
		c.in(q.Batch)
	case topup.Settle:
		c.text("settle")
		c.in(q.Batch)
	case topup.Upload:
		c.text("upload")
		c.in(q.Batch)
	case topup.Send:
		c.send(q)
	case topup.VerifyTAC:
		c.text("tac")
		c.id(q.Sale)
		c.attempt(q.Attempt)
		c.tac(q.Proof)
	default:
		c.other(cmd)
	}
}

// send: of the sale that goes with a message, what the host looks at.
func (c *canon) send(q topup.Send) {
	c.text(string(q.Duty.Kind))
	c.id(q.Duty.Sale)
	c.stan(q.Duty.STAN)
	switch q.Duty.Kind {
	case topup.Reversal:
		c.in(q.Sale.PayBatch)
		c.bool(q.Sale.Pay == topup.PayWithdrawn)
	case topup.Void:
		for _, v := range q.Sale.OweVoids {
			if v.STAN == q.Duty.STAN {
				c.void(q.Duty.Sale, v.Attempt)
			}
		}
	}
}

// event writes an answer that is late.
func (c *canon) event(ev topup.Event) {
	switch e := ev.(type) {
	case topup.Paid:
		c.text("paid")
		c.id(e.Sale)
		c.stan(e.STAN)
		c.int(int(e.Outcome), int(e.Amount))
		c.text(e.Code)
		c.bool(e.Refused)
	case topup.Settled:
		c.text("settled " + e.Code)
		c.in(e.Batch)
		c.bool(e.Answered, e.Balanced)
	case topup.Uploaded:
		c.text("uploaded " + e.Code)
		c.in(e.Batch)
		c.bool(e.Answered)
		for _, d := range e.Differs {
			c.id(d.Sale)
			c.stan(d.STAN)
			c.int(int(d.Kiosk), int(d.Host))
		}
	case topup.Sent:
		c.text("sent " + string(e.Duty.Kind) + e.Code)
		c.id(e.Duty.Sale)
		_, open := c.w.disk.Sales[e.Duty.Sale]
		c.bool(e.Answered, open)
		c.stan(e.Duty.STAN)
	case topup.LoadAnswered:
		c.text("load " + e.Code)
		c.int(at(e.Place))
		c.session(e.Session, at(e.Place))
		c.id(e.Sale)
		c.attempt(e.Attempt)
		c.int(int(e.Outcome))
	case topup.SlotMoved:
		c.text("moved")
		c.int(at(e.Place))
		c.session(e.Session, at(e.Place))
		c.id(e.Sale)
		c.slot(c.cardOf(e.Sale), e.Got)
	case topup.CounterJudged:
		c.text("counter")
		c.int(at(e.Place))
		c.session(e.Session, at(e.Place))
		c.id(e.Sale)
		c.slot(c.cardOf(e.Sale), e.Counter.Value)
		c.int(int(e.Counter.MAC1), int(e.Counter.Ledger))
		c.bool(e.Counter.Fresh)
	case topup.TACJudged:
		c.text("judged")
		c.id(e.Sale)
		c.tac(e.Proof)
		c.int(int(e.Opinion))
	default:
		c.other(ev)
	}
}

// cardOf gives the card of an open sale, or -1.
func (c *canon) cardOf(id entry.SaleID) int {
	if s, ok := c.w.disk.Sales[id]; ok {
		return c.index(s.Card)
	}
	return -1
}
