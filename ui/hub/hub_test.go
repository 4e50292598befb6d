package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"buka/ui/wire"
)

// board is a page with two fragments.
type board struct {
	mu      sync.Mutex
	rev     uint64
	a, b    string
	changed func()
	inputs  []wire.Input
	subs    atomic.Int32
}

func (p *board) Frame(view string) Frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Frame{Sale: "S", Rev: p.rev, Root: map[string]string{"lang": view},
		Fragments: []wire.Fragment{{ID: "a", HTML: p.a}, {ID: "b", HTML: p.b}}}
}

func (p *board) Subscribe(changed func()) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = changed
	p.subs.Add(1)
	return func() { p.subs.Add(-1) }
}

func (p *board) Input(_, who string, in wire.Input) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if in.Rev != p.rev {
		return "", fmt.Errorf("%w: rev %d", ErrStale, in.Rev)
	}
	p.inputs = append(p.inputs, in)
	return "thanks " + who, nil
}

func (p *board) set(rev uint64, a, b string) {
	p.mu.Lock()
	p.rev, p.a, p.b = rev, a, b
	changed := p.changed
	p.mu.Unlock()
	changed()
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func serve(t *testing.T, p Page, o Options, alive func() bool) (*Hub, string) {
	t.Helper()
	o.Logger = quiet()
	h := New(p, o)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.Serve(w, r, r.URL.Query().Get("view"), "mei", alive)
	}))
	t.Cleanup(func() { h.Close(); web.Close() })
	return h, "ws" + strings.TrimPrefix(web.URL, "http")
}

func dial(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(20 * time.Second))
	return ws
}

func next(t *testing.T, ws *websocket.Conn) wire.Message {
	t.Helper()
	_, data, err := ws.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	var m wire.Message
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// ended waits until the other side has closed.
func ended(t *testing.T, ws *websocket.Conn) {
	t.Helper()
	for {
		_, _, err := ws.ReadMessage()
		if err == nil {
			continue
		}
		var timeout interface{ Timeout() bool }
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Fatal("the browser was not dropped")
		}
		return
	}
}

func TestFullStateThenChanges(t *testing.T) {
	p := &board{rev: 1, a: "one", b: "two"}
	_, url := serve(t, p, Options{}, nil)
	ws := dial(t, url+"?view=en")
	m := next(t, ws)
	if m.Kind != "frame" || m.Rev != 1 || m.Sale != "S" || len(m.Fragments) != 2 || m.Root["lang"] != "en" {
		t.Fatalf("%+v", m)
	}
	p.set(2, "one", "TWO")
	m = next(t, ws)
	if m.Rev != 2 || len(m.Fragments) != 1 || m.Fragments[0] != (wire.Fragment{ID: "b", HTML: "TWO"}) {
		t.Fatalf("%+v", m)
	}
	late := dial(t, url+"?view=zh")
	if m := next(t, late); len(m.Fragments) != 2 || m.Rev != 2 || m.Root["lang"] != "zh" {
		t.Fatalf("%+v", m)
	}
	p.set(2, "one", "TWO") // nothing new: nothing is sent
	p.set(3, "ONE", "TWO")
	for _, c := range []*websocket.Conn{ws, late} {
		if m := next(t, c); m.Rev != 3 || len(m.Fragments) != 1 || m.Fragments[0].HTML != "ONE" {
			t.Fatalf("%+v", m)
		}
	}
}

func TestStaleInputIsRefusedAndTheScreenSentAgain(t *testing.T) {
	p := &board{rev: 5, a: "x", b: "y"}
	_, url := serve(t, p, Options{}, nil)
	ws := dial(t, url)
	next(t, ws)
	write := func(in wire.Input) {
		text, _ := wire.Encode(in)
		if err := ws.WriteMessage(websocket.TextMessage, text); err != nil {
			t.Fatal(err)
		}
	}
	write(wire.Input{Sale: "S", Rev: 4, Do: "choose"})
	if m := next(t, ws); m.Kind != "frame" || m.Rev != 5 || len(m.Fragments) != 2 {
		t.Fatalf("%+v", m)
	}
	write(wire.Input{Sale: "S", Rev: 5, Do: "choose"})
	if m := next(t, ws); m.Kind != "told" || m.Text != "thanks mei" {
		t.Fatalf("%+v", m)
	}
	if len(p.inputs) != 1 || p.inputs[0].Rev != 5 {
		t.Fatalf("%+v", p.inputs)
	}
}

