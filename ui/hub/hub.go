// Package hub keeps browsers up to date over websockets.
//
// It promises: a browser that connects gets the full state, then what
// changed; nobody waits for a browser, one that does not keep up is dropped
// and comes back by itself; every message, count and wait is bounded. It never
// queues what is outdated and never repeats an input. It keeps nothing.
//
// One goroutine owns the list of browsers and what they were last sent; each
// browser has one that reads and one that writes.
package hub

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"buka/ui/wire"
)

// ErrStale is to be wrapped by Page.Input when an input was meant for a state
// that is gone: the browser is sent the current one.
var ErrStale = errors.New("stale input")

// Frame is everything that one view of a page shows now.
type Frame struct {
	Sale      string
	Rev       uint64
	Root      map[string]string // attributes of the root element
	Fragments []wire.Fragment   // always the same ids in the same order
}

// Page is what a hub shows. Its methods are called from several goroutines.
type Page interface {
	// Frame renders a view now. It returns at once.
	Frame(view string) Frame
	// Subscribe has changed called after each change; changed never blocks.
	Subscribe(changed func()) (cancel func())
	// Input takes what somebody pressed. A non-empty text is shown to that
	// browser. An error that wraps ErrStale makes it look again.
	Input(view, who string, in wire.Input) (told string, err error)
}

// Options bound a hub. Zero values mean the defaults.
type Options struct {
	Clients  int           // browsers at a time; 64
	Queue    int           // messages waiting for one browser; 32
	Write    time.Duration // to send one message; 5 s
	Pong     time.Duration // without a sign of life; 30 s
	PerSec   int           // inputs of one browser a second; 30
	Gap      time.Duration // between two updates at least; 0
	Every    time.Duration // look again without a change; 0: never
	Now      func() time.Time
	Logger   *slog.Logger
	Upgrader *websocket.Upgrader // for its CheckOrigin
}

func (o Options) filled() Options {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.Clients, 64)
	def(&o.Queue, 32)
	def(&o.PerSec, 30)
	if o.Write <= 0 {
		o.Write = 5 * time.Second
	}
	if o.Pong <= 0 {
		o.Pong = 30 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Upgrader == nil {
		o.Upgrader = &websocket.Upgrader{}
	}
	return o
}

// Hub serves one page to any number of browsers, up to a bound.
type Hub struct {
	page    Page
	o       Options
	changed chan struct{} // one waiting change is as good as many
	join    chan *client
	leave   chan *client
	refresh chan *client
	done    chan struct{}
	stopped chan struct{}
	once    sync.Once
}

// New starts a hub. Close ends it.
func New(page Page, o Options) *Hub {
	h := &Hub{
		page:    page,
		o:       o.filled(),
		changed: make(chan struct{}, 1),
		join:    make(chan *client),
		leave:   make(chan *client),
		refresh: make(chan *client),
		done:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
	cancel := page.Subscribe(h.Changed)
	go func() {
		defer close(h.stopped)
		defer cancel()
		h.run()
	}()
	return h
}

// Changed tells the hub that the page may look different now. It never blocks.
func (h *Hub) Changed() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// Close drops every browser and waits until the hub's goroutine has ended.
func (h *Hub) Close() {
	h.once.Do(func() { close(h.done) })
	<-h.stopped
}

// view is what the browsers of one view were last sent.
type view struct {
	frame   Frame
	clients map[*client]bool
}

func (h *Hub) run() {
	views := map[string]*view{}
	count := 0
	drop := func(c *client) {
		v := views[c.view]
		if v == nil || !v.clients[c] {
			return
		}
		delete(v.clients, c)
		count--
		if len(v.clients) == 0 {
			delete(views, c.view)
		}
		c.stop()
	}
	all := func() {
		for name, v := range views {
			h.update(v, name, drop)
		}
	}
	var every <-chan time.Time // nil: never
	if h.o.Every > 0 {
		t := time.NewTicker(h.o.Every)
		defer t.Stop()
		every = t.C
	}
	changed, soon := h.changed, (<-chan time.Time)(nil) // while soon runs, changed is nil
	for {
		select {
		case <-h.done:
			for _, v := range views {
				for c := range v.clients {
					c.stop()
				}
			}
			return
		case c := <-h.join:
			if count >= h.o.Clients {
				h.o.Logger.Warn("a browser was refused: too many", "clients", count)
				c.stop()
				continue
			}
			v := views[c.view]
			if v == nil {
				v = &view{clients: map[*client]bool{}}
				views[c.view] = v
			}
			v.clients[c] = true
			count++
			h.update(v, c.view, drop) // so that all have the same before c gets it all
			if !c.offer(h.full(v.frame)) {
				drop(c)
			}
		case c := <-h.leave:
			drop(c)
		case c := <-h.refresh:
			v := views[c.view]
			if v == nil || !v.clients[c] {
				continue
			}
			h.update(v, c.view, drop)
			if v.clients[c] && !c.offer(h.full(v.frame)) {
				drop(c)
			}
		case <-soon:
			changed, soon = h.changed, nil
		case <-every:
			all()
		case <-changed:
			all()
			if h.o.Gap > 0 {
				changed, soon = nil, time.After(h.o.Gap)
			}
		}
	}
}

// update sends a view's browsers what has changed since they were last sent
// something. A browser whose queue is full is dropped.
func (h *Hub) update(v *view, name string, drop func(*client)) {
	fresh := h.page.Frame(name)
	text, some := h.delta(v.frame, fresh)
	v.frame = fresh
	if !some {
		return
	}
	for c := range v.clients {
		if c.fresh { // it gets the full state next
			c.fresh = false
			continue
		}
		if !c.offer(text) {
			h.o.Logger.Warn("a browser was dropped: it did not keep up", "remote", c.remote)
			drop(c)
		}
	}
}

func (h *Hub) message(f Frame, fragments []wire.Fragment) []byte {
	text, err := json.Marshal(wire.Message{Kind: "frame", Sale: f.Sale, Rev: f.Rev, Root: f.Root,
		NowMS: h.o.Now().UnixMilli(), Fragments: fragments})
	if err != nil { // strings and numbers only: cannot happen
		h.o.Logger.Error("a frame cannot be encoded", "err", err)
	}
	return text
}

func (h *Hub) full(f Frame) []byte { return h.message(f, f.Fragments) }

// delta gives the message that turns one frame into the next, and whether
// there is any difference.
func (h *Hub) delta(old, fresh Frame) (text []byte, some bool) {
	was := make(map[string]string, len(old.Fragments))
	for _, f := range old.Fragments {
		was[f.ID] = f.HTML
	}
	var changed []wire.Fragment
	for _, f := range fresh.Fragments {
		if html, ok := was[f.ID]; !ok || html != f.HTML {
			changed = append(changed, f)
		}
	}
	same := len(changed) == 0 && old.Sale == fresh.Sale && old.Rev == fresh.Rev && len(old.Root) == len(fresh.Root)
	for k, v := range fresh.Root {
		same = same && old.Root[k] == v
	}
	if same {
		return nil, false
	}
	return h.message(fresh, changed), true
}

// Serve upgrades a request and serves the browser until it leaves. alive is
// asked now and then whether the browser may still be here; nil means always.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, view, who string, alive func() bool) {
	ws, err := h.o.Upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	c := newClient(h, ws, view, who, alive)
	go c.write()
	select {
	case h.join <- c:
		c.read()
	case <-h.done:
		c.stop()
	}
}
