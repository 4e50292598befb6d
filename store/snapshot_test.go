package store

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"buka/internal/entry"
)

// shortDir is a directory whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "st")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func serve(t *testing.T, s *Store) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.ServeSnapshots(ctx, SocketPath(s.path)) }()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if conn, err := net.Dial("unix", SocketPath(s.path)); err == nil {
			conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the socket does not answer")
		}
	}
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestASnapshotOfALiveJournal(t *testing.T) {
	s, _ := mustOpen(t, Path(shortDir(t)))
	fill(t, s, 100)
	if err := os.WriteFile(SocketPath(s.path), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.ServeSnapshots(context.Background(), SocketPath(s.path)); err == nil {
		t.Error("a file in the socket's place was removed")
	}
	os.Remove(SocketPath(s.path))
	// What a killed station leaves.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: SocketPath(s.path), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	stop := serve(t, s)
	stopAppend, appended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(appended)
		for i := 0; ; i++ {
			select {
			case <-stopAppend:
				return
			default:
				if _, err := s.Append(body(i)); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	last := uint64(0)
	for range 10 {
		snap, err := OpenSnapshot(s.path)
		if err != nil {
			t.Fatal(err)
		}
		if err := snap.Verify(context.Background(), nil); err != nil {
			t.Error(err)
		}
		seq, hash := snap.Tail()
		if _, _, h, err := s.Entry(seq); err != nil || h != hash || seq < last || len(all(t, snap)) != int(seq) {
			t.Errorf("snapshot up to %d after %d: %v", seq, last, err)
		}
		last = seq
		snap.Close()
	}
	close(stopAppend)
	<-appended
	stop()
	mustClose(t, s)
}

func TestASnapshotOfAFile(t *testing.T) {
	smp := makeSample(t, 100)
	dir := t.TempDir()
	path := smp.place(t, dir, smp.file)
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	snap, err := OpenSnapshot(path)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	s, _ := mustOpen(t, path) // nobody is held up
	defer mustClose(t, s)
	fill(t, s, 10)
	if got := all(t, snap); !same(got, smp.raws) {
		t.Errorf("%d entries", len(got))
	}
	e, ok, err := snap.LastCheckpoint()
	if err != nil || !ok || e.Kind != entry.KCheckpoint {
		t.Error(e.Seq, ok, err)
	}
	if st, err := snap.Stats(); err != nil || int(st.Entries) != len(smp.raws) || st.FreeRatio <= 0 {
		t.Error(st, err)
	}
	if begun, err := snap.Begun(); err != nil || begun.Kiosk != "K1" {
		t.Error(begun, err)
	}
}

func TestWhatIsNotASnapshot(t *testing.T) {
	smp := makeSample(t, 40)
	dir := shortDir(t)
	if _, err := OpenSnapshot(Path(dir)); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
	path := smp.place(t, dir, smp.file)
	os.Remove(path)
	if _, err := OpenSnapshot(path); !errors.Is(err, ErrLost) {
		t.Error(err)
	}
	smp.place(t, dir, smp.file[:len(smp.file)-1])
	if _, err := OpenSnapshot(path); !errors.As(err, new(*ErrDamaged)) {
		t.Error(err)
	}
	smp.place(t, dir, spoil(t, smp.file))
	snap, err := OpenSnapshot(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := snap.Verify(context.Background(), nil); !errors.As(err, new(*ErrDamaged)) {
		t.Errorf("a damaged meta page: %v", err)
	}
	snap.Close()

	smp.place(t, dir, smp.file)
	s, _ := mustOpen(t, path)
	defer mustClose(t, s)
	defer func(was time.Duration) { snapshotWait = was }(snapshotWait)
	snapshotWait = 20 * time.Millisecond
	if _, err := OpenSnapshot(path); !errors.Is(err, ErrLocked) {
		t.Errorf("nobody serves: %v", err)
	}
	if err := s.ServeSnapshots(context.Background(), filepath.Join(dir, string(make([]byte, 120)))); err == nil {
		t.Error("a path that is too long")
	}
	for _, says := range []string{"", "hello", "hello\n", "buka journal 1, 99999999999999999 bytes\n", "buka journal 1, 8192 bytes\nabc", "buka journal 1, 3 bytes\nabc"} {
		l, err := net.Listen("unix", SocketPath(path))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if conn, err := l.Accept(); err == nil {
				io.WriteString(conn, says)
				conn.Close()
			}
		}()
		if snap, err := OpenSnapshot(path); err == nil {
			t.Errorf("%q was taken for a journal", says)
			snap.Close()
		}
		l.Close()
	}
}