func TestSlowBrowserIsDropped(t *testing.T) {
	p := &board{rev: 1}
	_, url := serve(t, p, Options{Queue: 4, Write: 200 * time.Millisecond}, nil)
	slow := dial(t, url) // never reads while the page changes
	quick := dial(t, url)
	next(t, quick)
	big := strings.Repeat("x", 64<<10)
	for rev := uint64(2); rev <= 400; rev++ { // far more than the buffers of a connection hold
		p.set(rev, fmt.Sprint(rev, big), "")
		for next(t, quick).Rev < rev { // the quick one is never held up
		}
	}
	ended(t, slow)
}

func TestBadBrowsersAreDropped(t *testing.T) {
	p := &board{rev: 1}
	_, url := serve(t, p, Options{PerSec: 5}, nil)
	for name, send := range map[string]func(*websocket.Conn){
		"not an input": func(ws *websocket.Conn) { _ = ws.WriteMessage(websocket.TextMessage, []byte(`{"do":`)) },
		"binary":       func(ws *websocket.Conn) { _ = ws.WriteMessage(websocket.BinaryMessage, []byte(`{"do":"ok","rev":1}`)) },
		"too long":     func(ws *websocket.Conn) { _ = ws.WriteMessage(websocket.TextMessage, make([]byte, wire.MaxInput+1)) },
		"a flood": func(ws *websocket.Conn) {
			for range 20 {
				_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"do":"ok","rev":1}`))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ws := dial(t, url)
			next(t, ws)
			send(ws)
			ended(t, ws)
		})
	}
}

func TestTooManyBrowsers(t *testing.T) {
	_, url := serve(t, &board{}, Options{Clients: 2}, nil)
	first := dial(t, url)
	next(t, first)
	next(t, dial(t, url))
	ended(t, dial(t, url))
	first.Close()
	for { // the place is free again once the hub has noticed
		ws, _, err := websocket.DefaultDialer.Dial(url, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = ws.SetReadDeadline(time.Now().Add(20 * time.Second))
		_, _, err = ws.ReadMessage()
		ws.Close()
		if err == nil {
			return
		}
	}
}

func TestEndOfSessionEndsTheSocket(t *testing.T) {
	var alive atomic.Bool
	alive.Store(true)
	_, url := serve(t, &board{}, Options{Pong: 60 * time.Millisecond}, alive.Load)
	ws := dial(t, url)
	next(t, ws)
	alive.Store(false)
	ended(t, ws)
}

func TestDeadBrowserIsDropped(t *testing.T) {
	_, url := serve(t, &board{}, Options{Pong: 50 * time.Millisecond}, nil)
	ws := dial(t, url)
	next(t, ws)
	ws.SetPingHandler(func(string) error { return nil }) // says nothing back
	ended(t, ws)
}

func TestClose(t *testing.T) {
	p := &board{}
	h, url := serve(t, p, Options{}, nil)
	ws := dial(t, url)
	next(t, ws)
	h.Close()
	ended(t, ws)
	if p.subs.Load() != 0 {
		t.Error("the subscription outlived the hub")
	}
}

func TestManyAtOnce(t *testing.T) {
	p := &board{}
	_, url := serve(t, p, Options{Clients: 100, Gap: time.Millisecond, Every: 2 * time.Millisecond}, nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 10 {
				ws, _, err := websocket.DefaultDialer.Dial(fmt.Sprintf("%s?view=%d", url, i%3), nil)
				if err != nil {
					t.Error(err)
					return
				}
				_ = ws.SetReadDeadline(time.Now().Add(20 * time.Second))
				if _, _, err := ws.ReadMessage(); err != nil {
					t.Error(err)
				}
				_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"do":"ok","rev":0}`))
				ws.Close()
			}
		})
	}
	wg.Go(func() {
		for rev := range uint64(300) {
			p.set(rev, fmt.Sprint(rev), "")
		}
	})
	wg.Wait()
}
