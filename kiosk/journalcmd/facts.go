package journalcmd

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"buka/internal/entry"
)

// facts says in a few words what an entry says.
func facts(body entry.Body) string {
	if s, ok := kioskFacts(body); ok {
		return s
	}
	if s, ok := writeFacts(body); ok {
		return s
	}
	switch b := body.(type) {
	case entry.SaleOpened:
		return fmt.Sprintf("%s at %s, %s", card(b.Card), quoted(b.Place), observed(b.Observed))
	case entry.AmountChosen:
		return b.Amount.String()
	case entry.PaymentStarted:
		return fmt.Sprintf("%s %s, %s, STAN %06d in batch %06d", b.Tender, b.PAN, b.Amount, b.STAN, b.Batch)
	case entry.PaymentDeclined:
		return "code " + b.Code
	case entry.PaymentUnknown:
		return b.Why
	case entry.PaymentApproved:
		return fmt.Sprintf("%s, RRN %s, code %s", b.Amount, b.RRN, b.Code)
	case entry.OfferWithdrawn:
		return b.Why
	case entry.FenceMoved:
		return fmt.Sprintf("from slot %d to %d", b.From, b.To)
	case entry.HandedOver:
		return "to " + b.To
	case entry.ReversalAcknowledged:
		if b.ExpectAbsent {
			return "code " + b.Code + ", expected absent from the settlement"
		}
		return "code " + b.Code
	case entry.ReversalConflict:
		return "code " + b.Code + ": a case for people"
	case entry.ReversalPendingLong:
		return "still sent; people know, and payments no longer wait"
	case entry.RiskStruck:
		return fmt.Sprintf("rule %s: %s", b.Rule, b.Outcome)
	case entry.ConfirmationAcknowledged:
		return "code " + b.Code
	case entry.VoidAcknowledged:
		return "code " + b.Code
	case entry.RefundAcknowledged:
		return "code " + b.Code
	case entry.Decided:
		return fmt.Sprintf("%s, by %s", b.Decision, strings.Join(b.People, " and "))
	case entry.SaleClosed:
		return b.Why
	case nil:
		return "(a kind that this version does not know)"
	}
	return other(body)
}

// other shows what has no words of its own here.
func other(body entry.Body) string {
	const most = 160
	b, err := json.Marshal(body)
	if err != nil {
		return err.Error()
	}
	if len(b) > most {
		return string(b[:most]) + " …"
	}
	return string(b)
}

// writeFacts is about the load and its write.
func writeFacts(body entry.Body) (string, bool) {
	switch b := body.(type) {
	case entry.LoadRequested:
		a := b.Attempt
		return fmt.Sprintf("%s, slot %d, %s + %s, STAN %06d", card(a.Card), a.Slot, a.OldBalance, a.Amount, a.STAN), true
	case entry.LoadAuthorised:
		return "at " + string(b.At), true
	case entry.LoadRefused:
		when := "before payment"
		if b.Paid {
			when = "after payment"
		}
		return fmt.Sprintf("code %s, %s", b.Code, when), true
	case entry.LoadUnknown:
		return b.Why, true
	case entry.WriteStarted:
		return fmt.Sprintf("confirmation STAN %06d, void STAN %06d", b.ConfirmSTAN, b.VoidSTAN), true
	case entry.WriteDone:
		return fmt.Sprintf("status %04X, TAC %s", b.SW, orNone(b.TAC)), true
	case entry.WriteRefused:
		return fmt.Sprintf("status %04X, %s", b.SW, b.Why), true
	case entry.WriteUnknown:
		return fmt.Sprintf("status %04X, %s", b.SW, b.Why), true
	case entry.EvidenceHeld:
		return proof(b.Proof), true
	case entry.EvidenceRejected:
		return proof(b.Proof), true
	case entry.WriteProven:
		return fmt.Sprintf("by %s, TAC %s", b.By, orNone(b.TAC)), true
	case entry.WriteDisproven:
		return fmt.Sprintf("the counter is still %d", b.Counter.Value), true
	}
	return "", false
}

// kioskFacts is about the kiosk itself.
func kioskFacts(body entry.Body) (string, bool) {
	switch b := body.(type) {
	case entry.EpochBegun:
		return fmt.Sprintf("epoch %s, kiosk %s", b.Epoch, b.Kiosk), true
	case entry.Restored:
		from := "with nothing: no backup could be used"
		if b.LastSeq > 0 {
			from = fmt.Sprintf("from %s up to entry %d", b.Backup, b.LastSeq)
		}
		return fmt.Sprintf("%s, because %s; epoch %s", from, b.Why, b.Epoch), true
	case entry.Started:
		return "version " + b.Version, true
	case entry.SignedOn:
		return fmt.Sprintf("batch %06d, the host's clock is %s off", b.Batch, time.Duration(b.OffsetMS)*time.Millisecond), true
	case entry.STANsReserved:
		return fmt.Sprintf("up to %06d", b.Until), true
	case entry.CardObserved:
		return fmt.Sprintf("%s, %s", card(b.Card), observed(b.Observed)), true
	case entry.StaffActed:
		return fmt.Sprintf("%s: %s", b.Who, b.Did), true
	case entry.Checkpoint:
		return fmt.Sprintf("state of %d bytes", len(b.State)), true
	}
	return batchFacts(body)
}

// batchFacts is about batches, and answers that nobody waited for any more.
func batchFacts(body entry.Body) (string, bool) {
	switch b := body.(type) {
	case entry.BatchClosing:
		return fmt.Sprintf("batch %06d, by %s", b.Batch, b.Who), true
	case entry.SettlementStarted:
		t := b.Totals
		return fmt.Sprintf("batch %06d, STAN %06d, %d payments %s, %d refunds %s", b.Batch, b.STAN, t.Debits, t.Debit, t.Credits, t.Credit), true
	case entry.BatchSettled:
		switch {
		case !b.Uploaded:
			return fmt.Sprintf("batch %06d, balanced", b.Batch), true
		case len(b.Differs) == 0:
			return fmt.Sprintf("batch %06d, uploaded, no differences", b.Batch), true
		}
		return fmt.Sprintf("batch %06d, uploaded, %d differences: cases for people", b.Batch, len(b.Differs)), true
	case entry.AnswerLate:
		return fmt.Sprintf("STAN %06d in batch %06d, code %s, %s, RRN %s: nothing follows from it", b.STAN, b.Batch, b.Code, b.Amount, b.RRN), true
	}
	return "", false
}

func card(c entry.Card) string { return c.Family + " " + c.Number }

func observed(o entry.Observation) string {
	return fmt.Sprintf("balance %s, %d loads in its log, %d proofs", o.Balance, len(o.Log), len(o.Proofs))
}

func proof(p entry.Proof) string { return fmt.Sprintf("TAC %s for number %d", orNone(p.TAC), p.Asked) }

func orNone(h entry.Hex) string {
	if len(h) == 0 {
		return "none"
	}
	return h.String()
}

func quoted(s string) string {
	if s == "" {
		return "no place"
	}
	return s
}
