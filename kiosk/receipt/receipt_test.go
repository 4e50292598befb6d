package receipt

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"buka/internal/entry"
	"buka/kiosk/device/escpos"
	"buka/ui/lang"
)

var update = flag.Bool("update", false, "write the golden slips anew")

// memory is a journal of bodies.
type memory [][]byte

var began = time.Date(2026, 11, 22, 2, 38, 0, 0, time.UTC)

func journalOf(t *testing.T, bodies ...entry.Body) memory {
	t.Helper()
	var m memory
	var prev entry.Hash
	for i, b := range bodies {
		_, raw, hash, err := entry.Seal(uint64(i+1), prev, began.Add(time.Duration(i)*time.Second), b)
		if err != nil {
			t.Fatal(err)
		}
		prev = hash
		m = append(m, raw)
	}
	return m
}

func (m memory) Read(from uint64, most, _ int) ([][]byte, error) {
	if from > uint64(len(m)) {
		return nil, nil
	}
	return m[from-1 : min(len(m), int(from)-1+most)], nil
}

const (
	saleA = entry.SaleID("4Q7ZK1M2N8P3R5T6")
	saleB = entry.SaleID("9B3XW5V8Y2H4J6K1")
)

var (
	card = entry.Card{Family: "tunion", Number: "3105170010170907984"}
	site = Site{Kiosk: "K0001", Place: "徐家汇站 2 号厅", Hotline: "400 000 0000", Terminal: "00000001", Merchant: "000000000000001", Zone: time.FixedZone("CST", 8*3600)}
	load = entry.Attempt{Card: card, Slot: 2, OldBalance: 2850, Amount: 5000, STAN: 7, Random: entry.Hex{1, 2, 3, 4}}
	chip = &entry.Chip{AID: entry.Hex{0xA0, 0, 0, 3, 0x33, 1, 1, 1}, Label: "UnionPay Debit", Mode: "051", Kind: 0x40, AC: entry.Hex{1, 2, 3, 4, 5, 6, 7, 8}, ATC: entry.Hex{0, 9}, TVR: make(entry.Hex, 5)}
)

func of(id entry.SaleID) entry.Of { return entry.Of{Sale: id} }

// opened is how each sale begins; another card's sale lies between.
func opened(more ...entry.Body) []entry.Body {
	return append([]entry.Body{
		entry.SignedOn{Batch: 3, OffsetMS: 60_000}, entry.SaleOpened{Of: of(saleB), Card: entry.Card{Number: "1"}}, entry.SaleOpened{Of: of(saleA), Card: card},
		entry.AmountChosen{Of: of(saleA), Amount: 5000}, entry.AmountChosen{Of: of(saleB), Amount: 100},
	}, more...)
}

func paid(more ...entry.Body) []entry.Body {
	return opened(append([]entry.Body{
		entry.PaymentStarted{Of: of(saleA), Tender: "bank-card", Amount: 5000, STAN: 125, Batch: 3, PAN: "622588******0001"},
		entry.PaymentApproved{Of: of(saleA), Amount: 5000, RRN: "632602000125", Code: "00", Auth: "125125", Chip: chip},
	}, more...)...)
}

func written(more ...entry.Body) []entry.Body {
	return paid(append([]entry.Body{
		entry.LoadRequested{Of: of(saleA), Attempt: load}, entry.LoadAuthorised{Of: of(saleA), At: "20261122103927"}, entry.WriteStarted{Of: of(saleA)},
	}, more...)...)
}

