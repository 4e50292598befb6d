package killtest

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"buka/ui/wire"
)

// page is what the passenger sees: the kiosk's own page, without a browser.
type page struct {
	mu    sync.Mutex
	conn  *websocket.Conn
	addr  string
	shown string // screen; "" while there is none
	sale  string
	rev   uint64
	since time.Time // this screen
}

func (p *page) turn(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addr = addr
	if p.conn != nil {
		p.conn.Close()
	}
}

func (p *page) at() (screen string, since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown, p.since
}

// look keeps the page connected until ctx ends.
func (p *page) look(ctx context.Context) {
	for ctx.Err() == nil {
		p.mu.Lock()
		addr := p.addr
		p.mu.Unlock()
		d := websocket.Dialer{HandshakeTimeout: 2 * time.Second}
		conn, _, err := d.DialContext(ctx, "ws://"+addr+"/ws", http.Header{"Origin": {"http://" + addr}})
		if err != nil {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		p.mu.Lock()
		p.conn = conn
		p.mu.Unlock()
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		for {
			var m wire.Message
			if conn.ReadJSON(&m) != nil {
				break
			}
			p.take(m)
		}
		stop()
		conn.Close()
		p.mu.Lock()
		p.conn, p.shown = nil, ""
		p.mu.Unlock()
	}
}

func (p *page) take(m wire.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.Kind == "told" {
		return
	}
	p.sale, p.rev = m.Sale, m.Rev
	if s := m.Root["data-screen"]; s != "" && s != p.shown {
		p.shown, p.since = s, time.Now()
	}
}

func (p *page) press(do, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil {
		_ = p.conn.WriteJSON(wire.Input{Sale: p.sale, Rev: p.rev, Do: do, Value: value}) // or it is gone
	}
}

// passenger tops up cards, one after another, and does what the screen says.
type passenger struct {
	*page
	w   *world
	rng *rand.Rand

	card     int       // in his hand or on the reader
	laid     bool      // on the reader
	since    time.Time // it is there
	tried    time.Time // the last press or PIN
	bankLaid bool
	mu       sync.Mutex
	buys     bool // or only finishes what is open
}

func (p *passenger) buying(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.buys = yes
}

func (p *passenger) wants() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buys
}

const (
	tick     = 20 * time.Millisecond
	patience = 4 * time.Second
	away     = 700 * time.Millisecond // until pcscd has noticed that a card is gone
)

func (p *passenger) run(ctx context.Context) {
	for ctx.Err() == nil {
		p.act(ctx)
		select {
		case <-time.After(tick):
		case <-ctx.Done():
		}
	}
}

func (p *passenger) act(ctx context.Context) {
	screen, since := p.at()
	if screen != "payment" && p.bankLaid {
		p.w.bank.Remove()
		p.bankLaid = false
	}
	switch screen {
	case "":
		return
	case "amount":
		if p.now() {
			if p.wants() {
				p.press("choose", oneTopUp)
			} else {
				p.press("stop", "")
			}
		}
	case "payment":
		if !p.bankLaid {
			p.bankLaid = p.w.bank.Insert(p.w.bankCard) == nil
		}
	case "pin":
		if p.w.lab.Pad().Snapshot().Waiting && p.now() {
			short, cancel := context.WithTimeout(ctx, time.Second)
			_ = p.w.lab.Pad().Type(short, digits) // the pad may have been told to stop
			cancel()
		}
	case "done", "declined", "contact":
		p.takeAway(p.rng.IntN(cards))
		p.press("ok", "")
	case "out-of-service":
	default:
		p.lay()
	}
	if p.laid && time.Since(later(since, p.since)) > patience {
		next := p.card // the same again, mostly
		if p.rng.IntN(3) == 0 || !p.wants() && screen != "unfinished" && screen != "hold" {
			next = (p.card + 1) % cards
		}
		p.takeAway(next)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// now says whether it is time to press again.
func (p *passenger) now() bool {
	if time.Since(p.tried) < 300*time.Millisecond {
		return false
	}
	p.tried = time.Now()
	return true
}

func (p *passenger) lay() {
	if p.laid && !p.w.front.Present() {
		p.laid = false
	}
	if !p.laid && p.w.front.Insert(p.w.purses[p.card]) == nil {
		p.laid, p.since = true, time.Now()
	}
}

func (p *passenger) takeAway(next int) {
	if p.laid {
		p.w.front.Remove()
		p.laid = false
		time.Sleep(away)
	}
	p.card = next
}
