package lab

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

// Delivery is one arrival of a message of the switch link: so much later, as
// these bytes.
type Delivery struct {
	After time.Duration
	Frame []byte
}

// Postman says what becomes of each whole message of the switch link, length
// field included: out are those of the kiosk. An empty list loses it. It may be
// asked from several goroutines.
type Postman func(out bool, frame []byte) []Delivery

// post puts a postman between the kiosk and a connection to the host.
func post(host net.Conn, carry Postman) net.Conn {
	kiosk, door := net.Pipe()
	go relay(door, host, true, carry)
	go relay(host, door, false, carry)
	return kiosk
}

// relay carries messages from one end to the other until either is closed.
func relay(from, to net.Conn, out bool, carry Postman) {
	defer from.Close()
	defer to.Close()
	var mu sync.Mutex
	for {
		frame, err := letter(from)
		if err != nil {
			return
		}
		for _, d := range carry(out, frame) {
			if d.After > 0 {
				time.AfterFunc(d.After, func() {
					mu.Lock()
					defer mu.Unlock()
					_, _ = to.Write(d.Frame) // the connection may be gone by then
				})
				continue
			}
			mu.Lock()
			_, err := to.Write(d.Frame)
			mu.Unlock()
			if err != nil {
				return
			}
		}
	}
}

// letter reads one message behind its length of two bytes.
func letter(from io.Reader) ([]byte, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, err
	}
	frame := make([]byte, 2+int(binary.BigEndian.Uint16(head)))
	copy(frame, head)
	_, err := io.ReadFull(from, frame[2:])
	return frame, err
}

func (l *Lab) dialSwitch(ctx context.Context) (net.Conn, error) {
	conn, err := l.toSwitch.dial(ctx, "tcp", l.listen.swtch)
	if err != nil || l.opts.Postman == nil {
		return conn, err
	}
	return post(conn, l.opts.Postman), nil
}