// endings are sales by how they stand.
var endings = []struct {
	name   string
	want   Ending
	bodies []entry.Body
}{
	{"opened", None, opened()},
	{"declined", None, opened(entry.PaymentStarted{Of: of(saleA), Amount: 5000}, entry.PaymentDeclined{Of: of(saleA), Code: "51"})},
	{"payment under way", Back, opened(entry.PaymentStarted{Of: of(saleA), Amount: 5000, STAN: 125, Batch: 3})},
	{"wrong PIN, then approved", Waits, opened(entry.PaymentStarted{Of: of(saleA), Amount: 5000}, entry.PaymentDeclined{Of: of(saleA), Code: "55"},
		entry.PaymentStarted{Of: of(saleA), Amount: 5000}, entry.PaymentApproved{Of: of(saleA), Amount: 5000})},
	{"payment unknown", Back, opened(entry.PaymentStarted{Of: of(saleA), Amount: 5000, STAN: 125, Batch: 3}, entry.PaymentUnknown{Of: of(saleA)})},
	{"reversed", Returned, opened(entry.PaymentStarted{Of: of(saleA), Amount: 5000}, entry.PaymentUnknown{Of: of(saleA)}, entry.ReversalAcknowledged{Of: of(saleA), Code: "00"})},
	{"reversal conflict", Staff, opened(entry.PaymentStarted{Of: of(saleA), Amount: 5000}, entry.PaymentUnknown{Of: of(saleA)}, entry.ReversalConflict{Of: of(saleA), Code: "25"})},
	{"another amount", Back, opened(entry.PaymentStarted{Of: of(saleA), Amount: 5000}, entry.PaymentApproved{Of: of(saleA), Amount: 3000})},
	{"paid", Waits, paid()},
	{"withdrawn", Back, paid(entry.OfferWithdrawn{Of: of(saleA)})},
	{"write begun", Unfinished, written()},
	{"write unknown", Unfinished, written(entry.WriteUnknown{Of: of(saleA)})},
	{"write refused", Waits, written(entry.WriteRefused{Of: of(saleA)})},
	{"write disproven, withdrawn", Back, written(entry.WriteUnknown{Of: of(saleA)}, entry.WriteDisproven{Of: of(saleA)}, entry.OfferWithdrawn{Of: of(saleA)})},
	{"done", Done, written(entry.WriteDone{Of: of(saleA)}, entry.ConfirmationAcknowledged{Of: of(saleA)}, entry.SaleClosed{Of: of(saleA)})},
	{"proven", Done, written(entry.WriteUnknown{Of: of(saleA)}, entry.WriteProven{Of: of(saleA), By: "tac"})},
	{"handed over", Staff, written(entry.WriteUnknown{Of: of(saleA)}, entry.HandedOver{Of: of(saleA), To: "host"})},
	{"refund", Back, paid(entry.RefundRequested{Of: of(saleA), STAN: 140, Batch: 4})},
	{"refunded", Returned, paid(entry.RefundRequested{Of: of(saleA), STAN: 140, Batch: 4}, entry.RefundAcknowledged{Of: of(saleA)})},
	{"decided credited", Credited, written(entry.WriteUnknown{Of: of(saleA)}, entry.Decided{Of: of(saleA), Decision: "credited", People: []string{"a", "b"}})},
	{"decided paid out", PaidOut, written(entry.WriteUnknown{Of: of(saleA)}, entry.Decided{Of: of(saleA), Decision: "paid-out", People: []string{"a", "b"}})},
	{"decided refund", Refund, written(entry.WriteUnknown{Of: of(saleA)}, entry.Decided{Of: of(saleA), Decision: "refund", People: []string{"a", "b"}, RefundSTAN: 150, RefundBatch: 4})},
	{"decided refund, refunded", Returned, written(entry.WriteUnknown{Of: of(saleA)}, entry.Decided{Of: of(saleA), Decision: "refund", People: []string{"a", "b"}, RefundSTAN: 150, RefundBatch: 4}, entry.RefundAcknowledged{Of: of(saleA)})},
	{"remote taken", ToCollect, []entry.Body{entry.SignedOn{}, entry.RewriteTaken{Of: of(saleA), Card: card, Amount: 2000, Origin: "remote"}}},
	{"remote left", ToCollect, []entry.Body{entry.SignedOn{}, entry.RewriteTaken{Of: of(saleA), Card: card, Amount: 2000}, entry.HandedOver{Of: of(saleA)}}},
	{"remote torn, left", Staff, []entry.Body{entry.SignedOn{}, entry.RewriteTaken{Of: of(saleA), Card: card, Amount: 2000, Attempt: &load}, entry.HandedOver{Of: of(saleA)}}},
	{"remote written", Done, []entry.Body{entry.SignedOn{}, entry.RewriteTaken{Of: of(saleA), Card: card, Amount: 5000}, entry.LoadRequested{Of: of(saleA), Attempt: load}, entry.LoadAuthorised{Of: of(saleA), At: "20261122103927"}, entry.WriteStarted{Of: of(saleA)}, entry.WriteDone{Of: of(saleA)}}},
}

