package fleetside

import (
	"context"
	"database/sql"
	"encoding/base32"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	_ "modernc.org/sqlite"

	"buka/internal/entry"
	"buka/sync/fleetlink"
	"buka/sync/fleetlink/fleetmsg"
)

// patience is how long a test waits for something that must come.
const patience = 60 * time.Second

const secret = "of the kiosks in these tests"

var (
	epochA = entry.Hex("epoch-A-16-bytes")
	epochB = entry.Hex("epoch-B-16-bytes")
)

func openDB(path string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=busy_timeout(10000)")
}

func testDB(t testing.TB) *sql.DB {
	t.Helper()
	db, err := openDB(filepath.Join(t.TempDir(), "host.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func startSide(t testing.TB, change func(*Config)) *Side {
	t.Helper()
	cfg := Config{DB: testDB(t), Kiosks: map[string]string{"K1": secret, "K2": secret}, Absent: time.Minute, Log: quiet()}
	if change != nil {
		change(&cfg)
	}
	s, err := Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// login connects as a kiosk without the link, to say what a link never would.
func login(t testing.TB, s *Side, kiosk string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("nats://"+s.Addr(), nats.UserInfo(kiosk, secret), nats.CustomInboxPrefix(fleetmsg.InboxPrefix(kiosk)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func request(t testing.TB, nc *nats.Conn, subject string, data []byte) fleetmsg.Reply {
	t.Helper()
	m, err := nc.Request(subject, data, patience)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	r, err := fleetmsg.DecodeReply(m.Data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func send(t testing.TB, nc *nats.Conn, b fleetmsg.Batch) fleetmsg.Reply {
	t.Helper()
	data, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return request(t, nc, fleetmsg.JournalSubject(b.Kiosk), data)
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

// memJournal is a journal in memory. The kiosk's store is used in the tests of
// the station; here the link and the host are.
type memJournal struct {
	mu       sync.Mutex
	stored   [][]byte
	hashes   []entry.Hash
	markSeq  uint64
	markHash entry.Hash
	page     int // most entries that a Read gives; 0: no bound of its own
}

func (j *memJournal) append(t testing.TB, bodies ...entry.Body) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, body := range bodies {
		seq, prev := j.tail()
		_, stored, hash, err := entry.Seal(seq+1, prev, time.UnixMilli(1_700_000_000_000+int64(seq)*1000), body)
		if err != nil {
			t.Fatal(err)
		}
		j.stored, j.hashes = append(j.stored, stored), append(j.hashes, hash)
	}
}

func (j *memJournal) tail() (uint64, entry.Hash) {
	n := len(j.hashes)
	if n == 0 {
		return 0, entry.Hash{}
	}
	return uint64(n), j.hashes[n-1]
}

func (j *memJournal) Tail() (uint64, entry.Hash) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.tail()
}

func (j *memJournal) Read(from uint64, limit, maxBytes int) ([][]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if from == 0 || from > uint64(len(j.stored)) {
		return nil, fmt.Errorf("entry %d is not there", from)
	}
	if j.page > 0 {
		limit = min(limit, j.page)
	}
	var list [][]byte
	sum := 0
	for _, raw := range j.stored[from-1:] {
		if len(list) > 0 && (len(list) >= limit || sum+len(raw) > maxBytes) {
			break
		}
		list, sum = append(list, raw), sum+len(raw)
	}
	return list, nil
}

func (j *memJournal) Mark() (uint64, entry.Hash, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.markSeq, j.markHash, nil
}

func (j *memJournal) SetMark(seq uint64, hash entry.Hash) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.markSeq, j.markHash = seq, hash
	return nil
}

func (j *memJournal) batch(kiosk string, epoch entry.Hex, first, last int) fleetmsg.Batch {
	b := fleetmsg.Batch{Kiosk: kiosk, Epoch: epoch, First: uint64(first), Entries: j.stored[first-1 : last]}
	if first > 1 {
		b.Prev = j.hashes[first-2]
	}
	return b
}

// cut gives a copy of the first n entries: a backup that is put back.
func (j *memJournal) cut(n int) *memJournal {
	return &memJournal{stored: j.stored[:n:n], hashes: j.hashes[:n:n]}
}

func saleID(n int) entry.SaleID {
	return entry.SaleID(base32.StdEncoding.EncodeToString(fmt.Appendf(nil, "%010d", n)))
}

// paidSale gives the entries of a sale up to the announced write.
func paidSale(n int) []entry.Body {
	of := entry.Of{Sale: saleID(n)}
	card := entry.Card{Family: "tunion", Number: "3105170010170907984"}
	return []entry.Body{
		entry.SaleOpened{Of: of, Card: card, Observed: entry.Observation{Balance: 2850}, Place: "transit"},
		entry.AmountChosen{Of: of, Amount: 5000},
		entry.PaymentStarted{Of: of, Tender: "bank-card", Amount: 5000, STAN: uint32(n), Batch: 1, PAN: "622588******0001"},
		entry.PaymentApproved{Of: of, Amount: 5000, RRN: "1", Code: "00"},
		entry.LoadRequested{Of: of, Attempt: entry.Attempt{Card: card, Amount: 5000}},
		entry.LoadAuthorised{Of: of, At: "20250101120000"},
		entry.WriteStarted{Of: of, ConfirmSTAN: 1, VoidSTAN: 2},
	}
}

func wholeSale(n int) []entry.Body {
	of := entry.Of{Sale: saleID(n)}
	return append(paidSale(n), entry.WriteDone{Of: of, TAC: entry.Hex{1, 2, 3, 4}, SW: 0x9000},
		entry.ConfirmationAcknowledged{Of: of, Code: "00"}, entry.SaleClosed{Of: of, Why: "done"})
}

func begun(kiosk string, epoch entry.Hex) entry.Body {
	return entry.EpochBegun{Epoch: epoch, Kiosk: kiosk}
}

func filled(t testing.TB, kiosk string, entries int) *memJournal {
	t.Helper()
	j := &memJournal{}
	j.append(t, begun(kiosk, epochA))
	for n := 0; len(j.stored) < entries; n++ {
		j.append(t, wholeSale(n)...)
	}
	return j.cut(entries)
}

// startLink runs a link to addr until the test ends or stop is called.
func startLink(t testing.TB, addr, kiosk string, j fleetlink.Journal, change func(*fleetlink.Config)) (l *fleetlink.Link, stop func()) {
	t.Helper()
	cfg := fleetlink.Config{
		URL: "nats://" + addr, Kiosk: kiosk, Epoch: epochA, Password: secret, Log: quiet(),
		HeartbeatEvery: 50 * time.Millisecond, RequestTimeout: 2 * time.Second,
		BackoffMin: 5 * time.Millisecond, BackoffMax: 100 * time.Millisecond,
		Linger: time.Millisecond, MarkEvery: 20 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	l, err := fleetlink.New(cfg, j)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("link ended: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return l, stop
}

func one(t testing.TB, s *Side, name string) Kiosk {
	t.Helper()
	list, err := s.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range list {
		if k.Name == name {
			return k
		}
	}
	t.Fatalf("no kiosk %s in %+v", name, list)
	return Kiosk{}
}
