package fleetside

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"buka/internal/entry"
	"buka/sync/fleetlink/fleetmsg"
)

func TestFoldFollowsTheRestartTable(t *testing.T) {
	of := entry.Of{Sale: saleID(1)}
	paid := paidSale(1)
	for _, c := range []struct {
		name  string
		more  []entry.Body
		from  int // how many entries of a paid sale come before
		stage Stage
		open  bool
		owed  int
	}{
		{"opened", nil, 1, StageChoosing, false, 0},
		{"amount", nil, 2, StageChoosing, false, 0},
		{"not eligible", []entry.Body{entry.LoadRefused{Of: of, Code: "57"}}, 2, StageChoosing, false, 0},
		{"paying", nil, 3, StagePaying, false, 0},
		{"declined", []entry.Body{entry.PaymentDeclined{Of: of, Code: "51"}}, 3, StageDeclined, false, 0},
		{"payment unknown", []entry.Body{entry.PaymentUnknown{Of: of}}, 3, StagePayment, false, 1},
		{"reversed", []entry.Body{entry.PaymentUnknown{Of: of}, entry.ReversalAcknowledged{Of: of}}, 3, StageReversed, false, 0},
		{"approved", nil, 4, StageOffered, true, 0},
		{"load unknown", []entry.Body{entry.LoadUnknown{Of: of, VoidSTAN: 9}}, 5, StageOffered, true, 1},
		{"load refused", []entry.Body{entry.LoadRefused{Of: of, Paid: true}}, 5, StageOffered, true, 0},
		{"writing", nil, 7, StageWriting, true, 0},
		{"unknown", []entry.Body{entry.WriteUnknown{Of: of}}, 7, StageUnknown, true, 0},
		{"held", []entry.Body{entry.WriteUnknown{Of: of}, entry.EvidenceHeld{Of: of}}, 7, StageHeld, true, 0},
		{"rejected", []entry.Body{entry.WriteUnknown{Of: of}, entry.EvidenceHeld{Of: of}, entry.EvidenceRejected{Of: of}}, 7, StageUnknown, true, 0},
		{"proven", []entry.Body{entry.WriteUnknown{Of: of}, entry.WriteProven{Of: of}}, 7, StageWritten, false, 1},
		{"disproven", []entry.Body{entry.WriteUnknown{Of: of}, entry.WriteDisproven{Of: of}}, 7, StageOffered, true, 1},
		{"voided", []entry.Body{entry.WriteRefused{Of: of}, entry.VoidAcknowledged{Of: of}}, 7, StageOffered, true, 0},
		{"done", []entry.Body{entry.WriteDone{Of: of}}, 7, StageWritten, false, 1},
		{"confirmed", []entry.Body{entry.WriteDone{Of: of}, entry.ConfirmationAcknowledged{Of: of}}, 7, StageWritten, false, 0},
		{"withdrawn", []entry.Body{entry.OfferWithdrawn{Of: of}}, 4, StageWithdrawn, false, 1},
		{"handed over", []entry.Body{entry.HandedOver{Of: of}}, 4, StageHanded, true, 0},
		{"conflict", []entry.Body{entry.OfferWithdrawn{Of: of}, entry.ReversalConflict{Of: of}}, 4, StageConflict, true, 0},
		{"refunded", []entry.Body{entry.OfferWithdrawn{Of: of}, entry.ReversalConflict{Of: of}, entry.RefundAcknowledged{Of: of}}, 4, StageRefunded, false, 0},
		{"decided", []entry.Body{entry.WriteUnknown{Of: of}, entry.Decided{Of: of}}, 7, StageDecided, false, 0},
	} {
		var f saleFold
		for i, body := range append(paid[:c.from:c.from], c.more...) {
			f = f.step(int64(i), body)
		}
		if f.Stage != c.stage || f.open() != c.open || f.owed() != c.owed {
			t.Errorf("%s: %q, open %v, owes %d", c.name, f.Stage, f.open(), f.owed())
		}
	}
}

func TestOpenRewritesAreListedWithoutTheCardsNumber(t *testing.T) {
	s := startSide(t, nil)
	nc, j := login(t, s, "K1"), filled(t, "K1", 31)
	j.append(t, paidSale(50)...)
	j.append(t, entry.WriteUnknown{Of: entry.Of{Sale: saleID(50)}})
	j.append(t, paidSale(51)[:4]...)
	wantReply(t, send(t, nc, j.batch("K1", epochA, 1, 43)), fleetmsg.CodeOK, 43)
	k := one(t, s, "K1")
	if len(k.Open) != 2 || k.Total() != 10000 {
		t.Fatalf("%+v", k.Open)
	}
	if r := k.Open[0]; r.Stage != StageUnknown || r.Claim != saleID(50).Claim() || r.Card != "310517*********7984" || r.Amount != 5000 || r.Since.IsZero() {
		t.Fatalf("%+v", r)
	}
	d, err := s.KioskDetail(context.Background(), "K1")
	if err != nil || len(d.Lines) != 43 || d.Lines[0].Kind != entry.KPaymentApproved || len(d.Sales) != 5 || len(d.Holes) != 0 {
		t.Fatalf("%v %+v", err, d)
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "3105170010170907984") {
		t.Fatal("a card number in the page's data")
	}
	if _, err := s.KioskDetail(context.Background(), "K9"); !errors.Is(err, ErrNoKiosk) {
		t.Fatal(err)
	}
	if d, err := s.KioskDetail(context.Background(), "K2"); err != nil || d.Committed != 0 {
		t.Fatalf("a kiosk that was never heard: %v %+v", err, d)
	}
}

