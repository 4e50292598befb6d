package e2e

import (
	"net/url"
	"sync"

	"github.com/chromedp/cdproto/network"
)

// traffic is what went over the websockets of some pages, both ways.
type traffic struct {
	mu     sync.Mutex
	paths  map[network.RequestID]string
	frames map[string][]string // by path of the socket
}

func newTraffic() *traffic {
	return &traffic{paths: map[network.RequestID]string{}, frames: map[string][]string{}}
}

// event takes what the browser tells about its sockets.
func (w *traffic) event(e any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	keep := func(id network.RequestID, f *network.WebSocketFrame) {
		if f != nil {
			w.frames[w.paths[id]] = append(w.frames[w.paths[id]], string(f.PayloadData))
		}
	}
	switch e := e.(type) {
	case *network.EventWebSocketCreated:
		if u, err := url.Parse(e.URL); err == nil {
			w.paths[e.RequestID] = u.Path
		}
	case *network.EventWebSocketFrameReceived:
		keep(e.RequestID, e.Response)
	case *network.EventWebSocketFrameSent:
		keep(e.RequestID, e.Response)
	}
}

// of gives the frames of one socket.
func (w *traffic) of(path string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.frames[path]...)
}

// wires is what went over the links between kiosk and host, by connection and
// direction.
type wires struct {
	mu      sync.Mutex
	streams map[stream][]byte
}

type stream struct {
	link, conn string
	out        bool // from the kiosk to the host
}

func (w *wires) hear(link, conn string, out bool, p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.streams == nil {
		w.streams = map[stream][]byte{}
	}
	s := stream{link, conn, out}
	w.streams[s] = append(w.streams[s], p...)
}

// sent counts the bytes that the kiosk sent over a link.
func (w *wires) sent(link string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for s, data := range w.streams {
		if s.link == link && s.out {
			n += len(data)
		}
	}
	return n
}

// all gives copies of the streams of a link.
func (w *wires) all(link string) map[stream][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := map[stream][]byte{}
	for s, data := range w.streams {
		if s.link == link {
			list[s] = append([]byte(nil), data...)
		}
	}
	return list
}
