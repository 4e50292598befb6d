package station

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/kiosk/risk"
	"buka/store"
	"buka/sync/switchlink"
	"buka/topup"
)

// book is a journal that a test writes, by the law.
type book struct {
	t    *testing.T
	at   time.Time
	j    *journal
	d    topup.Durable
	stan uint32
	n    int
	late []entry.Body // applied, and not in the file yet
}

func newBook(t *testing.T) *book {
	t.Helper()
	b := &book{t: t, at: time.Date(2026, 1, 15, 1, 0, 0, 0, time.UTC), d: topup.New().Durable}
	st, _, err := store.Open(store.Path(t.TempDir()), store.Options{Kiosk: "K1", Clock: func() time.Time { return b.at }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	b.j = &journal{Store: st, grown: func() {}, opened: map[entry.SaleID]time.Time{}}
	begun, err := st.Begun()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.d.Apply(begun); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *book) write(bodies ...entry.Body) {
	b.t.Helper()
	for _, body := range bodies {
		if err := b.d.Apply(body); err != nil {
			b.t.Fatal(err)
		}
	}
	if b.late = append(b.late, bodies...); len(b.late) > 500 {
		b.flush()
	}
}

func (b *book) flush() {
	b.t.Helper()
	if _, err := b.j.Store.Append(b.late...); err != nil {
		b.t.Fatal(err)
	}
	b.late = nil
}

func (b *book) checkpoint() {
	b.t.Helper()
	state, err := b.d.Encode()
	if err != nil {
		b.t.Fatal(err)
	}
	b.write(entry.Checkpoint{State: state})
	b.flush()
}

// sale writes one sale: what becomes of it goes round with its number.
func (b *book) sale(batch uint32) {
	b.t.Helper()
	b.n++
	b.stan += 2
	of := entry.Of{Sale: entry.SaleID(fmt.Sprintf("SALE%012d", b.n))}
	amount := money.Fen(1000 + b.n)
	bodies := []entry.Body{
		entry.SaleOpened{Of: of, Card: entry.Card{Family: "tunion", Number: "3105170010170907984"}, Place: "front"},
		entry.AmountChosen{Of: of, Amount: amount},
		entry.PaymentStarted{Of: of, Tender: "bank-card", Amount: amount, STAN: b.stan, Batch: batch, PAN: "622588******0001", Slot: 2},
	}
	switch b.n % 4 {
	case 0: // declined
		bodies = append(bodies, entry.PaymentDeclined{Of: of, Code: "51"}, entry.SaleClosed{Of: of, Why: "declined"})
	case 1: // stands
		bodies = append(bodies, entry.PaymentApproved{Of: of, Amount: amount, RRN: "1", Code: "00"},
			entry.HandedOver{Of: of, To: "host"}, entry.SaleClosed{Of: of, Why: "handed-over"})
	case 2: // goes back
		bodies = append(bodies, entry.PaymentApproved{Of: of, Amount: amount, RRN: "1", Code: "00"},
			entry.OfferWithdrawn{Of: of, Why: "stopped"}, entry.ReversalAcknowledged{Of: of, Code: "00"}, entry.SaleClosed{Of: of, Why: "money back"})
	case 3: // is refunded
		bodies = append(bodies, entry.PaymentApproved{Of: of, Amount: amount, RRN: "1", Code: "00"},
			entry.RefundRequested{Of: of, STAN: b.stan + 1, Batch: batch, Who: "mei"}, entry.RefundAcknowledged{Of: of, Code: "00"}, entry.SaleClosed{Of: of, Why: "money back"})
	}
	b.write(bodies...)
}

// TestAnUploadIsWhatTheTotalsCount: the items of a batch come out of the journal
// by the same count as its totals, wherever the batch began.
func TestAnUploadIsWhatTheTotalsCount(t *testing.T) {
	for _, before := range []int{0, 200, 900} {
		b := newBook(t)
		b.write(entry.SignedOn{Batch: 7})
		for i := range before {
			if b.sale(7); i%60 == 0 {
				b.checkpoint()
			}
		}
		if before > 0 {
			b.write(entry.BatchClosing{Batch: 7, Who: "mei"}, entry.SettlementStarted{Batch: 7, STAN: 999_998, Totals: b.d.Batches[7].Totals},
				entry.BatchSettled{Batch: 7, Code: "00"})
		}
		b.write(entry.SignedOn{Batch: 8})
		for i := range 800 {
			if b.sale(8); i%60 == 0 {
				b.checkpoint()
			}
		}
		totals := b.d.Batches[8].Totals
		b.write(entry.BatchClosing{Batch: 8, Who: "mei"}, entry.SettlementStarted{Batch: 8, STAN: 999_999, Totals: totals})
		b.checkpoint()
		items, err := b.j.batchItems(8)
		if err != nil {
			t.Fatal(err)
		}
		var got entry.Totals
		stans := map[uint32]bool{}
		for _, it := range items {
			if stans[it.stan] {
				t.Fatalf("STAN %d twice", it.stan)
			}
			stans[it.stan] = true
			if it.credit {
				got.Credit, got.Credits = got.Credit+it.amount, got.Credits+1
			} else {
				got.Debit, got.Debits = got.Debit+it.amount, got.Debits+1
			}
		}
		if got != totals || totals.Debits != 400 || totals.Credits != 200 {
			t.Errorf("%d sales before: %+v, and the totals are %+v", before, got, totals)
		}
	}
}

// TestAnUploadIsWhatATallyCounts: the other way to a batch's items, over the whole
// journal, comes to the same ones, also for refunds of what an earlier batch paid.
func TestAnUploadIsWhatATallyCounts(t *testing.T) {
	b := newBook(t)
	b.write(entry.SignedOn{Batch: 7})
	var old []entry.Of
	for i := range money.Fen(5) { // paid in batch 7, refunded in batch 8
		b.stan += 2
		of := entry.Of{Sale: entry.SaleID(fmt.Sprintf("OLD%013d", i))}
		old = append(old, of)
		b.write(entry.SaleOpened{Of: of, Card: entry.Card{Family: "tunion", Number: "3105170010170907984"}, Place: "front"},
			entry.AmountChosen{Of: of, Amount: 10_00 + i},
			entry.PaymentStarted{Of: of, Tender: "bank-card", Amount: 10_00 + i, STAN: b.stan, Batch: 7, PAN: "622588******0001", Slot: 2},
			entry.PaymentApproved{Of: of, Amount: 10_00 + i, RRN: "1", Code: "00"})
	}
	for i := range 3000 { // far enough back that the fold begins at a checkpoint
		if b.sale(7); i%60 == 0 {
			b.checkpoint()
		}
	}
	b.write(entry.BatchClosing{Batch: 7, Who: "mei"}, entry.SettlementStarted{Batch: 7, STAN: 999_998, Totals: b.d.Batches[7].Totals},
		entry.BatchSettled{Batch: 7, Code: "00"}, entry.SignedOn{Batch: 8})
	b.checkpoint()
	for i, of := range old {
		b.write(entry.RefundRequested{Of: of, STAN: 900_000 + uint32(i), Batch: 8, Who: "mei"}, entry.RefundAcknowledged{Of: of, Code: "00"}, entry.SaleClosed{Of: of, Why: "money back"})
		for range 20 {
			b.sale(8)
		}
	}
	totals := b.d.Batches[8].Totals
	b.write(entry.BatchClosing{Batch: 8, Who: "mei"}, entry.SettlementStarted{Batch: 8, STAN: 999_999, Totals: totals})
	b.flush()
	tally := topup.NewTally(8)
	if err := b.j.Each(1, func(e entry.Entry, _ []byte) error {
		body, err := e.Body()
		if err == nil {
			tally.Add(body)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var want []batchItem
	for _, it := range tally.Items() {
		want = append(want, batchItem{it.Sale, it.STAN, it.Amount, it.Credit})
	}
	slices.SortFunc(want, func(a, b batchItem) int { return int(a.stan) - int(b.stan) })
	got, err := b.j.batchItems(8)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) || totals != tally.Totals() || totals.Credits != 5+25 {
		t.Errorf("%d items, and the tally has %d; totals %+v and %+v", len(got), len(want), totals, tally.Totals())
	}
}

// deafHost takes uploads, and does not answer at some.
type deafHost struct {
	mu    sync.Mutex
	heard []switchlink.Request
	deaf  map[uint32]int // index → how often there is no answer
	no    map[uint32]string
}

func (h *deafHost) Handle(_ context.Context, r *switchlink.Request) (switchlink.Response, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Kind != switchlink.KindUpload {
		return switchlink.Response{Code: "00", At: time.Now()}, true
	}
	h.heard = append(h.heard, *r)
	if h.deaf[r.Index] > 0 {
		h.deaf[r.Index]--
		return switchlink.Response{}, false
	}
	if code := h.no[r.Index]; code != "" {
		delete(h.no, r.Index)
		return switchlink.Response{Code: code, At: time.Now()}, true
	}
	return switchlink.Response{Code: "00", At: time.Now(), Balanced: r.Last}, true
}

// clientOf gives a link to a host that answers so.
func clientOf(t *testing.T, host switchlink.Handler, change ...func(*switchlink.Config)) *switchlink.Client {
	t.Helper()
	server := switchlink.NewServer(switchlink.ServerConfig{Handler: host, Logger: slog.New(slog.DiscardHandler)})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(ln) }()
	t.Cleanup(func() { server.Close(); <-served })
	cfg := switchlink.Config{Addr: ln.Addr().String(), TerminalID: "00000001", MerchantID: "000000000000001", Timeout: time.Second}
	for _, f := range change {
		f(&cfg)
	}
	client, err := switchlink.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// TestAnUploadGoesOnWhereItBrokeOff: what was answered is not sent again, what was
// not is sent as a repeat; a refusal begins anew.
func TestAnUploadGoesOnWhereItBrokeOff(t *testing.T) {
	b := newBook(t)
	b.write(entry.SignedOn{Batch: 1})
	for range 8 { // four payments and two refunds
		b.sale(1)
	}
	b.write(entry.BatchClosing{Batch: 1, Who: "mei"}, entry.SettlementStarted{Batch: 1, STAN: 99, Totals: b.d.Batches[1].Totals})
	b.flush()
	host := &deafHost{deaf: map[uint32]int{3: 2}, no: map[uint32]string{5: "A0"}}
	client := clientOf(t, host, func(c *switchlink.Config) { c.Timeout = 3 * time.Second }) // more than an answer takes
	var last topup.Uploaded
	h := newHosts(&links{payments: client, loads: client}, func(ev topup.Event) { last = ev.(topup.Uploaded) }, time.Now, slog.New(slog.DiscardHandler))
	h.journal = b.j
	for i, want := range []topup.Uploaded{{Batch: 1, Code: "00"}, {Batch: 1}, {Batch: 1, Answered: true, Code: "A0"}, {Batch: 1, Answered: true, Code: "00"}} {
		h.upload(t.Context(), topup.Upload{STAN: 99, Batch: 1})
		if last.Answered != want.Answered || last.Code != want.Code {
			t.Errorf("upload %d: %+v, want %+v", i+1, last, want)
		}
	}
	got := ""
	for _, r := range host.heard {
		got += fmt.Sprintf("%d", r.Index)
		if r.Repeat {
			got += "r"
		}
		if r.Last {
			got += "!"
		}
	}
	if want := "1233r3r451234" + "56!"; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
}

func TestABatchOfNothingHasNoItems(t *testing.T) {
	b := newBook(t)
	b.write(entry.SignedOn{Batch: 1}, entry.BatchClosing{Batch: 1, Who: "mei"}, entry.SettlementStarted{Batch: 1, STAN: 5})
	b.flush()
	if items, err := b.j.batchItems(1); err != nil || len(items) != 0 {
		t.Error(items, err)
	}
}

// TestTheDayAfterAStart: rules see what was paid before the restart, of today and
// of this card; the time of settlement sees what is not settled.
func TestTheDayAfterAStart(t *testing.T) {
	b := newBook(t)
	b.write(entry.SignedOn{Batch: 1})
	for range 8 { // six are approved, yesterday by the host's clock
		b.sale(1)
	}
	b.flush()
	b.at = b.at.Add(20 * time.Hour)
	for range 8 {
		b.sale(1)
	}
	b.flush()
	now := b.at.Add(4 * time.Hour)
	to, _ := b.j.Tail()
	judge := func() *riskJudge {
		return &riskJudge{journal: b.j, now: func() time.Time { return now }, filled: make(chan struct{}), open: map[entry.SaleID]payer{}}
	}
	r := judge()
	live := entry.Of{Sale: "LIVE"} // is paid before the past is counted
	r.wrote(entry.SaleOpened{Of: live, Card: entry.Card{Number: "3105170010170907984"}})
	r.wrote(entry.PaymentStarted{Of: live, PAN: "622588******0001", Amount: 1})
	r.wrote(entry.PaymentApproved{Of: live})
	paid, err := r.fill(t.Context(), to, 4*time.Hour)
	if err != nil || !paid.Equal(now) {
		t.Errorf("paid last at %v, %v", paid, err)
	}
	var p risk.Payment
	r.ledger.Fill(&p, now, "622588******0001", "3105170010170907984")
	if p.Count != 7 || p.LoadCount != 7 || p.Sum != p.LoadSum || p.Sum == 0 {
		t.Errorf("%+v", p)
	}
	b.write(entry.BatchClosing{Batch: 1, Who: "mei"})
	b.flush()
	to, _ = b.j.Tail()
	if paid, err := judge().fill(t.Context(), to, 0); err != nil || !paid.IsZero() {
		t.Errorf("all is settled or closing: %v %v", paid, err)
	}
	select {
	case <-r.filled:
	default:
		t.Error("payments would wait")
	}
}

func TestRulesAreToldOnce(t *testing.T) {
	rules, err := risk.Compile([]risk.Rule{{Name: "a", When: "true", Outcome: "refuse"}, {Name: "b", When: "true", Outcome: "alarm"}})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	var log bytes.Buffer
	r := &riskJudge{rules: rules, log: slog.New(slog.NewTextHandler(&log, nil)), post: func(ev topup.Event) {
		e := ev.(topup.RiskJudged)
		told = append(told, e.Rule+" "+e.Outcome)
	}}
	v := rules.Judge(risk.Payment{})
	r.tell("S", "card", v)
	r.tell("S", "card", v)
	if got := fmt.Sprint(told); got != "[b alarm a refuse a refuse]" {
		t.Error(got)
	}
	if got := strings.Count(log.String(), "level=WARN"); got != 3 || !strings.Contains(log.String(), "rule=b outcome=alarm") {
		t.Errorf("the log says %s", log.String())
	}
}

func TestTheTimeOfSettlement(t *testing.T) {
	day := func(clock string) time.Time {
		at, err := time.Parse("2006-01-02 15:04", "2026-01-"+clock)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for name, c := range map[string]struct {
		at    time.Duration
		looks []string
		due   string
	}{
		"each day once":         {23*time.Hour + 30*time.Minute, []string{"15 23:29", "15 23:30", "15 23:31", "16 10:00", "16 23:35"}, "-+--+"},
		"no power at that time": {23*time.Hour + 30*time.Minute, []string{"15 22:00", "16 08:00", "16 09:00"}, "-+-"},
		"clock set back":        {23*time.Hour + 30*time.Minute, []string{"15 23:31", "15 23:00", "15 23:29", "15 23:30"}, "---+"},
		"never":                 {-1, []string{"15 22:00", "17 08:00"}, "--"},
		"midnight":              {0, []string{"15 23:59", "16 00:00", "16 00:01"}, "-+-"},
	} {
		d := settlementDue{at: c.at}
		got := ""
		for _, look := range c.looks {
			if d.passed(day(look)) {
				got += "+"
			} else {
				got += "-"
			}
		}
		if got != c.due {
			t.Errorf("%s: %s, want %s", name, got, c.due)
		}
	}
}
