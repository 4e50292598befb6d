package switchlink

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"buka/internal/entry"
)

// rawHost is a TCP peer that does only what a test tells it. It takes frames and
// answers echoes unless it is mute.
type rawHost struct {
	t    *testing.T
	ln   net.Listener
	got  chan *incoming // requests but echoes
	mu   sync.Mutex
	mute bool
	all  []net.Conn
}

type incoming struct {
	conn net.Conn
	f    Frame
	m    *Message
	r    *Request

	sealed Authenticator // of the answer
}

func newRawHost(t *testing.T) *rawHost {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &rawHost{t: t, ln: ln, got: make(chan *incoming, 64)}
	t.Cleanup(func() { ln.Close(); h.hangUp() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			h.all = append(h.all, conn)
			h.mu.Unlock()
			go h.serve(conn)
		}
	}()
	return h
}

func (h *rawHost) serve(conn net.Conn) {
	for {
		f, err := UnionPay().frame.read(conn)
		if err != nil {
			return
		}
		m, err := UnionPay().Unpack(f.Message)
		if err != nil {
			h.t.Error(err)
			return
		}
		r, err := UnionPay().DecodeRequest(m)
		if err != nil {
			h.t.Error(err)
			return
		}
		in := &incoming{conn: conn, f: f, m: m, r: r}
		h.mu.Lock()
		mute := h.mute
		h.mu.Unlock()
		switch {
		case r.Kind != KindEcho:
			h.got <- in
		case !mute:
			in.answer(h.t, Response{Code: "00"})
		}
	}
}

func (h *rawHost) setMute(m bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mute = m
}

func (h *rawHost) hangUp() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.all {
		c.Close()
	}
	h.all = nil
}

func (h *rawHost) next() *incoming {
	h.t.Helper()
	select {
	case in := <-h.got:
		return in
	case <-time.After(30 * time.Second):
		h.t.Fatal("no request came")
		return nil
	}
}

func (in *incoming) answer(t *testing.T, a Response, change ...func(*Message)) {
	m, err := UnionPay().EncodeResponse(in.r, a)
	if err != nil {
		t.Error(err)
		return
	}
	for _, c := range change {
		c(m)
	}
	b, err := m.packSealed(in.sealed)
	if err != nil {
		t.Error(err)
		return
	}
	frame, err := UnionPay().frame.bytes(in.f.Reply(b))
	if err != nil {
		t.Error(err)
		return
	}
	in.conn.Write(frame) // the test may have hung up
}

// safeLog is a log that may be read while it is written.
type safeLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *safeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *safeLog) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.b.Bytes(), []byte(s))
}

func (l *safeLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *safeLog) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func dialTo(t *testing.T, cfg Config) *Client {
	t.Helper()
	cfg.TerminalID, cfg.MerchantID = "BUKA0001", "BUKAMERCHANT001"
	if cfg.MaxBackoff == 0 {
		cfg.MaxBackoff = 50 * time.Millisecond
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); time.Now().Before(limit); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

var testTry = entry.Attempt{Card: entry.Card{Family: "tunion", Number: "3105170010170907984"}, Slot: 2, OldBalance: 2850, Amount: 5000,
	Terminal: entry.Hex{1, 2, 3, 4, 5, 6}, Random: entry.Hex{1, 2, 3, 4}, MAC1: entry.Hex{5, 6, 7, 8}}

func testPayment(stan uint32) Payment {
	return Payment{STAN: stan, Batch: 7, Sale: "ABCDEFGH01234567", Card: testTry.Card, Slot: 2, Amount: 5000,
		PAN: "6225880000000001", Expiry: "3012"}
}

func testReversal(stan uint32) Reversal {
	return Reversal{STAN: stan, Batch: 7, Sale: "ABCDEFGH01234567", Amount: 5000, Reason: ReasonNoAnswer}
}

func bg() context.Context { return context.Background() }
