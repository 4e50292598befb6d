package host

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"buka/internal/entry"
	"buka/sync/switchlink"
)

const childDir = "BUKA_TEST_HOST_DIR"

// TestMain is a host of its own when it is told so: one that commits payments,
// authorisations, reversals and settlements and never comes to answer them.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		h, err := Open(context.Background(), Config{Dir: dir, Clock: func() time.Time { return clockAt },
			Gate: func(r *switchlink.Request) Action {
				switch r.Kind {
				case switchlink.KindPay, switchlink.KindAuthorise, switchlink.KindReverse, switchlink.KindSettle, switchlink.KindUpload:
					return Action{Delay: time.Hour}
				}
				return Action{}
			}})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(h.SwitchAddr())
		select {}
	}
	os.Exit(m.Run())
}

// childHost starts a host process over the world's database and gives its
// address and what kills it dead.
func (w *world) childHost() (addr string, kill func()) {
	w.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+w.dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	kill = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	w.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		w.Fatal(err)
	}
	return strings.TrimSpace(line), kill
}

// TestKilledBetweenCommitAndAnswer kills a host process after each commit and
// before its answer; the next host gives that answer to the repeat.
func TestKilledBetweenCommitAndAnswer(t *testing.T) {
	w := newWorld(t, nil)
	var addr atomic.Value
	addr.Store(w.host.SwitchAddr())
	client, err := switchlink.New(switchlink.Config{
		TerminalID: testTerminal, MerchantID: testMerchant, Timeout: 20 * time.Second, MaxBackoff: 50 * time.Millisecond,
		Dial: func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr.Load().(string))
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	w.client.Close()
	w.client = client

	p := w.payment(saleID(1), 20_00, testPIN)
	a := attempt(testNumber, 2, 10_00, 20_00, 1)
	q := w.query(saleID(1), a)
	told := switchlink.Settlement{STAN: w.next(), Batch: w.batch, Totals: entry.Totals{Debit: 20_00, Debits: 1}} // but it was reversed
	steps := []struct {
		table string
		ask   func(context.Context) (any, error)
	}{
		{"payments", func(ctx context.Context) (any, error) { return client.Pay(ctx, anew(p)) }},
		{"ledger", func(ctx context.Context) (any, error) { return client.AuthoriseLoad(ctx, q) }},
		{"reversals", func(ctx context.Context) (any, error) { return client.Reverse(ctx, reversalOf(p)) }},
		{"batches WHERE state = 'uploading'", func(ctx context.Context) (any, error) { return client.Settle(ctx, told) }},
		{"differences", func(ctx context.Context) (any, error) {
			return client.Upload(ctx, switchlink.Upload{STAN: told.STAN, Batch: w.batch, Index: 1, Last: true, Sale: p.Sale, OrigSTAN: p.STAN, Amount: p.Amount})
		}},
	}
	for _, step := range steps {
		w.host.Close()
		at, kill := w.childHost()
		addr.Store(at)
		lost := make(chan error, 1)
		go func() {
			var err error
			for err = switchlink.ErrNotSent; err != nil && strings.Contains(err.Error(), "not sent"); {
				_, err = step.ask(w.ctx()) // until the new host is found
			}
			lost <- err
		}()
		w.committed(step.table)
		addr.Store("127.0.0.1:0") // or a dying process may still take a connection that nobody serves
		kill()
		unanswered(t, <-lost)
		w.openHost("")
		addr.Store(w.host.SwitchAddr())
		var first any
		for range 2 {
			got, err := w.again(step.ask)
			if err != nil {
				t.Fatal(step.table, err)
			}
			if first == nil {
				first = got
			}
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", first) || !strings.Contains(fmt.Sprintf("%+v", got), "Code:00") {
				t.Fatalf("%s: %+v, then %+v", step.table, first, got)
			}
		}
		if step.table == "payments" {
			w.charged(20_00)
		}
	}
	w.charged(0)
	if b := w.theBatch(w.batch); b.State != BatchDiffers || len(b.Differs) != 1 || b.Differs[0] != (entry.Difference{Sale: p.Sale, STAN: p.STAN, Kiosk: 20_00}) {
		t.Errorf("%+v", b)
	}
}

// again asks until the request could be sent.
func (w *world) again(ask func(context.Context) (any, error)) (got any, err error) {
	for range 200 {
		if got, err = ask(w.ctx()); err == nil || !strings.Contains(err.Error(), "not sent") {
			return got, err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return got, err
}

// committed waits until another process has committed a row.
func (w *world) committed(table string) {
	w.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.dir, "host.db")+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		w.Fatal(err)
	}
	defer db.Close()
	eventually(w, "a committed row in "+table, func() bool {
		var n int
		return db.QueryRow(`SELECT count(*) FROM `+table).Scan(&n) == nil && n == 1
	})
}
