package pcscd

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const lockWait = 10 * time.Minute // another package may play all its cards first

func locked(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	t.Cleanup(cancel)
	unlock, err := Lock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unlock)
	if Answers() {
		t.Fatal("a PC/SC service runs that this test may not stop: stop it, the tests start their own")
	}
	return ctx
}

func TestEnsure(t *testing.T) {
	ctx := locked(t)
	stop, err := Ensure(ctx, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	second, err := Ensure(ctx, Options{})
	if err != nil {
		t.Fatal(err)
	}
	second()
	if !Answers() {
		t.Error("a service that others started is not ours to stop")
	}
	if _, err := Ensure(ctx, Options{Desk: true}); !errors.Is(err, ErrNoReader) {
		t.Error(err)
	}
	stop()
	stop()
	if Answers() {
		t.Error("it still answers")
	}
}

func TestEnsureAfterAKill(t *testing.T) {
	ctx := locked(t)
	program, err := find()
	if err != nil {
		t.Fatal(err)
	}
	d, err := start(program, []string{"--foreground"}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	if err := awaitReaders(ctx, Options{}.readers(), d); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(runDir, "pcscd.pid")); err != nil {
		t.Fatal("its process id is kept elsewhere now:", err)
	}
	if err := clearStale(); err == nil {
		t.Error("a service that lives is not cleared away")
	}
	d.process.Kill()
	<-d.ended
	// Its process id has come to belong to something else: this test.
	if err := os.WriteFile(filepath.Join(runDir, "pcscd.pid"), []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
		t.Fatal(err)
	}
	stop, err := Ensure(ctx, Options{Desk: true})
	if err != nil {
		t.Fatal(err)
	}
	stop()
}

func TestStartFails(t *testing.T) {
	locked(t)
	d, err := start("pcscd", []string{"--no-such-option"}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	err = awaitReaders(context.Background(), []string{Reader0}, d)
	if err == nil || d.said() == "" {
		t.Error(err, d.said())
	}
	if _, err := start("no-such-program", nil, func() {}); err == nil {
		t.Error("a program that is not there")
	}
}

func TestLockWaits(t *testing.T) {
	long, end := context.WithTimeout(t.Context(), lockWait)
	defer end()
	unlock, err := Lock(long)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Lock(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	unlock()
	again, err := Lock(long) // another process may have been faster
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestAPortThatIsTakenIsWaitedForAndNamed(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := awaitPorts(ctx, []int{port}); err == nil || !strings.Contains(err.Error(), strconv.Itoa(port)) {
		t.Errorf("taken: %v", err)
	}
	time.AfterFunc(200*time.Millisecond, func() { l.Close() })
	if err := awaitPorts(context.Background(), []int{port}); err != nil {
		t.Errorf("free again: %v", err)
	}
}
