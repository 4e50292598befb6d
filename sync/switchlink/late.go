package switchlink

import (
	"slices"

	"buka/internal/money"
)

// Late is the answer to a payment whose caller has gone: the timer had fired, or
// the connection had been another one. The outcome was settled without it; it is
// for the record, and to learn what the host knows.
type Late struct {
	Kind        Kind
	STAN, Batch uint32
	Code        string
	Amount      money.Fen // that the host approved; 0 if it did not
	RRN, Auth   string
}

// answered remembers the payments that were answered last, so that a duplicate of
// an answer is not taken for a late one.
type answered struct {
	list []answeredKey
}

type answeredKey struct {
	key   key
	batch string
}

// keptAnswered bounds the memory; a kiosk has one payment at a time.
const keptAnswered = 64

func (a *answered) add(k answeredKey) {
	if len(a.list) == keptAnswered {
		a.list = a.list[1:]
	}
	a.list = append(a.list, k)
}

func (a *answered) has(k answeredKey) bool { return slices.Contains(a.list, k) }

// late says what comes of an answer that nobody waits for: it is logged, and that
// to a payment of this terminal is told, if its MAC is good.
func (o *owner) late(m *Message, why string, good bool) {
	o.log.Warn("switch link: "+why, "message", m)
	spec := o.cfg.Spec
	k, ok := keyOf(m)
	if o.cfg.OnLate == nil || !ok || !good || m.MTI != spec.AnswerMTI(KindPay) || m.Text(3) != spec.shapes[KindPay].code ||
		m.Text(41) != o.cfg.TerminalID || m.Text(42) != o.cfg.MerchantID {
		return
	}
	batch := spec.getPart(m, partBatch)
	if o.answered.has(answeredKey{k, batch}) {
		return
	}
	l := Late{Kind: KindPay, Code: m.Text(39), RRN: m.Text(37), Auth: m.Text(38)}
	var ok1, ok2 bool
	l.STAN, ok1 = number(m.Text(11), 6)
	l.Batch, ok2 = number(batch, 6)
	if !ok1 || !ok2 || len(l.Code) != 2 {
		return
	}
	if Approved(l.Code) || l.Code == CodePartial {
		var err error
		if l.Amount, err = parseAmount(m.Text(4)); err != nil {
			return
		}
	}
	o.answered.add(answeredKey{k, batch})
	o.cfg.OnLate(l)
}
