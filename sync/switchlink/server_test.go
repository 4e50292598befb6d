package switchlink

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"buka/internal/mac"
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
	const held = "what a handler held when it broke"
	log := &safeLog{}
	heard := make(chan uint32, 3)
	_, addr := serve(t, ServerConfig{Logger: log.logger(), Handler: handlerFunc(func(ctx context.Context, r *Request) (Response, bool) {
		if r.Kind == KindPay {
			heard <- r.STAN
		}
		switch {
		case r.Kind == KindPay && r.STAN == 1:
			panic("broken, with " + held)
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
	for _, secret := range []string{"6225880000000001", held} {
		if log.has(secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
	if !log.has("broke its handler") {
		t.Error("the panic was not logged")
	}
}

// malformed is a reversal whose DE59 cannot be read, with a MAC if there is a key.
func malformed(t *testing.T, k Authenticator, change ...func(*Message)) []byte {
	t.Helper()
	m, err := UnionPay().EncodeRequest(&Request{Kind: KindReverse, Terminal: "BUKA0001", Merchant: "BUKAMERCHANT001", STAN: 5, Sale: "S", Amount: 5, Reason: "98"})
	if err != nil {
		t.Fatal(err)
	}
	m.Fields[59] = []byte{0xDF, 0x01, 0x7F}
	for _, c := range change {
		c(m)
	}
	packed, err := m.packSealed(k)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// answersTo sends a message as it is, an echo behind it, and gives what the host
// says up to the answer to the echo: all, of one that does one thing at a time.
func answersTo(t *testing.T, addr string, message []byte) (list []*Message) {
	t.Helper()
	spec := UnionPay()
	ask, err := spec.EncodeRequest(&Request{Kind: KindEcho, Terminal: "BUKA0001", Merchant: "BUKAMERCHANT001"})
	if err != nil {
		t.Fatal(err)
	}
	echo, err := ask.Pack()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	for _, message := range [][]byte{message, echo} {
		frame, err := spec.frame.bytes(spec.frame.request(message))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(frame); err != nil {
			t.Fatal(err)
		}
	}
	for {
		f, err := spec.frame.read(conn)
		if err != nil {
			t.Fatal(err)
		}
		m, err := spec.Unpack(f.Message)
		if err != nil {
			t.Fatal(err)
		}
		if m.MTI == "0830" {
			return list
		}
		list = append(list, m)
	}
}

// TestFormatError: what can be read far enough to be answered gets 30, and never
// reaches the handler. Where there are keys its MAC is looked at first: the answer
// is 30 if it agrees and A0 if it does not, with a MAC of its own in both; without
// one only if the host has no key to make it with.
func TestFormatError(t *testing.T) {
	key := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	k, other := testKey{mac.UnionPayECB, key}, testKey{mac.UnionPayECB, append([]byte{0x98}, key[1:]...)}
	type authenticator = func(context.Context, string, string) (Authenticator, error)
	keys := func(a Authenticator, err error) authenticator {
		return func(context.Context, string, string) (Authenticator, error) { return a, err }
	}
	for _, c := range []struct {
		name   string
		host   authenticator
		kiosk  Authenticator
		want   string
		sealed bool
	}{
		{"a link without MACs", nil, nil, CodeFormat, false},
		{"a terminal without keys", keys(nil, nil), nil, CodeFormat, false},
		{"the right MAC", keys(k, nil), k, CodeFormat, true},
		{"a wrong MAC", keys(k, nil), other, CodeBadMAC, true},
		{"no MAC", keys(k, nil), nil, CodeBadMAC, true},
		{"the host has lost the keys", keys(nil, errors.New("no keys")), k, CodeBadMAC, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, addr := serve(t, ServerConfig{MAC: c.host, MaxUnderway: 1, Handler: handlerFunc(func(_ context.Context, r *Request) (Response, bool) {
				if r.Kind != KindEcho {
					t.Error("a malformed request was handled")
				}
				return Response{Code: "00"}, true
			})})
			list := answersTo(t, addr, malformed(t, c.kiosk))
			if len(list) != 1 {
				t.Fatalf("%d answers", len(list))
			}
			got := list[0]
			if got.MTI != "0410" || got.Text(39) != c.want || got.Text(11) != "000005" {
				t.Errorf("%v, want %s", got, c.want)
			}
			if _, there := got.Fields[64]; there != c.sealed || c.sealed && got.sealedBy(k) != nil {
				t.Errorf("sealed is %v, %v", there, got.sealedBy(k))
			}
		})
	}
}

// TestNoRequestIsNotAnswered: nobody is told anything about a message that names no
// terminal, or asks nothing that is known; the link goes on.
func TestNoRequestIsNotAnswered(t *testing.T) {
	k := testKey{mac.X99, unhex(t, "0123456789ABCDEF")}
	_, addr := serve(t, ServerConfig{MaxUnderway: 1,
		MAC: func(context.Context, string, string) (Authenticator, error) { return k, nil },
		Handler: handlerFunc(func(context.Context, *Request) (Response, bool) {
			return Response{Code: "00"}, true
		})})
	for name, change := range map[string]func(*Message){
		"no terminal":       func(m *Message) { delete(m.Fields, 41) },
		"no STAN":           func(m *Message) { delete(m.Fields, 11) },
		"no such procedure": func(m *Message) { m.Fields[3] = []byte("777777") },
	} {
		t.Run(name, func(t *testing.T) {
			if list := answersTo(t, addr, malformed(t, k, change)); len(list) != 0 {
				t.Errorf("answers: %v", list)
			}
		})
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
