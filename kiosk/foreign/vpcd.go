package foreign

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// atr is that of a CPU card behind a contactless reader (§4.1), as a lab note
// has it.
var atr = unhex("3B8B80012090000000000066799D241C")

// field holds the card's socket to the driver: open is present, closed is gone.
type field struct {
	card *card

	mu     sync.Mutex
	here   bool          // wanted in the field
	change chan struct{} // closed and made anew when here changes
	conn   net.Conn
	other  *card // lies in the card's place; nil: none does
	took   *card // lay there once
}

func newField(c *card) *field { return &field{card: c, change: make(chan struct{})} }

// put puts the card into the field or takes it out.
func (f *field) put(here bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.here = here
	if !here && f.conn != nil {
		f.conn.Close()
	}
	close(f.change)
	f.change = make(chan struct{})
}

func (f *field) wanted() (bool, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.here, f.change
}

const redial = 20 * time.Millisecond

// run keeps the socket as it is wanted until ctx ends. A driver that is not
// there, or that has let go, is called again.
func (f *field) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { f.put(false) })
	defer stop()
	for ctx.Err() == nil {
		here, changed := f.wanted()
		if !here {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		if conn, err := net.DialTimeout("tcp", f.card.opts.Addr, time.Second); err == nil {
			f.serve(conn)
		}
		select {
		case <-time.After(redial):
		case <-ctx.Done():
		}
	}
}

// serve answers the driver until the socket ends.
func (f *field) serve(conn net.Conn) {
	defer conn.Close()
	f.mu.Lock()
	if !f.here {
		f.mu.Unlock()
		return
	}
	f.conn = conn
	f.mu.Unlock()
	f.now().reset()
	for {
		frame, err := receive(conn)
		if err != nil {
			return
		}
		answer, left := f.respond(frame)
		if left {
			f.tear()
			return
		}
		if answer != nil && send(conn, answer) != nil {
			return
		}
	}
}

// respond gives the answer to a frame: none to off, on and reset.
func (f *field) respond(frame []byte) (answer []byte, left bool) {
	if len(frame) == 1 {
		switch frame[0] {
		case 0x00, 0x01, 0x02:
			f.now().reset()
		case 0x04:
			return atr, false
		}
		return nil, false
	}
	answer, v := f.now().answer(frame)
	if v == swapped {
		f.swap()
		answer, v = f.now().answer(frame)
	}
	return answer, v == dropped
}

// tear is the card pulled away in the middle. Somebody puts it back after a
// while, perhaps with a ride in between.
func (f *field) tear() {
	f.put(false)
	f.card.mu.Lock()
	after, away := f.card.opts.Return, f.card.opts.Away
	f.card.opts.Away = ""
	f.card.mu.Unlock()
	if away != "" {
		if err := f.card.elsewhere(away); err != nil {
			panic(err) // the test asked for what cannot be
		}
	}
	if after >= 0 {
		time.AfterFunc(after, func() { f.put(true) })
	}
}

func receive(conn net.Conn) ([]byte, error) {
	var head [2]byte
	quick(conn)
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint16(head[:]))
	quick(conn)
	_, err := io.ReadFull(conn, frame)
	return frame, err
}

func send(conn net.Conn, payload []byte) error {
	_, err := conn.Write(append(be16(uint16(len(payload))), payload...))
	return err
}

// quick has the next segment acknowledged at once: the driver sends length and
// payload apart and waits for the first acknowledgement (§4.4).
func quick(conn net.Conn) {
	t, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) })
}
