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
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"buka/cardio/reader"
	"buka/cardio/virtual"
	"buka/internal/entry"
	"buka/internal/money"
	"buka/internal/pin"
	"buka/kiosk/config"
	"buka/kiosk/device/virtualpad"
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
	return newHostTownBehind(t, func(authority string) string { return authority }, change...)
}

// newHostTownBehind has something between the kiosk and the load authority.
func newHostTownBehind(t *testing.T, between func(authority string) string, change ...func(*config.Config)) *hostTown {
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
	raw := master.Reveal()
	w.write("tmk", []byte(hex.EncodeToString(raw)+"\n"))
	cfg.PINPad.Keys, cfg.PINPad.KeySlot = pin.MasterSession, "1"
	cfg.Switch.MAC, cfg.Switch.MasterKey, cfg.Authority.MAC, cfg.Authority.MasterKey = "x9.19", w.file("tmk"), "x9.19", w.file("tmk")
	for _, f := range change {
		f(&cfg)
	}
	spec, err := specOf(cfg.Switch.Spec)
	if err != nil {
		t.Fatal(err)
	}
	w.host, err = host.Open(t.Context(), host.Config{Dir: w.file("host"), Authority: "127.0.0.1:0", TLS: tls, MAC: cfg.Payments().MAC, Spec: spec, RequireICC: true})
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
	cfg.Switch.Address, cfg.Authority.Address = w.host.SwitchAddr(), between(w.host.AuthorityAddr())
	cfg.Switch.CA, cfg.Switch.Cert, cfg.Switch.Key, cfg.Switch.Name = w.file("ca.pem"), w.file("kiosk.pem"), w.file("kiosk.key"), "switch.example"
	cfg.Authority.CA, cfg.Authority.Cert, cfg.Authority.Key, cfg.Authority.Name = cfg.Switch.CA, cfg.Switch.Cert, cfg.Switch.Key, cfg.Switch.Name
	cfg.Switch.Settle, cfg.BankCard.CAKeys, cfg.Purse.PINs = config.DayTime{}, "test", []string{"123456"}
	cfg.Readers.Transit, cfg.Readers.Bank = "transit", "bank"
	w.openPad(&cfg)
	w.run(cfg)
	return w
}

// openPad makes the pad that the configuration speaks of, under the host's keys.
func (w *hostTown) openPad(cfg *config.Config) {
	w.t.Helper()
	k := host.DefaultKeys()
	ksn := pin.KSN{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0}
	aesKSN := pin.AESKSN{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56}
	aes, err := pin.AESInitialKey(k.AESBDK, aesKSN)
	if err != nil {
		w.t.Fatal(err)
	}
	c := virtualpad.Config{Dir: w.file("pad"), Scheme: cfg.PINPad.Keys, Format: pin.Format(cfg.PINPad.Format), Logger: slog.New(slog.DiscardHandler)}
	switch c.Scheme {
	case pin.TDESDUKPT:
		c.IK, c.KSN = pin.InitialKey(k.BDK, ksn), ksn
	case pin.AESDUKPT:
		c.AESIK, c.AESKSN = aes, aesKSN
	case pin.MasterSession:
		c.MasterKeys = map[byte]pin.SecretKey{'1': k.TMK}
	}
	if w.pad, err = virtualpad.Open(c); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.pad.Close() })
	cfg.PINPad.Port = w.pad.SlavePath()
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
	w.until("sales, and the authority's keys", func(s topup.State) bool { return s.NoPayment() == "" && w.st.links.signOn.stands() })
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
	w.types("123456")
	w.phase(topup.Finished)
	if err := bank.Remove(); err != nil {
		w.t.Fatal(err)
	}
	if err := transit.Remove(); err != nil {
		w.t.Fatal(err)
	}
}

// types a PIN as soon as the pad asks for it.
func (w *hostTown) types(digits string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hostWait)
	defer cancel()
	if err := w.pad.WaitPrompt(ctx); err != nil {
		w.t.Fatal(err)
	}
	if err := w.pad.Type(ctx, digits); err != nil {
		w.t.Fatal(err)
	}
}
