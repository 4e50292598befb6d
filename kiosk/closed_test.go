package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"buka/kiosk/config"
	"buka/store"
)

// A kiosk whose journal cannot be opened says on its page that it is out of
// service, with the number to call, and tries again for ever.
func TestAJournalThatCannotBeOpenedClosesTheKiosk(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Kiosk, c.Data, c.Hotline, c.Language, c.Listen = "K1", t.TempDir(), "400 123 4567", "en", ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(store.Path(c.Data), 0o700); err != nil { // what no disk gives back as a file
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(store.Path(c.Data), "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, runCommand(), c, slog.New(slog.DiscardHandler)) }()
	page := ""
	for deadline := time.Now().Add(time.Minute); !strings.Contains(page, "400 123 4567"); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-ended:
			t.Fatalf("it has ended: %v", err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("no page: %.300s", page)
		}
		resp, err := http.Get("http://" + c.Listen + "/")
		if err != nil {
			continue
		}
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		resp.Body.Close()
		page = string(b)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
