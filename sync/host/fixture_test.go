package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/internal/pboc"
	"buka/internal/pin"
	"buka/sync/switchlink"
)

const (
	testTerminal = "BUKA0001"
	testMerchant = "BUKAMERCHANT001"
	testPAN      = "6225880000000001"
	testPIN      = "123456"
	testNumber   = "3105170010170907984"
)

var testCard = entry.Card{Family: "tunion", Number: testNumber}

// clockAt is the moment of the computed set of pboc-purse.md 1.8.
var clockAt = time.Date(2026, 1, 15, 9, 30, 15, 0, time.FixedZone("CST", 8*3600))

// logBuffer is a log that tests may read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// world is a host, one kiosk's link and a PIN pad.
type world struct {
	*testing.T
	dir    string
	log    *logBuffer
	faults *Faults
	host   *Host
	client *switchlink.Client
	batch  uint32
	stan   uint32
	ksn    pin.KSN
	change func(*Config)
}

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir(), log: &logBuffer{}, faults: &Faults{}, change: change}
	w.ksn, _ = pin.ParseKSN("FFFF9876543210E00000")
	w.openHost("")
	w.client = w.connect(testTerminal, 10*time.Second)
	w.signOn()
	if err := w.host.PutAccount(w.ctx(), Account{PAN: testPAN, PIN: testPIN, Expiry: "3012", Funds: 1000_00}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.client.Close()
		w.host.Close()
	})
	return w
}

func (w *world) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	w.Cleanup(cancel)
	return ctx
}

func (w *world) openHost(listen string) {
	w.Helper()
	cfg := Config{Dir: w.dir, Listen: listen, Logger: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Clock: func() time.Time { return clockAt }, Gate: w.faults.Gate}
	if w.change != nil {
		w.change(&cfg)
	}
	h, err := Open(w.ctx(), cfg)
	if err != nil {
		w.Fatal(err)
	}
	w.host = h
}

func (w *world) connect(terminal string, timeout time.Duration) *switchlink.Client {
	w.Helper()
	c, err := switchlink.New(switchlink.Config{Addr: w.host.SwitchAddr(), TerminalID: terminal, MerchantID: testMerchant,
		Timeout: timeout, MaxBackoff: 100 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(w.log, nil))})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w *world) signOn() {
	w.Helper()
	s, err := w.client.SignOn(w.ctx(), 1)
	if err != nil || s.Code != "00" || !s.HostTime.Equal(clockAt) {
		w.Fatalf("sign-on: %+v, %v", s, err)
	}
	w.batch, w.stan = s.Batch, max(w.stan, s.LastSTAN, 1)
}

func (w *world) next() uint32 {
	w.stan++
	return w.stan
}

// payment is a good one, with a fresh STAN and KSN.
func (w *world) payment(sale entry.SaleID, amount money.Fen, digits string) switchlink.Payment {
	w.Helper()
	var err error
	if w.ksn, err = w.ksn.Next(); err != nil {
		w.Fatal(err)
	}
	return switchlink.Payment{STAN: w.next(), Batch: w.batch, Sale: sale, Card: testCard, Slot: 2, Amount: amount, PAN: testPAN,
		Expiry: "3012", Track2: testPAN + "D30122010000012300000", PSN: "1", PIN: sealedPIN(w, w.ksn, digits, testPAN)}
}

func pinBlock(t testing.TB, ksn pin.KSN, digits, pan string) pin.Block {
	p, err := pin.NewPIN([]byte(digits))
	if err != nil {
		t.Fatal(err)
	}
	c, err := pin.Encode0(p, pan)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pin.TransactionKey(pin.InitialKey(DefaultKeys().BDK, ksn), ksn)
	if err != nil {
		t.Fatal(err)
	}
	return pin.EncryptBlock(key, c)
}

// sealedPIN is a block as it comes from a PIN pad.
func sealedPIN(t testing.TB, ksn pin.KSN, digits, pan string) *pin.Sealed {
	s, err := pin.NewSealed(pin.TDESDUKPT, pin.Format0)
	if err != nil {
		t.Fatal(err)
	}
	block := pinBlock(t, ksn, digits, pan)
	copy(s.Bytes(), block[:])
	s.KSN = ksn
	return s
}

// anew gives a payment with a PIN of its own: the link wipes what it has sent.
func anew(p switchlink.Payment) switchlink.Payment {
	if p.PIN != nil {
		copied := *p.PIN
		p.PIN = &copied
	}
	return p
}

func (w *world) pay(p switchlink.Payment, want string) switchlink.Paid {
	w.Helper()
	got, err := w.client.Pay(w.ctx(), anew(p))
	if err != nil || got.Code != want {
		w.Fatalf("payment: %+v, %v; want %s", got, err, want)
	}
	return got
}

