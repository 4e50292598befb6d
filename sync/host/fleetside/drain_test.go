package fleetside

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"buka/sync/fleetlink"
)

// hostProcess makes the test binary run as a fleet host instead.
const hostProcess = "FLEETSIDE_TEST_HOST"

func TestMain(m *testing.M) {
	if path := os.Getenv(hostProcess); path != "" {
		runHost(path)
		return
	}
	os.Exit(m.Run())
}

// runHost is the host until its standard input ends or it is killed. It loses
// every eighth answer, after the commit.
func runHost(path string) {
	db, err := openDB(path)
	if err != nil {
		panic(err)
	}
	var answers atomic.Int64
	s, err := Start(context.Background(), Config{
		DB: db, Kiosks: map[string]string{"K1": secret}, Log: quiet(),
		swallow: func() bool { return answers.Add(1)%8 == 0 },
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	s.Close()
	_ = db.Close()
}

type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	addr  string
}

func startHost(t *testing.T, path string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), hostProcess+"="+path)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd, stdin: stdin}
	t.Cleanup(c.kill)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the host process did not start: %v", err)
	}
	c.addr = strings.TrimSpace(line)
	return c
}

// kill is SIGKILL: nothing is flushed, nothing is closed.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

func TestDrainThroughABadNetworkAndADyingHost(t *testing.T) {
	const total = 10_000
	path := filepath.Join(t.TempDir(), "host.db")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)

	whole := filled(t, "K1", total)
	j := whole.cut(total * 8 / 10)
	j.page = 60 // many batches, so that much can happen between them

	host := startHost(t, path)
	net := startProxy(t, host.addr, seed)
	l, stop := startLink(t, net.addr(), "K1", j, func(c *fleetlink.Config) {
		c.RequestTimeout = 300 * time.Millisecond // lost answers are many here
		c.BackoffMax = 20 * time.Millisecond
	})
	for _, at := range []uint64{total / 4, total / 2} {
		eventually(t, "the drain gets on", func() bool { return l.State().Mark >= at })
		host.kill()
		eventually(t, "the link says that it is down", func() bool { return !l.State().Up })
		host = startHost(t, path)
		net.target.Store(host.addr)
	}
	for n := len(j.stored); n < total; n++ { // the kiosk goes on selling meanwhile
		j.mu.Lock()
		j.stored, j.hashes = append(j.stored, whole.stored[n]), append(j.hashes, whole.hashes[n])
		j.mu.Unlock()
		l.Poke()
	}
	eventually(t, "all is shipped", func() bool { return l.State().Mark == total })
	st := l.State()
	stop()
	host.kill() // and once more after the end
	if st.Conflict != nil || st.Failures == 0 || net.cuts.Load() < 10 {
		t.Fatalf("%d cuts, %+v", net.cuts.Load(), st)
	}
	t.Logf("%d cuts, %d batches, %d requests failed", net.cuts.Load(), st.Batches, st.Failures)
	checkCopy(t, path, whole)
}

// checkCopy reads the host's database after its death and compares it with the
// journal, byte by byte.
func checkCopy(t *testing.T, path string, j *memJournal) {
	t.Helper()
	db, err := openDB(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	rows, err := collect(ctx, db, func(rows *sql.Rows) (r storedRow, err error) {
		err = rows.Scan(&r.seq, &r.hash, &r.stored)
		return r, err
	}, `SELECT seq, hash, stored FROM fleet_journal WHERE kiosk = 'K1' ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(j.stored) {
		t.Fatalf("the host has %d entries, the journal %d", len(rows), len(j.stored))
	}
	for i, r := range rows {
		if r.seq != uint64(i+1) || !bytes.Equal(r.stored, j.stored[i]) || !bytes.Equal(r.hash, j.hashes[i][:]) {
			t.Fatalf("row %d (entry %d) is not the journal's", i+1, r.seq)
		}
	}
	s := &Side{db: db}
	if n, err := s.Verify(ctx, "K1"); err != nil || n != uint64(len(j.stored)) {
		t.Fatal(n, err)
	}
	if holes, err := s.Holes(ctx, "K1"); err != nil || len(holes) != 0 {
		t.Fatal(holes, err)
	}
	sales, err := column[int](ctx, db, `SELECT count(*) FROM fleet_sale`)
	if err != nil || sales[0] != len(j.stored)/10 {
		t.Fatal(sales, err)
	}
}