func TestRefoldGivesTheSame(t *testing.T) {
	s := startSide(t, nil)
	nc, j := login(t, s, "K1"), filled(t, "K1", 700)
	j.append(t, paidSale(5000)...)
	wantReply(t, send(t, nc, j.batch("K1", epochA, 1, 333)), fleetmsg.CodeOK, 333)
	wantReply(t, send(t, nc, j.batch("K1", epochA, 334, 707)), fleetmsg.CodeOK, 707)
	sales := func() []string {
		list, err := column[string](context.Background(), s.db, `SELECT sale || open || owed || ' ' || last_seq || hex(fold) FROM fleet_sale ORDER BY sale`)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	before := sales()
	if _, err := s.db.Exec(`UPDATE fleet_epoch SET fold_version = 0; UPDATE fleet_sale SET open = 1, fold = x'00'; DELETE FROM fleet_sale WHERE last_seq > 500`); err != nil {
		t.Fatal(err)
	}
	if err := s.refoldOld(context.Background()); err != nil {
		t.Fatal(err)
	}
	if after := sales(); strings.Join(before, "\n") != strings.Join(after, "\n") || len(before) != 71 {
		t.Fatalf("%d sales became %d", len(before), len(after))
	}
}

func TestUnknownKindsAreKept(t *testing.T) {
	s := startSide(t, nil)
	nc := login(t, s, "K1")
	j := filled(t, "K1", 3)
	j.append(t, newerBody{Of: entry.Of{Sale: saleID(0)}}, entry.Started{Version: "v"})
	wantReply(t, send(t, nc, j.batch("K1", epochA, 1, 5)), fleetmsg.CodeOK, 5)
	if n, err := s.Verify(context.Background(), "K1"); err != nil || n != 5 {
		t.Fatal(n, err)
	}
}

type newerBody struct{ entry.Of }

func (newerBody) Kind() entry.Kind { return "of-a-later-version" }

func TestHolesAndDamageAreFound(t *testing.T) {
	s := startSide(t, nil)
	nc, j := login(t, s, "K1"), filled(t, "K1", 50)
	wantReply(t, send(t, nc, j.batch("K1", epochA, 1, 50)), fleetmsg.CodeOK, 50)
	ctx := context.Background()
	if holes, err := s.Holes(ctx, "K1"); err != nil || len(holes) != 0 {
		t.Fatal(holes, err)
	}
	if _, err := s.db.Exec(`UPDATE fleet_entry SET stored = x'' WHERE seq = 20`); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Verify(ctx, "K1"); !errors.Is(err, ErrDamaged) || n != 19 {
		t.Fatal(n, err)
	}
	if _, err := s.db.Exec(`DELETE FROM fleet_entry WHERE seq IN (1, 20, 21, 22, 50)`); err != nil {
		t.Fatal(err)
	}
	holes, err := s.Holes(ctx, "K1")
	want := []Hole{{epochA.String(), 1, 1}, {epochA.String(), 20, 22}, {epochA.String(), 50, 50}}
	if err != nil || len(holes) != 3 || holes[0] != want[0] || holes[1] != want[1] || holes[2] != want[2] {
		t.Fatal(holes, err)
	}
}

// TestVerifyWhileAJournalGrows: what comes after one began to look is no damage; what
// was committed and is not here, or is here and was not, is.
func TestVerifyWhileAJournalGrows(t *testing.T) {
	s := startSide(t, nil)
	nc, j := login(t, s, "K1"), filled(t, "K1", 700)
	wantReply(t, send(t, nc, j.batch("K1", epochA, 1, 4)), fleetmsg.CodeOK, 4)
	before, err := s.epochs(t.Context(), "K1")
	if err != nil || len(before) != 1 {
		t.Fatal(before, err)
	}
	shipped := make(chan struct{})
	go func() {
		defer close(shipped)
		for first := 5; first <= 700; first += 3 {
			send(t, nc, j.batch("K1", epochA, first, min(first+2, 700)))
		}
	}()
	defer func() { <-shipped }()
	for done := false; !done; {
		select {
		case <-shipped:
			done = true
		default:
		}
		if n, err := s.Verify(t.Context(), "K1"); err != nil {
			t.Fatalf("after %d: %v", n, err)
		}
	}
	if n, err := s.verifyEpoch(t.Context(), before[0]); err != nil || n != 700 {
		t.Fatal(n, err)
	}
	for head, here := range map[int]uint64{699: 700, 701: 700} {
		if _, err := s.db.Exec(`UPDATE fleet_epoch SET seq = ?`, head); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Verify(t.Context(), "K1"); !errors.Is(err, ErrDamaged) || n != here {
			t.Fatalf("%d committed: %d, %v", head, n, err)
		}
	}
}
