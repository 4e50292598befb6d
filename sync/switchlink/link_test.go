package switchlink

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"buka/internal/entry"
)

type paidOrNot struct {
	a   Paid
	err error
}

// TestLateAnswerIsNotTheNext: the payment times out, its reversal goes out under
// the same STAN, and then the 0210 comes. It must not answer the 0400.
func TestLateAnswerIsNotTheNext(t *testing.T) {
	h, log := newRawHost(t), &safeLog{}
	late := make(chan Late, 8)
	c := dialTo(t, Config{Addr: h.ln.Addr().String(), Timeout: 20 * time.Second, Logger: log.logger(), OnLate: func(l Late) { late <- l }})
	ctx, cancel := context.WithCancel(bg())
	lost := make(chan paidOrNot, 1)
	go func() {
		a, err := c.Pay(ctx, testPayment(5))
		lost <- paidOrNot{a, err}
	}()
	payment := h.next()
	cancel()
	if got := <-lost; !errors.Is(got.err, ErrNoAnswer) || errors.Is(got.err, ErrBadAnswer) {
		t.Fatalf("%+v", got)
	}
	reversed := make(chan error, 1)
	var answer Answer
	go func() {
		var err error
		answer, err = c.Reverse(bg(), testReversal(5))
		reversed <- err
	}()
	reversal := h.next()
	payment.answer(t, Response{Code: "00", Amount: 5000}, func(m *Message) { m.set(41, "BUKA0009") }) // other terminals' are told to nobody
	payment.answer(t, Response{Code: "00", Amount: 5000}, func(m *Message) { m.set(42, "BUKAMERCHANT002") })
	payment.answer(t, Response{Code: "00", Amount: 5000, RRN: "260115000001", Auth: "000017"})
	soon(t, "the late 0210 is logged", func() bool { return log.has("mti=0210") })
	if got, want := <-late, (Late{KindPay, 5, 7, "00", 5000, "260115000001", "000017"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	payment.answer(t, Response{Code: "00", Amount: 5000}) // once more
	select {
	case err := <-reversed:
		t.Fatalf("the 0210 answered the 0400: %+v, %v", answer, err)
	default:
	}
	reversal.answer(t, Response{Code: "25"})
	if err := <-reversed; err != nil || answer.Code != "25" {
		t.Fatalf("%+v, %v", answer, err)
	}
	go func() {
		a, err := c.Pay(bg(), testPayment(6))
		lost <- paidOrNot{a, err}
	}()
	inTime := h.next()
	inTime.answer(t, Response{Code: "51"})
	if got := <-lost; got.err != nil || got.a.Code != "51" {
		t.Fatalf("%+v", got)
	}
	inTime.answer(t, Response{Code: "51"})                                           // a duplicate is not late
	inTime.answer(t, Response{Code: "05"}, func(m *Message) { m.set(11, "000007") }) // a payment that this client never sent
	if got, want := <-late, (Late{Kind: KindPay, STAN: 7, Batch: 7, Code: "05"}); got != want {
		t.Errorf("%+v, want %+v: told twice, or another merchant's", got, want)
	}
}

// TestStaleAnswerToAQuery: a query is asked again under its STAN; the answer to
// the first asking is not taken for the second.
func TestStaleAnswerToAQuery(t *testing.T) {
	h, log := newRawHost(t), &safeLog{}
	c := dialTo(t, Config{Addr: h.ln.Addr().String(), Timeout: 20 * time.Second, Logger: log.logger()})
	key := PaymentKey{STAN: 5, Batch: 7, Sale: "ABCDEFGH01234567", Amount: 5000}
	ctx, cancel := context.WithCancel(bg())
	done := make(chan error, 1)
	go func() {
		_, err := c.QueryPayment(ctx, key)
		done <- err
	}()
	first := h.next()
	cancel()
	if err := <-done; !errors.Is(err, ErrNoAnswer) {
		t.Fatal(err)
	}
	second := make(chan paidOrNot, 1)
	go func() {
		a, err := c.QueryPayment(bg(), key)
		second <- paidOrNot{a, err}
	}()
	again := h.next()
	first.answer(t, Response{Code: "25"})
	again.answer(t, Response{Code: "00", Amount: 5000})
	if got := <-second; got.err != nil || got.a.Code != "00" {
		t.Fatalf("%+v", got)
	}
}

// TestAnswersOutOfOrder: several kinds are under way under one STAN; each gets
// its own.
func TestAnswersOutOfOrder(t *testing.T) {
	h := newRawHost(t)
	c := dialTo(t, Config{Addr: h.ln.Addr().String(), Timeout: 20 * time.Second})
	codes := map[Kind]string{KindPay: "51", KindReverse: "25", KindConfirm: "63", KindEligible: "61"}
	got := map[Kind]string{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for kind, ask := range map[Kind]func() (string, error){
		KindPay:      func() (string, error) { a, err := c.Pay(bg(), testPayment(5)); return a.Code, err },
		KindReverse:  func() (string, error) { a, err := c.Reverse(bg(), testReversal(5)); return a.Code, err },
		KindEligible: func() (string, error) { a, err := c.Eligible(bg(), LoadQuery{5, 7, "S", testTry}); return a.Code, err },
		KindConfirm: func() (string, error) {
			a, err := c.ConfirmLoad(bg(), Confirmation{STAN: 5, Batch: 7, Sale: "S", Attempt: testTry, By: "card"})
			return a.Code, err
		},
	} {
		all.Go(func() {
			code, err := ask()
			if err != nil {
				t.Error(kind, err)
			}
			mu.Lock()
			got[kind] = code
			mu.Unlock()
		})
	}
	var in []*incoming
	for range codes {
		in = append(in, h.next())
	}
	for i := len(in) - 1; i >= 0; i-- {
		in[i].answer(t, Response{Code: codes[in[i].r.Kind]})
	}
	all.Wait()
	for kind, want := range codes {
		if got[kind] != want {
			t.Errorf("%v: %s, want %s", kind, got[kind], want)
		}
	}
}

// TestBadAnswers: what is not about the request is no answer.
func TestBadAnswers(t *testing.T) {
	h := newRawHost(t)
	log := &safeLog{}
	c := dialTo(t, Config{Addr: h.ln.Addr().String(), Timeout: 20 * time.Second, Logger: log.logger()})
	for name, change := range map[string]func(*Message){
		"DE3":     func(m *Message) { m.set(3, "200000") },
		"DE4":     func(m *Message) { m.set(4, "000000004999") },
		"DE42":    func(m *Message) { m.set(42, "BUKAMERCHANT002") },
		"no DE39": func(m *Message) { delete(m.Fields, 39) },
		"no DE4":  func(m *Message) { delete(m.Fields, 4) },
	} {
		go func() { h.next().answer(t, Response{Code: "00", Amount: 5000}, change) }()
		if _, err := c.Pay(bg(), testPayment(5)); !errors.Is(err, ErrBadAnswer) || !errors.Is(err, ErrNoAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(bg())
	defer cancel()
	go func() {
		h.next().answer(t, Response{Code: "00"}, func(m *Message) { m.set(41, "BUKA0009") })
		for !log.has("an answer to no request") && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel() // it was heard, and nobody waits for another
	}()
	if _, err := c.Pay(ctx, testPayment(5)); !errors.Is(err, ErrNoAnswer) || !log.has("an answer to no request") {
		t.Errorf("another terminal's: %v", err)
	}
}

// TestNotSent: nothing listens, the dialer hangs, the request cannot be encoded,
// the link is closed. Nothing left, and it is said so.
func TestNotSent(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	c := dialTo(t, Config{Addr: ln.Addr().String(), Timeout: 20 * time.Second})
	if _, err := c.Pay(bg(), testPayment(5)); !errors.Is(err, ErrNotSent) || errors.Is(err, ErrNoAnswer) {
		t.Error(err)
	}
	if c.State().Up {
		t.Error("up without a host")
	}
	bad := testPayment(5)
	bad.PAN = "x"
	if _, err := c.Pay(bg(), bad); !errors.Is(err, ErrNotSent) || strings.Contains(err.Error(), "x\"") {
		t.Error(err)
	}
	c.Close()
	if _, err := c.Pay(bg(), testPayment(5)); !errors.Is(err, ErrNotSent) {
		t.Error(err)
	}

	var dials atomic.Int32
	hang := make(chan struct{})
	defer close(hang)
	d := dialTo(t, Config{Timeout: 50 * time.Millisecond, DialTimeout: 20 * time.Millisecond, Dial: func(context.Context) (net.Conn, error) {
		dials.Add(1)
		<-hang // it ignores its context
		return nil, errors.New("too late")
	}})
	for range 3 {
		if _, err := d.Pay(bg(), testPayment(5)); !errors.Is(err, ErrNotSent) {
			t.Error(err)
		}
	}
	soon(t, "a hanging dialer is left and tried again", func() bool { return dials.Load() >= 3 })
}

// TestALateDialerIsNotHeld: a connection that comes when nobody waits for it any
// more is closed, and none is left open.
func TestALateDialerIsNotHeld(t *testing.T) {
	came := make(chan net.Conn, 64)
	dialTo(t, Config{Timeout: 100 * time.Millisecond, EchoEvery: 50 * time.Millisecond, DialTimeout: 20 * time.Millisecond, Dial: func(ctx context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		<-ctx.Done()
		time.Sleep(20 * time.Millisecond)
		select {
		case came <- theirs:
		default:
			theirs.Close()
		}
		return ours, nil
	}})
	theirs := <-came
	defer theirs.Close()
	_ = theirs.SetReadDeadline(time.Now().Add(30 * time.Second))
	for buf := make([]byte, 64); ; {
		if _, err := theirs.Read(buf); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("the late connection is open: %v", err)
		}
	}
}

// TestNeverGivesUp: a host that is away, then hangs up, then talks nonsense, then
// swallows the link test; the client is there when it answers.
func TestNeverGivesUp(t *testing.T) {
	h := newRawHost(t)
	var phase, dials atomic.Int32
	var changes atomic.Int32
	c := dialTo(t, Config{Timeout: 100 * time.Millisecond, EchoEvery: 50 * time.Millisecond, OnState: func(State) { changes.Add(1) },
		Dial: func(ctx context.Context) (net.Conn, error) {
			dials.Add(1)
			switch phase.Load() {
			case 0:
				return nil, errors.New("no route")
			case 1:
				return nil, nil
			case 2, 3:
				ours, theirs := net.Pipe()
				if phase.Load() == 3 {
					go theirs.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
				} else {
					theirs.Close()
				}
				return ours, nil
			}
			var d net.Dialer
			return d.DialContext(ctx, "tcp", h.ln.Addr().String())
		}})
	h.setMute(true)
	for p := range int32(5) {
		phase.Store(p)
		from := dials.Load()
		soon(t, "more dials", func() bool { return dials.Load() >= from+3 })
		if c.State().Up {
			t.Fatalf("up in phase %d, where nothing answers", p)
		}
	}
	h.setMute(false)
	soon(t, "up", func() bool { return c.State().Up })
	soon(t, "the listener hears of it", func() bool { return changes.Load() > 0 })
	if s := c.State(); s.LastAnswer.IsZero() || s.Since.IsZero() {
		t.Errorf("%+v", s)
	}
	h.setMute(true)
	soon(t, "down when nothing answers", func() bool { return !c.State().Up })
	h.setMute(false)
	soon(t, "up again", func() bool { return c.State().Up })
}

// TestHangUpWhileTimingOut closes the connection at the moment that requests time
// out, again and again: a well-known package dead-locks here.
func TestHangUpWhileTimingOut(t *testing.T) {
	h := newRawHost(t)
	c := dialTo(t, Config{Addr: h.ln.Addr().String(), Timeout: 5 * time.Millisecond})
	go func() {
		for in := range h.got {
			_ = in
		}
	}()
	for round := range 60 {
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				_, err := c.Pay(bg(), testPayment(uint32(round*4+i+1)))
				if !errors.Is(err, ErrNoAnswer) && !errors.Is(err, ErrNotSent) {
					t.Error(err)
				}
			})
		}
		all.Go(func() {
			time.Sleep(5 * time.Millisecond)
			h.hangUp()
		})
		all.Wait()
	}
}

// TestCloseLeavesNothing counts goroutines.
func TestCloseLeavesNothing(t *testing.T) {
	h := newRawHost(t)
	before := runtime.NumGoroutine()
	for range 20 {
		c := dialTo(t, Config{Addr: h.ln.Addr().String(), OnState: func(State) {}})
		done := make(chan error, 1)
		go func() {
			_, err := c.Pay(bg(), testPayment(5))
			done <- err
		}()
		h.next()
		c.Close()
		if err := <-done; !errors.Is(err, ErrNoAnswer) {
			t.Fatal(err)
		}
	}
	soon(t, "the goroutines end", func() bool { return runtime.NumGoroutine() <= before+2 })
}

// TestVerdictsOfAnotherCounter: a host that speaks about another counter than
// asked is not believed.
func TestVerdictsOfAnotherCounter(t *testing.T) {
	h := newRawHost(t)
	c := dialTo(t, Config{Addr: h.ln.Addr().String(), Timeout: 20 * time.Second})
	go func() {
		h.next().answer(t, Response{Code: "00", Counter: entry.Counter{Value: 3, MAC1: entry.Verified, Fresh: true}})
	}()
	if got, err := c.VerifyCounter(bg(), LoadQuery{5, 7, "S", testTry}, testTry); !errors.Is(err, ErrBadAnswer) || got != (entry.Counter{}) {
		t.Errorf("%+v, %v", got, err)
	}
	go func() { h.next().answer(t, Response{Code: "57"}) }()
	var refused *Refused
	if _, err := c.VerifyTAC(bg(), LoadQuery{5, 7, "S", testTry}, entry.Proof{TAC: entry.Hex{1, 2, 3, 4}}); !errors.As(err, &refused) || refused.Code != "57" {
		t.Error(err)
	}
}

// TestDownAfterSilence: a request without an answer takes the link down until
// something is answered again, here the link test.
func TestDownAfterSilence(t *testing.T) {
	h := newRawHost(t)
	c := dialTo(t, Config{Addr: h.ln.Addr().String(), Timeout: 200 * time.Millisecond, EchoEvery: time.Hour}) // it is asked because of the silence
	soon(t, "up", func() bool { return c.State().Up })
	before := c.State().Since
	if _, err := c.Reverse(bg(), testReversal(5)); !errors.Is(err, ErrNoAnswer) {
		t.Fatal(err)
	}
	soon(t, "down and up again", func() bool { s := c.State(); return s.Up && s.Since.After(before) })
}

// TestOneMissingAnswer: a request without an answer leaves a link up that has
// answered others since. A sale at its bank card would be ended for nothing.
func TestOneMissingAnswer(t *testing.T) {
	h := newRawHost(t)
	downs := make(chan State, 8)
	c := dialTo(t, Config{Addr: h.ln.Addr().String(), Timeout: time.Second, EchoEvery: time.Hour, OnState: func(s State) {
		if !s.Up {
			downs <- s
		}
	}})
	soon(t, "up", func() bool { return c.State().Up })
	before := c.State()
	lost := make(chan error, 1)
	go func() {
		_, err := c.Reverse(bg(), testReversal(5))
		lost <- err
	}()
	h.next() // never answered
	if err := c.Echo(bg(), 6); err != nil {
		t.Fatal(err)
	}
	answered := c.State().LastAnswer
	if err := <-lost; !errors.Is(err, ErrNoAnswer) {
		t.Fatal(err)
	}
	soon(t, "the link is tested", func() bool { return c.State().LastAnswer.After(answered) })
	if now := c.State(); !now.Since.Equal(before.Since) || len(downs) > 0 {
		t.Errorf("up since %v, not %v; down %d times", now.Since, before.Since, len(downs))
	}
}
