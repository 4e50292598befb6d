package host

import (
	"cmp"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/sync/switchlink"
	"buka/topup"
	"buka/topup/sim"
)

// modelWorld sends the same requests to the host of topup/sim and to this one.
type modelWorld struct {
	*world
	model   *sim.Authority
	rng     *rand.Rand
	kiosks  [2]modelKiosk
	given   []given // authorised once, by either
	payment []switchlink.Payment
	taken   []switchlink.Payment // approved
	random  uint32
	// reversed holds the first answer to each reversal, by batch and STAN; STANs
	// are the world's, so no two kiosks share one.
	reversed map[[2]uint32]string
	counts   map[string]int
}

type modelKiosk struct {
	client *switchlink.Client
	batch  uint32
}

type given struct {
	kiosk int
	sale  entry.SaleID
	a     entry.Attempt
	void  bool
}

// TestTheModelHost: kiosk torture and kiosk explore play against a model of this
// host. Here random requests of two terminals for four sales on two cards go to
// both, and both must answer alike.
func TestTheModelHost(t *testing.T) {
	for seed := range uint64(4) {
		m := &modelWorld{world: newWorld(t, nil), model: sim.NewAuthority(2), rng: rand.New(rand.NewPCG(seed, 1)), counts: map[string]int{}, reversed: map[[2]uint32]string{}}
		m.kiosks[0] = modelKiosk{m.client, m.batch}
		second := m.connect(modelTerminals[1], 10*time.Second)
		t.Cleanup(func() { second.Close() })
		s, err := second.SignOn(m.ctx(), 1)
		if err != nil {
			t.Fatal(err)
		}
		m.kiosks[1] = modelKiosk{second, s.Batch}
		if err := m.host.PutAccount(m.ctx(), Account{PAN: testPAN, PIN: testPIN, Expiry: "3012", Funds: 90_000_00}); err != nil {
			t.Fatal(err)
		}
		for range 160 {
			m.one()
		}
		for k := range m.kiosks {
			for batch := range m.kiosks[k].batch {
				m.settlesBatch(k, batch+1)
			}
			m.settlesBatch(k, m.kiosks[k].batch) // what came after its last settlement
		}
		for sale := range 4 {
			if s, err := m.host.Sale(m.ctx(), saleID(sale)); err != nil || s.Paid-s.Reversed != m.model.Paid(saleID(sale)) {
				t.Errorf("sale %d: %+v, %v; the model has %s", sale, s, err, m.model.Paid(saleID(sale)))
			}
		}
		t.Log(m.counts)
	}
}

func (m *modelWorld) same(what, real, model string) {
	m.Helper()
	if real == switchlink.CodeDuplicate {
		real = switchlink.CodeInvalid // the model has one word for both
	}
	if model == switchlink.CodeDuplicate {
		model = switchlink.CodeInvalid
	}
	if real != model {
		m.Fatalf("%s: %s, and the model says %s", what, real, model)
	}
	m.counts[what+" "+real]++
}

func code(a switchlink.Answer, err error) string {
	if err != nil {
		return err.Error()
	}
	return a.Code
}

const modelAmount money.Fen = 50_00

var modelTerminals = [2]string{testTerminal, "BUKA0002"}

func (m *modelWorld) one() {
	m.Helper()
	k := m.rng.IntN(2)
	sale := m.rng.IntN(4)
	switch n := m.rng.IntN(20); {
	case n < 4:
		m.pays(k, sale)
	case n < 6 && len(m.payment) > 0:
		m.reverses(m.rng.IntN(len(m.payment)))
	case n < 12:
		m.authorises(k, sale, n < 8)
	case n < 15 && len(m.given) > 0:
		m.settles(m.rng.IntN(len(m.given)), n == 12)
	case n == 15 && len(m.taken) > 0:
		m.refunds(m.taken[m.rng.IntN(len(m.taken))])
	case n < 18 && len(m.given) > 0:
		m.verifies(k, m.given[m.rng.IntN(len(m.given))])
	case n == 18 && m.rng.IntN(4) == 0:
		m.closes(k)
	case n == 19 && m.rng.IntN(2) == 0:
		m.settlesBatch(k, 1+m.rng.Uint32N(m.kiosks[k].batch))
	}
}

