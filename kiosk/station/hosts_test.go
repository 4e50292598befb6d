package station

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"buka/cardio/reader"
	"buka/cardio/virtual"
	"buka/internal/entry"
	"buka/internal/mac"
	"buka/internal/money"
	"buka/internal/pin"
	"buka/kiosk/config"
	"buka/kiosk/device/virtualpad"
	"buka/kiosk/risk"
	"buka/sync/host"
	"buka/sync/switchlink"
	"buka/topup"
)

// hostTown is a kiosk with all that it is wired to: payment host and load
// authority at two addresses, under TLS, MACs and master/session keys.
type hostTown struct {
	t      *testing.T
	dir    string
	host   *host.Host
	pad    *virtualpad.Pad
	memory *reader.Memory
	purse  *virtual.Purse
	st     *Station

	mu      sync.Mutex
	settled []entry.BatchSettled
	struck  []string
}

const hostWait = 30 * time.Second

func newHostTown(t *testing.T, change ...func(*config.Config)) *hostTown {
	t.Helper()
	w := &hostTown{t: t}
	cfg := keptConfig(t)
	w.dir = filepath.Dir(cfg.Data)
	master := host.DefaultKeys().TMK
	w.certificates()
	tls, err := switchlink.ServerTLS(switchlink.TLSFiles{CA: w.file("ca.pem"), Cert: w.file("switch.pem"), Key: w.file("switch.key")})
	if err != nil {
		t.Fatal(err)
	}
	w.host, err = host.Open(t.Context(), host.Config{Dir: w.file("host"), Authority: "127.0.0.1:0", TLS: tls, MAC: mac.X919, RequireICC: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.host.Close() })
	if err := w.host.PutAccount(t.Context(), host.Account{PAN: bankPAN, PIN: "123456", Expiry: "9912", Funds: 1000_00}); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(w.file("pad"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.pad, err = virtualpad.Open(virtualpad.Config{Dir: w.file("pad"), Scheme: pin.MasterSession, MasterKeys: map[byte]pin.SecretKey{'1': master}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.pad.Close() })
	raw := master.Reveal()
	w.write("tmk", []byte(hex.EncodeToString(raw)+"\n"))
	cfg.PINPad.Port, cfg.PINPad.Keys, cfg.PINPad.KeySlot = w.pad.SlavePath(), pin.MasterSession, "1"
	cfg.Switch.Address, cfg.Authority.Address = w.host.SwitchAddr(), w.host.AuthorityAddr()
	cfg.Switch.MAC, cfg.Switch.MasterKey, cfg.Authority.MAC, cfg.Authority.MasterKey = "x9.19", w.file("tmk"), "x9.19", w.file("tmk")
	cfg.Switch.CA, cfg.Switch.Cert, cfg.Switch.Key, cfg.Switch.Name = w.file("ca.pem"), w.file("kiosk.pem"), w.file("kiosk.key"), "switch.example"
	cfg.Authority.CA, cfg.Authority.Cert, cfg.Authority.Key, cfg.Authority.Name = cfg.Switch.CA, cfg.Switch.Cert, cfg.Switch.Key, cfg.Switch.Name
	cfg.Switch.Settle, cfg.BankCard.CAKeys, cfg.Purse.PINs = config.DayTime{}, "test", []string{"123456"}
	cfg.Readers.Transit, cfg.Readers.Bank = "transit", "bank"
	for _, f := range change {
		f(&cfg)
	}
	w.run(cfg)
	return w
}

func (w *hostTown) file(name string) string { return filepath.Join(w.dir, name) }

func (w *hostTown) write(name string, data []byte) {
	w.t.Helper()
	if err := os.WriteFile(w.file(name), data, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// certificates makes an authority, and one certificate for each end.
func (w *hostTown) certificates() {
	w.t.Helper()
	var ca *x509.Certificate
	var signer *ecdsa.PrivateKey
	for _, name := range []string{"ca", "switch", "kiosk"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			w.t.Fatal(err)
		}
		c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
			NotAfter: time.Now().Add(24 * time.Hour), BasicConstraintsValid: true, IsCA: name == "ca", KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
		if ca == nil {
			ca, signer = c, key
		} else {
			c.DNSNames, c.ExtKeyUsage = []string{"switch.example"}, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
		}
		der, err := x509.CreateCertificate(rand.Reader, c, ca, &key.PublicKey, signer)
		if err != nil {
			w.t.Fatal(err)
		}
		raw, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			w.t.Fatal(err)
		}
		w.write(name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		w.write(name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
	}
}

func (w *hostTown) run(cfg config.Config) {
	w.t.Helper()
	w.memory = reader.NewMemory(reader.Limits{}, "transit", "bank")
	parts := keptParts()
	parts.Readers = w.memory
	parts.Appended = func(bodies []entry.Body) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, b := range bodies {
			switch b := b.(type) {
			case entry.BatchSettled:
				w.settled = append(w.settled, b)
			case entry.RiskStruck:
				w.struck = append(w.struck, b.Rule+" "+b.Outcome)
			}
		}
		return false
	}
	st, err := Open(cfg, parts)
	if err != nil {
		w.t.Fatal(err)
	}
	w.st = st
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		st.Run(ctx)
	}()
	w.t.Cleanup(func() { cancel(); <-ended })
	if w.purse, err = virtual.NewPurse(virtual.PurseOptions{Number: "3105170010170907984", Balance: 28_50, Counter: 2}, virtual.NewMemoryStore()); err != nil {
		w.t.Fatal(err)
	}
}

// until waits for a state.
func (w *hostTown) until(what string, ok func(topup.State) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hostWait)
	defer cancel()
	for {
		state, err := w.st.Engine().State()
		if ok(state) {
			return
		}
		select {
		case <-ctx.Done():
			w.t.Fatalf("%s did not come: %v, front %+v, host up %v, batches %v", what, err, state.Live.Front, state.Live.HostUp, state.Durable.Batches)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (w *hostTown) phase(p topup.Phase) {
	w.t.Helper()
	w.until(string(p), func(s topup.State) bool { return s.Live.Front.Phase == p })
}

// asks goes from the card on the reader to the bank card.
func (w *hostTown) asks(amount money.Fen, card *virtual.Bank) (transit, bank virtual.Slot) {
	w.t.Helper()
	transit = virtual.NewMemorySlot(w.memory, "transit")
	w.until("sales", func(s topup.State) bool { return s.NoPayment() == "" })
	if err := transit.Insert(w.purse); err != nil {
		w.t.Fatal(err)
	}
	w.phase(topup.Choosing)
	state, _ := w.st.Engine().State()
	w.st.post(topup.Chosen{Sale: state.Live.Front.Sale, Amount: amount})
	w.phase(topup.Paying)
	bank = virtual.NewMemorySlot(w.memory, "bank")
	if err := bank.Insert(card); err != nil {
		w.t.Fatal(err)
	}
	return transit, bank
}

// buys goes from the card on the reader to done.
func (w *hostTown) buys(amount money.Fen, card *virtual.Bank) {
	w.t.Helper()
	transit, bank := w.asks(amount, card)
	w.phase(topup.PINEntry)
	ctx, cancel := context.WithTimeout(context.Background(), hostWait)
	defer cancel()
	if err := w.pad.WaitPrompt(ctx); err != nil {
		w.t.Fatal(err)
	}
	if err := w.pad.Type(ctx, "123456"); err != nil {
		w.t.Fatal(err)
	}
	w.phase(topup.Finished)
	if err := bank.Remove(); err != nil {
		w.t.Fatal(err)
	}
	if err := transit.Remove(); err != nil {
		w.t.Fatal(err)
	}
}

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
