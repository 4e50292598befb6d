package station

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"buka/cardio/virtual"
	"buka/internal/money"
	"buka/internal/pin"
	"buka/kiosk/config"
	"buka/kiosk/risk"
	"buka/topup"
)

// TestPaymentHostAndLoadAuthority is sales with everything on: two endpoints, TLS,
// X9.19, PINs under working keys, both faces of the bank card. Each is settled: one
// while the host demands new keys, one that the host has lost.
func TestPaymentHostAndLoadAuthority(t *testing.T) {
	w := newHostTown(t)
	store, err := virtual.NewDirStore(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range []struct{ contact, newKeys, lost bool }{{contact: true}, {newKeys: true}, {contact: true, lost: true}} {
		card, err := virtual.NewBank(virtual.BankOptions{PAN: bankPAN, Contact: x.contact, Store: store, Name: "blue"})
		if err != nil {
			t.Fatal(err)
		}
		w.buys(50_00, card)
		if got, err := w.host.NetDebits(t.Context(), bankPAN); err != nil || got != money.Fen(i+1)*50_00 {
			t.Fatalf("charged %v, %v", got, err)
		}
		if got := w.purse.Balance(); got != 28_50+money.Fen(i+1)*50_00 {
			t.Fatalf("balance %v", got)
		}
		w.until("nothing owed", func(s topup.State) bool { return s.Durable.Owed() == 0 })
		state, _ := w.st.Engine().State()
		batch := state.Durable.Batch
		if got := state.Durable.Batches[batch].Totals; got.Debits != 1 || got.Debit != 50_00 {
			t.Fatalf("batch %d counts %+v", batch, got)
		}
		if x.newKeys {
			if err := w.host.RequireNewKeys(t.Context(), "000000000000001", "00000001"); err != nil {
				t.Fatal(err)
			}
		}
		if x.lost {
			if _, err := w.host.DB().ExecContext(t.Context(), "UPDATE payments SET reversed = 1 WHERE batch = ?", batch); err != nil {
				t.Fatal(err)
			}
		}
		w.st.post(topup.SettleAsked{Who: "mei"})
		w.until("the next batch", func(s topup.State) bool {
			_, open := s.Durable.Batches[batch]
			return !open && s.Durable.Batch == batch+1
		})
		w.mu.Lock()
		last := w.settled[len(w.settled)-1]
		w.mu.Unlock()
		differs := 0
		if x.lost {
			differs = 1
		}
		if last.Batch != batch || last.Uploaded != x.lost || len(last.Differs) != differs {
			t.Errorf("settled: %+v", last)
		}
		for _, d := range last.Differs {
			if d.Kiosk != 50_00 || d.Host != 0 || d.Sale == "" {
				t.Errorf("differs: %+v", d)
			}
		}
	}
}

// TestEveryKindOfPINKey: a sale with each kind of key and block that a pad may
// have.
func TestEveryKindOfPINKey(t *testing.T) {
	for _, x := range []struct {
		keys   pin.Scheme
		format int
	}{{pin.TDESDUKPT, 0}, {pin.TDESDUKPT, 3}, {pin.AESDUKPT, 0}, {pin.AESDUKPT, 4}, {pin.MasterSession, 3}} {
		t.Run(fmt.Sprintf("%v-%d", x.keys, x.format), func(t *testing.T) {
			w := newHostTown(t, func(c *config.Config) {
				c.PINPad.Keys, c.PINPad.Format = x.keys, x.format
				if x.keys != pin.MasterSession {
					c.PINPad.KeySlot = ""
				}
			})
			card, err := virtual.NewBank(virtual.BankOptions{PAN: bankPAN})
			if err != nil {
				t.Fatal(err)
			}
			w.buys(50_00, card)
			if got, err := w.host.NetDebits(t.Context(), bankPAN); err != nil || got != 50_00 {
				t.Fatalf("charged %v, %v", got, err)
			}
		})
	}
}

// TestEverySpecAndMAC: a sale and its settlement in both forms of message, under
// each algorithm.
func TestEverySpecAndMAC(t *testing.T) {
	for _, x := range []struct{ spec, mac string }{{"unionpay", "unionpay"}, {"ascii87", "x9.9"}, {"ascii87", "none"}} {
		t.Run(x.spec+"-"+x.mac, func(t *testing.T) {
			w := newHostTown(t, func(c *config.Config) {
				c.Switch.Spec, c.Authority.Spec, c.Switch.MAC, c.Authority.MAC = x.spec, x.spec, x.mac, x.mac
				c.PINPad.Keys, c.PINPad.KeySlot = pin.TDESDUKPT, ""
			})
			card, err := virtual.NewBank(virtual.BankOptions{PAN: bankPAN, Contact: true})
			if err != nil {
				t.Fatal(err)
			}
			w.buys(50_00, card)
			w.until("nothing owed", func(s topup.State) bool { return s.Durable.Owed() == 0 })
			w.st.post(topup.SettleAsked{Who: "mei"})
			w.until("the next batch", func(s topup.State) bool { return s.Durable.Batch == 2 })
		})
	}
}

// TestTheOperatorsRules: the strictest rule ends a sale before the PIN; all that
// struck are in the journal.
func TestTheOperatorsRules(t *testing.T) {
	w := newHostTown(t, func(c *config.Config) {
		c.Risk.Rules = []risk.Rule{
			{Name: "much", When: "amount >= 5000", Outcome: "cashier"}, {Name: "at-home", When: `country == "156" && entry == "contact"`, Outcome: "alarm"},
			{Name: "never", When: "count > 0 || load_count > 0", Outcome: "refuse"},
		}
	})
	card, err := virtual.NewBank(virtual.BankOptions{PAN: bankPAN, Contact: true})
	if err != nil {
		t.Fatal(err)
	}
	w.asks(50_00, card)
	w.phase(topup.Declined)
	state, _ := w.st.Engine().State()
	w.mu.Lock()
	struck := strings.Join(w.struck, ", ")
	w.mu.Unlock()
	if reason := state.Live.Front.Reason; reason != "risk-cashier" || struck != "at-home alarm, much cashier" {
		t.Errorf("%s; %s", reason, struck)
	}
	scr, sent := w.st.screen(), w.st.Desk().State().Sent
	if scr.Claim == "" || len(sent) != 1 || sent[0].Claim != scr.Claim || sent[0].Rule != "much" || sent[0].Amount != 50_00 || sent[0].Here {
		t.Errorf("the passenger has claim %q, and the cashier sees %+v", scr.Claim, sent)
	}
	if r := w.st.heartbeat().Risk; r == nil || r.Alarms != 1 || r.Cashier != 1 || r.Refused != 0 || r.Rule != "much" {
		t.Errorf("the operator hears of %+v", r)
	}
	if shown := w.pad.Snapshot(); shown.Waiting {
		t.Error("a PIN is asked for")
	}
	if got, err := w.host.NetDebits(t.Context(), bankPAN); err != nil || got != 0 {
		t.Errorf("charged %v, %v", got, err)
	}
}

// TestBothLinksOrNone: a kiosk whose load authority is away sells nothing.
func TestBothLinksOrNone(t *testing.T) {
	s := &Station{links: &links{up: map[string]bool{"payment host": false, "load authority": false}}, log: slog.New(slog.DiscardHandler)}
	var up []bool
	s.engine = topup.NewEngine(&topup.Core{Rules: topup.DefaultRules()}, nil, topup.New(), s.log)
	for _, step := range []struct {
		name string
		up   bool
	}{{"payment host", true}, {"load authority", true}, {"payment host", false}, {"load authority", false}, {"load authority", true}, {"payment host", true}} {
		s.linkIs(step.name, step.up)
		up = append(up, s.links.all())
	}
	for i, want := range []bool{false, true, false, false, false, true} {
		if up[i] != want {
			t.Errorf("after %d steps: %v", i+1, up[i])
		}
	}
}

// TestWhatALinkWants: files that are missing or wrong are named with their key.
func TestWhatALinkWants(t *testing.T) {
	for want, change := range map[string]func(*config.Config){
		"switch.spec":              func(c *config.Config) { c.Switch.Spec = "no-such-file.json" },
		"switch.master_key":        func(c *config.Config) { c.Switch.MAC, c.Switch.MasterKey = "x9.9", "no-such-file" },
		"switch.ca":                func(c *config.Config) { c.Switch.CA, c.Switch.Name = "no-such-file", "switch.example" },
		"switch.answers":           func(c *config.Config) { c.Switch.Answers = "no-such-file" },
		"authority.spec":           func(c *config.Config) { c.Authority.Address, c.Authority.Spec = "127.0.0.1:1", "no-such-file.json" },
		"bank_card.ca_keys":        func(c *config.Config) { c.BankCard.CAKeys = "no-such-file" },
		`risk rule "mine": line 1`: func(c *config.Config) { c.Risk.Rules[0].Name, c.Risk.Rules[0].When = "mine", "amount >" },
	} {
		c := keptConfig(t)
		change(&c)
		s, err := Open(c, keptParts())
		if err == nil {
			s.journal.Close()
			t.Errorf("%s: opened", want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		if err := CheckFiles(c); !strings.HasPrefix(want, "risk") && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: doctor says %v", want, err)
		}
	}
	c := keptConfig(t)
	c.Switch.MAC, c.Switch.MasterKey = "x9.9", filepath.Join(t.TempDir(), "key")
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o640: false, 0o604: false} {
		if err := errors.Join(os.WriteFile(c.Switch.MasterKey, []byte(strings.Repeat("0123456789abcdef", 2)), 0o600), os.Chmod(c.Switch.MasterKey, mode)); err != nil {
			t.Fatal(err)
		}
		if err := CheckFiles(c); (err == nil) != ok {
			t.Errorf("%o: %v", mode, err)
		}
	}
	for text, ok := range map[string]bool{
		strings.Repeat("0123456789abcdef", 2): true, strings.Repeat("0123456789ABCDEF", 3) + "\n": true,
		"": false, "0123456789abcdef": false, strings.Repeat("0", 40): false, strings.Repeat("xy", 16): false,
	} {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := masterKey(path); (err == nil) != ok {
			t.Errorf("%d characters: %v", len(text), err)
		} else if err != nil && text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the key is in the error: %v", err)
		}
	}
}