// pays: each sale is of one card and one kiosk.
func (m *modelWorld) pays(k, sale int) {
	m.Helper()
	k = sale % 2
	p := m.world.payment(saleID(sale), modelAmount, testPIN)
	p.Card, p.Batch, p.Slot = m.card(sale), m.kiosks[k].batch, 2
	if m.rng.IntN(8) == 0 {
		p.Batch += 7 // not the open one
	}
	got, err := m.kiosks[k].client.Pay(m.ctx(), anew(p))
	if err != nil {
		m.Fatal(err)
	}
	_, want := m.model.Pay(k, topup.Pay{Sale: p.Sale, Card: p.Card, Slot: p.Slot, Amount: p.Amount, STAN: p.STAN, Batch: p.Batch})
	m.same("pay", got.Code, want)
	m.payment = append(m.payment, p)
	if got.Code == switchlink.CodeApproved {
		m.taken = append(m.taken, p)
	}
}

// refunds gives a payment back under a key of its own, in the open batch or, as
// one that comes late, in the one before. A kiosk takes one payment for a sale, and
// the model knows a refund by the sale.
func (m *modelWorld) refunds(p switchlink.Payment) {
	m.Helper()
	k := 0
	for _, other := range m.taken {
		if other.Sale == p.Sale && other.STAN != p.STAN {
			return
		}
	}
	for sale := range 4 {
		if p.Sale == saleID(sale) {
			k = sale % 2
		}
	}
	f := switchlink.Refund{STAN: m.next(), Batch: m.kiosks[k].batch, OrigSTAN: p.STAN, OrigBatch: p.Batch, Sale: p.Sale, Amount: p.Amount}
	if f.Batch > 1 && m.rng.IntN(2) == 0 {
		f.Batch--
	}
	real := code(m.kiosks[k].client.Refund(m.ctx(), f))
	want := m.model.Send(k, topup.Send{Duty: topup.Duty{Kind: topup.Refund, Sale: p.Sale, STAN: f.STAN}, Sale: topup.Sale{ID: p.Sale, PayBatch: p.Batch, RefundBatch: f.Batch}})
	m.same("refund", real, want)
}

func (m *modelWorld) card(sale int) entry.Card {
	return entry.Card{Family: "tunion", Number: []string{testNumber, "3105170010170907985"}[sale/2]}
}

func (m *modelWorld) reverses(i int) {
	m.Helper()
	p := m.payment[i]
	k := 0
	for sale := range 4 {
		if p.Sale == saleID(sale) {
			k = sale % 2
		}
	}
	if m.rng.IntN(4) == 0 { // one whose payment never comes
		p.STAN = m.next()
	}
	real := code(m.kiosks[k].client.Reverse(m.ctx(), reversalOf(p)))
	key := [2]uint32{p.Batch, p.STAN}
	if first, again := m.reversed[key]; again { // the stored answer, whatever has happened since
		m.same("reverse again", real, first)
		return
	}
	m.reversed[key] = real
	want := m.model.Send(k, topup.Send{Duty: topup.Duty{Kind: topup.Reversal, Sale: p.Sale, STAN: p.STAN}, Sale: topup.Sale{ID: p.Sale, PayBatch: p.Batch}})
	m.same("reverse", real, want)
}

// authorises a new INITIALIZE, or asks for one.
func (m *modelWorld) authorises(k, sale int, only bool) {
	m.Helper()
	m.random++
	a := attempt(m.card(sale).Number, entry.Slot(2+m.rng.IntN(2)), 10_00, modelAmount, m.random)
	q := switchlink.LoadQuery{STAN: m.next(), Batch: m.kiosks[k].batch, Sale: saleID(sale), Attempt: a}
	a.STAN = q.STAN
	if only {
		m.same("eligible", code(m.kiosks[k].client.Eligible(m.ctx(), q)), m.model.Eligible(k, q.Sale, a))
		return
	}
	got, err := m.kiosks[k].client.AuthoriseLoad(m.ctx(), q)
	if err != nil {
		m.Fatal(err)
	}
	m.same("authorise", got.Code, m.model.Authorise(k, q.Sale, a))
	if got.Code == switchlink.CodeApproved {
		a.At = got.At
		m.given = append(m.given, given{k, q.Sale, a, false})
	}
}