func collect(t *testing.T, bodies []entry.Body) Facts {
	t.Helper()
	m := journalOf(t, bodies...)
	f, err := Collect(m, saleA, uint64(len(m)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestEndings(t *testing.T) {
	for _, c := range endings {
		if got := collect(t, c.bodies).Ending(); got != c.want {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
}

// TestSlips: the paper of each ending, as it was looked at by people.
func TestSlips(t *testing.T) {
	for _, c := range endings {
		f := collect(t, c.bodies)
		for _, l := range []Languages{ChineseFirst, EnglishFirst, EnglishOnly} {
			slip := Slip(f, site, l, false)
			if (slip == nil) != (c.want == None) {
				t.Errorf("%s: a slip: %v", c.name, slip != nil)
			}
			if slip == nil {
				continue
			}
			got := plain(slip)
			if l == EnglishOnly {
				for _, r := range strings.ReplaceAll(strings.ReplaceAll(got, site.Place, ""), "￥", "") {
					if r >= 0x80 {
						t.Errorf("%s: %q on a slip in English", c.name, r)
						break
					}
				}
				continue
			}
			file := filepath.Join("testdata", fmt.Sprintf("%s.%d.txt", strings.NewReplacer(" ", "-", ",", "").Replace(c.name), l))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(file); err != nil || string(want) != got {
				t.Errorf("%s: %v\n%s", file, err, got)
			}
		}
	}
}

// TestTheWordsAreTheCatalogues: none is missing, and a theme's stand on slip and code.
func TestTheWordsAreTheCatalogues(t *testing.T) {
	for _, c := range endings {
		f := collect(t, c.bodies)
		for _, l := range []Languages{ChineseFirst, EnglishFirst, EnglishOnly} {
			if text := plain(Slip(f, site, l, true)) + Code(f, site, l); strings.Contains(text, lang.Missing) {
				t.Errorf("%s: %s", c.name, text)
			}
		}
	}
	words, err := lang.Load(fstest.MapFS{"en.toml": {Data: []byte("[app]\nname = \"Metro\"\n[receipt]\nclaim = \"Case\"\n[receipt.title]\ndone = \"LOADED\"")}})
	if err != nil {
		t.Fatal(err)
	}
	themed, f := site, collect(t, written(entry.WriteDone{Of: of(saleA)}))
	themed.Words = words
	paper, code := plain(Slip(f, themed, ChineseFirst, false)), Code(f, themed, EnglishFirst)
	for _, want := range []string{"不卡 Metro\n", "LOADED\n", "受理编号 Case: "} {
		if !strings.Contains(paper, want) {
			t.Errorf("no %q on\n%s", want, paper)
		}
	}
	if !strings.HasPrefix(code, "Metro K0001 LOADED") || !strings.Contains(code, "\nCase ") {
		t.Errorf("%s", code)
	}
}

// plain is a slip as text.
func plain(s escpos.Slip) string {
	var b strings.Builder
	for _, e := range s {
		switch x := e.(type) {
		case escpos.Text:
			fmt.Fprintln(&b, x.Say)
		case escpos.Pair:
			fmt.Fprintf(&b, "%s: %s\n", x.Name, x.Value)
		case escpos.Rule:
			fmt.Fprintln(&b, "----")
		case escpos.QR:
			fmt.Fprintf(&b, "[%s]\n", x.Data)
		}
	}
	return b.String()
}

// TestNothingSecret: neither slip nor code shows more of a card than it may,
// even if the journal should.
func TestNothingSecret(t *testing.T) {
	bodies := written(entry.WriteDone{Of: of(saleA)})
	for i, b := range bodies {
		if p, ok := b.(entry.PaymentStarted); ok {
			p.PAN = "6225880000000001"
			bodies[i] = p
		}
	}
	f := collect(t, bodies)
	for _, text := range []string{plain(Slip(f, site, ChineseFirst, true)), Code(f, site, ChineseFirst)} {
		if strings.Contains(text, "6225880000000001") || strings.Contains(text, card.Number) || !strings.Contains(text, "622588******0001") || !strings.Contains(text, "**** 7984") {
			t.Errorf("cards:\n%s", text)
		}
	}
}

// TestSameAgain: what is printed again is the slip of then, not of now, and is
// marked.
func TestSameAgain(t *testing.T) {
	bodies := paid(entry.OfferWithdrawn{Of: of(saleA)})
	then := uint64(len(bodies))
	first := journalOf(t, bodies...)
	f, err := Collect(first, saleA, then)
	if err != nil {
		t.Fatal(err)
	}
	later := journalOf(t, append(bodies, entry.ReversalAcknowledged{Of: of(saleA)}, entry.SaleClosed{Of: of(saleA)}, entry.SignedOn{OffsetMS: 9e9})...)
	g, err := Collect(later, saleA, then)
	if err != nil {
		t.Fatal(err)
	}
	was, again := plain(Slip(f, site, ChineseFirst, false)), plain(Slip(g, site, ChineseFirst, true))
	if mark := "*** 重印 REPRINT ***\n"; strings.Count(again, mark) != 1 || strings.Replace(again, mark, "", 1) != was {
		t.Errorf("then:\n%s\nagain:\n%s", was, again)
	}
	if g, err = Collect(later, saleA, uint64(len(later))); err != nil || g.Ending() != Returned {
		t.Error("now:", g.Ending(), err)
	}
}

// TestTime: by the host's clock, or said to be the machine's.
func TestTime(t *testing.T) {
	f := collect(t, written(entry.WriteDone{Of: of(saleA)}))
	if got, want := when(f, site, EnglishFirst), began.Add(10*time.Second+time.Minute).In(site.Zone).Format("2006-01-02 15:04:05"); got != want {
		t.Errorf("%s, not %s", got, want)
	}
	f = collect(t, written(entry.WriteDone{Of: of(saleA)})[1:])
	if got := when(f, site, EnglishFirst); !strings.HasSuffix(got, "(machine's time)") {
		t.Error(got)
	}
}

// TestFarBack: a sale that began long ago is found, within bounds.
func TestFarBack(t *testing.T) {
	bodies := paid()
	for range 3 * pageEntries {
		bodies = append(bodies, entry.CardObserved{Card: card})
	}
	bodies = append(bodies, entry.OfferWithdrawn{Of: of(saleA)})
	if f := collect(t, bodies); f.RRN != "632602000125" || f.Ending() != Back {
		t.Errorf("%+v", f)
	}
	m := journalOf(t, bodies...)
	if _, err := Collect(m, "NOSUCHSALE000000", uint64(len(m))); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	m[4] = []byte{1, 2, 3}
	if _, err := Collect(m, saleA, uint64(len(m))); !errors.Is(err, entry.ErrMalformed) {
		t.Error("a damaged journal:", err)
	}
}

// TestCodeFits: the code for a telephone is one that it can read from a screen.
func TestCodeFits(t *testing.T) {
	for _, c := range endings {
		code := Code(collect(t, c.bodies), site, ChineseFirst)
		if (code == "") != (c.want == None) || len(code) > escpos.MaxQR {
			t.Errorf("%s: %d bytes", c.name, len(code))
		}
	}
}