// attempt is what a card answers to INITIALIZE FOR LOAD. random distinguishes.
func attempt(number string, slot entry.Slot, old, amount money.Fen, random uint32) entry.Attempt {
	asn, err := pboc.ParseASN(number)
	if err != nil {
		panic(err)
	}
	a := entry.Attempt{Card: entry.Card{Family: "tunion", Number: number}, Slot: slot, OldBalance: old, Amount: amount,
		Terminal: entry.Hex{0x11, 0x22, 0x33, 0x44, 0x55, 0x66}, KeyVersion: 1,
		Random: entry.Hex{byte(random >> 24), byte(random >> 16), byte(random >> 8), byte(random)}}
	mac := cardLoad(a).MAC1(DefaultKeys().Load.Diversify(asn.X()))
	a.MAC1 = mac[:]
	return a
}

func cardLoad(a entry.Attempt) pboc.Load {
	l := pboc.Load{Type: pboc.PurseLoad, OldBalance: uint32(a.OldBalance), Counter: uint16(a.Slot), Random: pboc.Random(a.Random),
		Amount: uint32(a.Amount), Terminal: pboc.Terminal(a.Terminal)}
	if a.At != "" {
		b, err := pboc.EncodeBCD(string(a.At))
		if err != nil {
			panic(err)
		}
		l.Date, l.Time = pboc.Date(b[:4]), pboc.TimeOfDay(b[4:])
	}
	return l
}

// tacOf is what the card answers to CREDIT FOR LOAD.
func tacOf(a entry.Attempt) entry.Hex {
	asn, _ := pboc.ParseASN(a.Card.Number)
	mac := cardLoad(a).TAC(DefaultKeys().TAC.Diversify(asn.X()))
	return mac[:]
}

func (w *world) query(sale entry.SaleID, a entry.Attempt) switchlink.LoadQuery {
	return switchlink.LoadQuery{STAN: w.next(), Batch: w.batch, Sale: sale, Attempt: a}
}

// authorise asks and gives the attempt as the kiosk then knows it.
func (w *world) authorise(sale entry.SaleID, a entry.Attempt, want string) entry.Attempt {
	w.Helper()
	q := w.query(sale, a)
	got, err := w.client.AuthoriseLoad(w.ctx(), q)
	if err != nil || got.Code != want {
		w.Fatalf("authorise: %+v, %v; want %s", got, err, want)
	}
	a.STAN, a.At = q.STAN, got.At
	return a
}

func (w *world) confirm(sale entry.SaleID, a entry.Attempt, tac entry.Hex, want string) {
	w.Helper()
	got, err := w.client.ConfirmLoad(w.ctx(), switchlink.Confirmation{STAN: w.next(), Batch: w.batch, Sale: sale, Attempt: a, TAC: tac, By: "card"})
	if err != nil || got.Code != want {
		w.Fatalf("confirm: %+v, %v; want %s", got, err, want)
	}
}

func (w *world) void(sale entry.SaleID, a entry.Attempt, want string) {
	w.Helper()
	got, err := w.client.VoidLoad(w.ctx(), switchlink.Void{STAN: w.next(), Batch: w.batch, Sale: sale, Attempt: a})
	if err != nil || got.Code != want {
		w.Fatalf("void: %+v, %v; want %s", got, err, want)
	}
}

func (w *world) reverse(p switchlink.Payment, want string) {
	w.Helper()
	got, err := w.client.Reverse(w.ctx(), reversalOf(p))
	if err != nil || got.Code != want {
		w.Fatalf("reverse: %+v, %v; want %s", got, err, want)
	}
}

func reversalOf(p switchlink.Payment) switchlink.Reversal {
	return switchlink.Reversal{STAN: p.STAN, Batch: p.Batch, Sale: p.Sale, Amount: p.Amount, Reason: switchlink.ReasonNoAnswer}
}

func (w *world) charged(want money.Fen) {
	w.Helper()
	net, err := w.host.NetDebits(w.ctx(), testPAN)
	if err != nil || net != want {
		w.Fatalf("net debits %v, %v; want %v", net, err, want)
	}
	funds, err := w.host.Funds(w.ctx(), testPAN)
	if err != nil || funds != 1000_00-want {
		w.Fatalf("funds %v, %v; want %v", funds, err, 1000_00-want)
	}
}

func saleID(n int) entry.SaleID { return entry.SaleID(fmt.Sprintf("SALE%012d", n)) }

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func unanswered(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, switchlink.ErrNoAnswer) {
		t.Fatalf("%v, want no answer", err)
	}
}

// withPIN gives a request the PIN of a payment.
func withPIN(r *switchlink.Request, p switchlink.Payment) *switchlink.Request {
	r.PIN = p.PIN
	return r
}