// settles confirms or voids what was given.
func (m *modelWorld) settles(i int, confirm bool) {
	m.Helper()
	g := &m.given[i]
	stan, batch := m.next(), m.kiosks[g.kiosk].batch
	if confirm && !g.void {
		real := code(m.kiosks[g.kiosk].client.ConfirmLoad(m.ctx(), switchlink.Confirmation{STAN: stan, Batch: batch, Sale: g.sale, Attempt: g.a, TAC: tacOf(g.a), By: "card"}))
		m.same("confirm", real, m.model.Send(g.kiosk, topup.Send{Duty: topup.Duty{Kind: topup.Confirmation, Sale: g.sale, STAN: stan}, Sale: topup.Sale{ID: g.sale, Attempt: g.a}}))
		return
	}
	g.void = true
	real := code(m.kiosks[g.kiosk].client.VoidLoad(m.ctx(), switchlink.Void{STAN: stan, Batch: batch, Sale: g.sale, Attempt: g.a}))
	m.same("void", real, m.model.Send(g.kiosk, topup.Send{Duty: topup.Duty{Kind: topup.Void, Sale: g.sale, STAN: stan},
		Sale: topup.Sale{ID: g.sale, OweVoids: []topup.OwedVoid{{STAN: stan, Attempt: g.a}}}}))
}

// verifies a TAC, and a probing INITIALIZE, sometimes one that was shown before.
func (m *modelWorld) verifies(k int, g given) {
	m.Helper()
	q := switchlink.LoadQuery{STAN: m.next(), Batch: m.kiosks[k].batch, Sale: g.sale, Attempt: g.a}
	says, err := m.kiosks[k].client.VerifyTAC(m.ctx(), q, entry.Proof{Asked: 3, TAC: tacOf(g.a)})
	want := entry.Verified
	if m.model.Void(g.a) {
		want = entry.Rejected
	}
	if err != nil || says != want {
		m.Fatalf("TAC: %v, %v; want %v", says, err, want)
	}
	m.random++
	probe := attempt(g.a.Card.Number, g.a.Slot+1, 10_00, 1, m.random-uint32(m.rng.IntN(2)))
	q.STAN = m.next()
	c, err := m.kiosks[k].client.VerifyCounter(m.ctx(), q, probe)
	if model := m.model.Fresh(g.a, probe); err != nil || c != model {
		m.Fatalf("counter: %+v, %v; the model says %+v", c, err, model)
	}
	m.counts["verify"]++
}

// settlesBatch tells the host's own totals of a batch, or wrong ones: the model must
// count alike. After wrong ones the batch is uploaded, or not yet.
func (m *modelWorld) settlesBatch(k int, batch uint32) {
	m.Helper()
	open := m.kiosks[k].batch
	var t entry.Totals
	if err := m.host.Write(m.ctx(), func(tx *sql.Tx) (err error) {
		t, err = hostTotals(m.ctx(), tx, testMerchant, modelTerminals[k], batch)
		return err
	}); err != nil {
		m.Fatal(err)
	}
	if m.rng.IntN(3) == 0 {
		t.Debits++
	}
	stan := m.next()
	got, err := m.kiosks[k].client.Settle(m.ctx(), switchlink.Settlement{STAN: stan, Batch: batch, Totals: t})
	if want := m.model.Settle(k, batch, t); err != nil || got.Code != "00" || got.Balanced != want {
		m.Fatalf("batch %d of %d, %+v: %+v, %v; the model says %v", batch, open, t, got, err, want)
	}
	m.counts[fmt.Sprint("settle ", got.Balanced)]++
	if batch == open { // before the next batch is open here
		m.meanwhile(batch)
	}
	s, err := m.kiosks[k].client.SignOn(m.ctx(), m.next())
	next := open
	if batch == open {
		next++
	}
	if err != nil || s.Batch != next {
		m.Fatalf("batch %d after %d of %d: %v", s.Batch, batch, open, err)
	}
	m.kiosks[k].batch = next
	if !got.Balanced && m.rng.IntN(3) > 0 {
		m.meanwhile(batch)
		m.uploads(k, batch, stan)
	}
}

