package killtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"buka/cardio/reader/pcscd"
	"buka/cardio/virtual"
	"buka/internal/entry"
	"buka/internal/money"
	"buka/kiosk/lab"
	"buka/store"
	"buka/sync/host"
	"buka/sync/switchlink"
	"buka/topup"
)

const (
	pan      = "6225880000000001"
	digits   = "123456"
	cards    = 8
	funds    = money.Fen(100_000_000)
	lockWait = 10 * time.Minute // another package may play all its cards first
	oneTopUp = "1000"           // fen
)

// world is all that a kill does not take along.
type world struct {
	lab         *lab.Lab
	program     string // the kiosk
	config      string
	data        string
	front, bank *virtual.VPCD
	bankCard    *virtual.Bank
	purses      []*watched
	before      money.Fen // on all cards

	mu   sync.Mutex
	paid map[entry.SaleID]bool // whose payment has left the kiosk
	when *moment
}

// moment is when the kiosk will be killed: at the n-th event of a kind from now.
type moment struct {
	event string
	left  int
	later time.Duration
	kill  func()
}

// watched is a purse that tells when it is spoken to.
type watched struct {
	*virtual.Purse
	w *world
}

// Process answers as the card does.
func (c *watched) Process(cmd []byte) []byte {
	c.w.event("command")
	if virtual.IsCredit(cmd) {
		c.w.event("write")
		if kill := c.w.tears(); kill != nil {
			c.Purse.Tear(virtual.Tear{When: virtual.Before, Match: virtual.IsCredit, OnTorn: kill})
		}
	}
	answer := c.Purse.Process(cmd)
	c.w.event("answer")
	if virtual.IsCredit(cmd) {
		c.w.event("written")
	}
	return answer
}

func (w *world) event(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.when
	if m == nil || m.event != name {
		return
	}
	if m.left--; m.left > 0 {
		return
	}
	w.when = nil
	if m.later == 0 {
		m.kill()
	} else {
		time.AfterFunc(m.later, m.kill)
	}
}

// tears gives what kills the kiosk when its write does not reach the card's
// commit, if that is due.
func (w *world) tears() func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.when
	if m == nil || m.event != "torn write" {
		return nil
	}
	w.when = nil
	return m.kill
}

func (w *world) arm(m *moment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.when = m
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), lockWait)
	defer cancel()
	unlock, err := pcscd.Lock(ctx)
	must(t, err)
	t.Cleanup(unlock)
	dir := t.TempDir()
	w := &world{program: filepath.Join(dir, "kiosk"), config: filepath.Join(dir, "kiosk.toml"), data: filepath.Join(dir, "kiosk-data"), paid: map[entry.SaleID]bool{}}
	if out, err := exec.Command("go", "build", "-o", w.program, "buka/kiosk").CombinedOutput(); err != nil {
		t.Fatalf("build the kiosk: %v\n%s", err, out)
	}
	w.lab, err = lab.Open(t.Context(), lab.Options{Dir: filepath.Join(dir, "lab"), Reader: "pcsc", Log: logger()})
	must(t, err)
	t.Cleanup(func() {
		if err := w.lab.Close(); err != nil {
			t.Error(err)
		}
	})
	w.lab.Host().SetGate(w.gate)
	must(t, w.addCards(t.Context()))
	must(t, w.configure())
	at := func(port int) *virtual.VPCD {
		v := virtual.NewVPCD(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		t.Cleanup(func() { v.Remove() })
		return v
	}
	w.front, w.bank = at(pcscd.Port0), at(pcscd.Port1)
	return w
}

func logger() *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	}
	return slog.New(slog.DiscardHandler)
}

// gate sees every request to the host before it is worked on.
func (w *world) gate(r *switchlink.Request) host.Action {
	if r.Kind == switchlink.KindPay {
		w.mu.Lock()
		w.paid[r.Sale] = true
		w.mu.Unlock()
	}
	w.event("message")
	return host.Action{}
}

func (w *world) addCards(ctx context.Context) (err error) {
	for i := range cards {
		name := fmt.Sprintf("card%d", i)
		o := virtual.PurseOptions{Number: fmt.Sprintf("31051700101709%05d", 80000+i), Balance: 100, Counter: 2}
		if i%2 == 1 {
			o.Proof, o.Prove = virtual.KeepProof, virtual.ProveSame
		}
		if err := w.lab.AddCard(name, o); err != nil {
			return err
		}
		p, err := w.lab.Purse(name)
		if err != nil {
			return err
		}
		w.purses = append(w.purses, &watched{p, w})
	}
	w.before = w.onCards()
	if err := w.lab.AddBank(ctx, "blue", digits, funds, virtual.BankOptions{PAN: pan}, false); err != nil {
		return err
	}
	w.bankCard, err = virtual.NewBank(virtual.BankOptions{PAN: pan})
	return err
}

