package hub

import (
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"buka/ui/wire"
)

// client is one browser. offer and fresh belong to the hub's goroutine.
type client struct {
	hub    *Hub
	ws     *websocket.Conn
	view   string
	who    string
	remote string
	alive  func() bool
	send   chan []byte
	gone   chan struct{}
	once   sync.Once
	fresh  bool // has not been sent the full state yet
}

func newClient(h *Hub, ws *websocket.Conn, view, who string, alive func() bool) *client {
	if alive == nil {
		alive = func() bool { return true }
	}
	ws.SetReadLimit(wire.MaxInput)
	return &client{hub: h, ws: ws, view: view, who: who, remote: ws.RemoteAddr().String(), alive: alive,
		send: make(chan []byte, h.o.Queue), gone: make(chan struct{}), fresh: true}
}

// offer queues a message, or says that the browser does not keep up.
func (c *client) offer(text []byte) bool {
	c.fresh = false
	select {
	case c.send <- text:
		return true
	default:
		return false
	}
}

// stop ends both goroutines of the client. It may be called often and does
// not wait.
func (c *client) stop() { c.once.Do(func() { close(c.gone) }) }

// write owns sending. It also closes the connection, which ends read.
func (c *client) write() {
	ping := time.NewTicker(c.hub.o.Pong / 3)
	defer ping.Stop()
	defer c.ws.Close()
	defer c.stop()
	for {
		var err error
		select {
		case <-c.gone:
			deadline := time.Now().Add(c.hub.o.Write)
			bye := websocket.FormatCloseMessage(websocket.CloseGoingAway, "")
			_ = c.ws.WriteControl(websocket.CloseMessage, bye, deadline)
			return
		case text := <-c.send:
			_ = c.ws.SetWriteDeadline(time.Now().Add(c.hub.o.Write))
			err = c.ws.WriteMessage(websocket.TextMessage, text)
		case <-ping.C:
			if !c.alive() {
				return
			}
			err = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(c.hub.o.Write))
		}
		if err != nil {
			return
		}
	}
}

// read owns receiving. A browser that sends what is not an input, or too
// much of it, is dropped.
func (c *client) read() {
	defer func() {
		c.stop()
		select {
		case c.hub.leave <- c:
		case <-c.hub.done:
		}
	}()
	alive := func(string) error { return c.ws.SetReadDeadline(time.Now().Add(c.hub.o.Pong)) }
	c.ws.SetPongHandler(alive)
	_ = alive("")
	window, inputs := time.Now(), 0
	for {
		kind, data, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		if now := time.Now(); now.Sub(window) >= time.Second {
			window, inputs = now, 0
		}
		inputs++
		if kind != websocket.TextMessage || inputs > c.hub.o.PerSec || !c.alive() {
			c.hub.o.Logger.Warn("a browser was dropped", "remote", c.remote, "inputs", inputs)
			return
		}
		in, err := wire.Decode(data)
		if err != nil {
			c.hub.o.Logger.Warn("a browser was dropped", "remote", c.remote, "err", err)
			return
		}
		c.take(in)
	}
}

// take hands an input to the page and tells the browser what came of it.
func (c *client) take(in wire.Input) {
	told, err := c.hub.page.Input(c.view, c.who, in)
	if err != nil {
		c.hub.o.Logger.Info("an input was refused", "do", in.Do, "sale", in.Sale, "rev", in.Rev, "err", err)
	}
	if told != "" {
		text, _ := json.Marshal(wire.Message{Kind: "told", Text: told, NowMS: c.hub.o.Now().UnixMilli()})
		select {
		case c.send <- text:
		default: // it does not keep up: the hub will notice
		}
	}
	if errors.Is(err, ErrStale) {
		select {
		case c.hub.refresh <- c:
		case <-c.gone:
		case <-c.hub.done:
		}
	}
}