// meanwhile is what comes while a batch is being settled: the money of a payment
// goes back.
func (m *modelWorld) meanwhile(batch uint32) {
	m.Helper()
	for range 2 {
		if len(m.taken) > 0 {
			m.refunds(m.taken[m.rng.IntN(len(m.taken))])
		}
	}
	for i, p := range m.payment {
		if p.Batch == batch && m.rng.IntN(3) == 0 {
			m.reverses(i)
		}
	}
}

// counted is what the host counts in a batch, one by one.
func (m *modelWorld) counted(k int, batch uint32) (list []sim.Uploaded) {
	m.Helper()
	rows, err := m.host.db.QueryContext(m.ctx(), `SELECT sale, stan, amount, 0 FROM payments WHERE merchant = ?1 AND terminal = ?2 AND batch = ?3
			AND code = '00' AND (reversed = 0 OR refunded = 1)
		UNION ALL SELECT sale, stan, amount, 1 FROM refunds WHERE merchant = ?1 AND terminal = ?2 AND booked = ?3 ORDER BY 4, 2`,
		testMerchant, modelTerminals[k], batch)
	if err != nil {
		m.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var u sim.Uploaded
		if err := rows.Scan(&u.Sale, &u.STAN, (*int64)(&u.Amount), &u.Credit); err != nil {
			m.Fatal(err)
		}
		list = append(list, u)
	}
	if err := rows.Err(); err != nil {
		m.Fatal(err)
	}
	return list
}

// uploads what the host has of a batch, or less, or more, or other amounts.
func (m *modelWorld) uploads(k int, batch, stan uint32) {
	m.Helper()
	var list []sim.Uploaded
	for _, u := range m.counted(k, batch) {
		switch m.rng.IntN(6) {
		case 0:
			continue
		case 1:
			u.Amount++
		case 2:
			if !u.Credit { // a payment is another one under another STAN
				u.STAN = m.next()
			}
		}
		list = append(list, u)
	}
	if m.rng.IntN(4) == 0 {
		list = append(list, sim.Uploaded{Sale: saleID(9), STAN: m.next(), Amount: modelAmount, Credit: m.rng.IntN(2) == 0})
	}
	send := switchlink.Upload{STAN: stan, Batch: batch, Index: 1, Last: true, OrigSTAN: stan} // of nothing
	var got switchlink.Uploaded
	var err error
	for i := range max(1, len(list)) {
		if len(list) > 0 {
			u := list[i]
			send = switchlink.Upload{STAN: stan, Batch: batch, Index: uint32(i + 1), Last: i == len(list)-1, Sale: u.Sale, OrigSTAN: u.STAN, Amount: u.Amount, Credit: u.Credit}
		}
		if got, err = m.kiosks[k].client.Upload(m.ctx(), send); err != nil || got.Code != "00" {
			m.Fatalf("upload of batch %d: %+v, %v", batch, got, err)
		}
	}
	real, model := differing(got.Differs), differing(m.model.Upload(k, batch, list))
	if !slices.Equal(real, model) || got.Balanced != (len(model) == 0) {
		m.Fatalf("upload of batch %d, %+v: %+v, and the model says %+v", batch, list, got, model)
	}
	m.counts[fmt.Sprint("upload ", got.Balanced)]++
	m.counts["differences"] += len(real)
}

// differing puts differences into one order. The STAN of a refund is not told by
// the model if the host alone has it.
func differing(list []entry.Difference) []entry.Difference {
	for i := range list {
		if list[i].Kiosk < 0 || list[i].Host < 0 {
			list[i].STAN = 0
		}
	}
	slices.SortFunc(list, func(a, b entry.Difference) int {
		return cmp.Or(cmp.Compare(a.Sale, b.Sale), cmp.Compare(a.STAN, b.STAN), cmp.Compare(a.Kiosk, b.Kiosk), cmp.Compare(a.Host, b.Host))
	})
	return list
}

func (m *modelWorld) closes(k int) {
	m.Helper()
	if err := m.host.CloseBatch(m.ctx(), testMerchant, modelTerminals[k]); err != nil {
		m.Fatal(err)
	}
	m.model.CloseBatch(k)
	m.kiosks[k].batch++
	m.counts["close"]++
}