func (w *world) onCards() (sum money.Fen) {
	for _, p := range w.purses {
		sum += p.Balance()
	}
	return sum
}

// configure writes the kiosk's configuration.
func (w *world) configure() error {
	c := w.lab.Config()
	text := fmt.Sprintf(`kiosk = %q
data = %q
listen = "127.0.0.1:0"
language = "en"
[readers]
transit = %q
bank = %q
[purse]
terminal = %q
[pinpad]
port = %q
[switch]
address = %q
terminal = %q
merchant = %q
timeout = "3s"
[fleet]
url = %q
password = %q
heartbeat = "2s"
[sale]
amounts = ["10.00", "20.00"]
offer = "20s"
`, c.Kiosk, w.data, c.Readers.Transit, c.Readers.Bank, c.Purse.Terminal, c.PINPad.Port, c.Switch.Address, c.Switch.Terminal, c.Switch.Merchant, c.Fleet.URL, c.Fleet.Password)
	return os.WriteFile(w.config, []byte(text), 0o600)
}

// found is what a journal holds.
type found struct {
	entries uint64
	sales   map[entry.SaleID]bool // ever opened
	kinds   map[entry.Kind]int    // entries of each
	open    int
	owed    int
}

// journal reads the whole journal of the kiosk that runs.
func (w *world) journal() (f found, err error) {
	s, err := store.OpenSnapshot(store.Path(w.data))
	if err != nil {
		return f, err
	}
	defer s.Close()
	f.sales, f.kinds = map[entry.SaleID]bool{}, map[entry.Kind]int{}
	d := topup.New().Durable
	err = s.Each(1, func(e entry.Entry, _ []byte) error {
		body, err := e.Body()
		if err != nil {
			return err
		}
		if b, ok := body.(entry.SaleOpened); ok {
			f.sales[b.Sale] = true
		}
		f.entries = e.Seq
		f.kinds[e.Kind]++
		return d.Apply(body)
	})
	f.open, f.owed = len(d.Sales), d.Owed()
	return f, err
}

// kept holds the journal against what others were told: the host's fleet side
// has committed entries, and payments have left the kiosk.
func (w *world) kept(ctx context.Context) (f found, committed uint64, err error) {
	list, err := w.lab.Side().Snapshot(ctx)
	if err != nil {
		return f, 0, err
	}
	for _, k := range list {
		committed += k.Committed
		if k.Conflict != "" {
			return f, 0, fmt.Errorf("the host holds another journal than the kiosk: %s", k.Conflict)
		}
	}
	w.mu.Lock()
	paid := make([]entry.SaleID, 0, len(w.paid))
	for id := range w.paid {
		paid = append(paid, id)
	}
	w.mu.Unlock()
	if f, err = w.journal(); err != nil {
		return f, committed, err
	}
	if f.entries < committed {
		return f, committed, fmt.Errorf("lost: the host has %d entries, the kiosk %d", committed, f.entries)
	}
	for _, id := range paid {
		if !f.sales[id] {
			return f, committed, fmt.Errorf("lost: the payment of sale %s was sent, and the journal does not know it", id)
		}
	}
	return f, committed, nil
}

// conserved compares the bank's ledger with the cards' EEPROM.
func (w *world) conserved(ctx context.Context) error {
	taken, err := w.lab.Host().NetDebits(ctx, pan)
	if err != nil {
		return err
	}
	if gained := w.onCards() - w.before; taken != gained {
		return fmt.Errorf("the bank has taken %s and the cards have gained %s", taken, gained)
	}
	return nil
}

// moments makes the next moment of a kill at random.
func moments(rng *rand.Rand, kill func()) (m *moment, limit time.Duration) {
	later := time.Duration(0)
	if rng.IntN(2) == 0 {
		later = time.Duration(1+rng.IntN(12_000)) * time.Microsecond // the journal is being written
	}
	switch rng.IntN(10) {
	case 0:
		return &moment{"command", 1 + rng.IntN(20), later, kill}, 6 * time.Second
	case 1:
		return &moment{"answer", 1 + rng.IntN(20), later, kill}, 6 * time.Second
	case 2:
		return &moment{"message", 1 + rng.IntN(4), later, kill}, 6 * time.Second
	case 3:
		return &moment{"write", 1, later / 4, kill}, 6 * time.Second
	case 4, 5:
		return &moment{"torn write", 1, 0, kill}, 6 * time.Second
	case 6, 7:
		return &moment{"written", 1, later / 4, kill}, 6 * time.Second
	}
	return nil, time.Duration(rng.IntN(2500)) * time.Millisecond
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var errEnded = errors.New("the kiosk has ended by itself")
