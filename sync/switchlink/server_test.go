package switchlink

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

type handlerFunc func(ctx context.Context, r *Request) (Response, bool)

func (f handlerFunc) Handle(ctx context.Context, r *Request) (Response, bool) { return f(ctx, r) }

func serve(t *testing.T, cfg ServerConfig) (*Server, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(cfg)
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, ln.Addr().String()
}

// TestServerSurvives: nonsense, a request that breaks its handler, one that is
// never answered; others are served meanwhile.
func TestServerSurvives(t *testing.T) {
	log := &safeLog{}
	heard := make(chan uint32, 3)
	_, addr := serve(t, ServerConfig{Logger: log.logger(), Handler: handlerFunc(func(ctx context.Context, r *Request) (Response, bool) {
		if r.Kind == KindPay {
			heard <- r.STAN
		}
		switch {
		case r.Kind == KindPay && r.STAN == 1:
			panic("broken")
		case r.Kind == KindPay && r.STAN == 2:
			return Response{}, false
		}
		return Response{Code: "00", Amount: r.Amount}, true
	})})
	for _, junk := range []string{"\x00\x00", "GET / HTTP/1.1\r\n\r\n", "\x00\x15\x60", "\xFF\xFF"} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte(junk))
		conn.(*net.TCPConn).CloseWrite()
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%q was answered", junk)
		}
		conn.Close()
	}
	c := dialTo(t, Config{Addr: addr, Timeout: 20 * time.Second})
	for stan, want := range map[uint32]error{1: ErrNoAnswer, 2: ErrNoAnswer, 3: nil} {
		p := testPayment(stan)
		p.PAN = "6225880000000001"
		ctx, cancel := context.WithCancel(bg())
		go func() {
			if <-heard == stan && want != nil {
				soon(t, "what is not answered is done with", func() bool { return stan != 1 || log.has("broke its handler") })
				cancel() // nobody waits for it any more
			}
		}()
		if _, err := c.Pay(ctx, p); !errors.Is(err, want) {
			t.Errorf("STAN %d: %v", stan, err)
		}
		cancel()
	}
	for _, secret := range []string{"6225880000000001", "broken handler state"} {
		if log.has(secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
	if !log.has("broke its handler") {
		t.Error("the panic was not logged")
	}
}

// TestFormatError: what can be read far enough to be answered gets 30.
func TestFormatError(t *testing.T) {
	_, addr := serve(t, ServerConfig{Handler: handlerFunc(func(context.Context, *Request) (Response, bool) {
		t.Error("a malformed request was handled")
		return Response{}, false
	})})
	m, err := UnionPay().EncodeRequest(&Request{Kind: KindReverse, Terminal: "BUKA0001", Merchant: "BUKAMERCHANT001", Sale: "S", Amount: 5, Reason: "98"})
	if err != nil {
		t.Fatal(err)
	}
	m.Fields[59] = []byte{0xDF, 0x01, 0x7F}
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	frame, err := UnionPay().frame.bytes(UnionPay().frame.request(packed))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := conn.Write(frame); err != nil {
		t.Fatal(err)
	}
	f, err := UnionPay().frame.read(conn)
	if err != nil {
		t.Fatal(err)
	}
	got, err := UnionPay().Unpack(f.Message)
	if err != nil || got.MTI != "0410" || got.Text(39) != CodeFormat {
		t.Fatalf("%v, %v", got, err)
	}
}

// TestServerLimits: connections over the limit are hung up on, and Close ends
// handlers that wait.
func TestServerLimits(t *testing.T) {
	begun := make(chan struct{}, 8)
	s, addr := serve(t, ServerConfig{MaxConns: 1, Handler: handlerFunc(func(ctx context.Context, r *Request) (Response, bool) {
		if r.Kind == KindEcho {
			return Response{Code: "00"}, true
		}
		begun <- struct{}{}
		<-ctx.Done()
		return Response{Code: "00"}, true
	})})
	c := dialTo(t, Config{Addr: addr, Timeout: 20 * time.Second})
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := c.Reverse(bg(), testReversal(5)); !errors.Is(err, ErrNoAnswer) {
			t.Error(err)
		}
	})
	<-begun
	over, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer over.Close()
	over.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := over.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("one too many: %v", err)
	}
	s.Close()
	all.Wait()
}
