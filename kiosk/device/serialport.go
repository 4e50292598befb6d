package device

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"go.bug.st/serial"
)

const (
	// readPoll bounds one read of the port, and so how long closing takes.
	readPoll = 100 * time.Millisecond
	// chunkBytes and chunksQueued bound what a line holds for its owner; more
	// waits in the kernel.
	chunkBytes, chunksQueued = 256, 16
	// closeWait bounds how long a close waits for a driver that hangs.
	closeWait = 2 * time.Second
)

// errWait says that a wait ended without what was waited for. go.bug.st/serial
// reports that as 0 bytes and no error.
var errWait = errors.New("nothing arrived in time")

// line is an open serial port that cannot hang its owner. A reader goroutine
// turns the port into a channel, and a write has a deadline. After the first
// error a line is only good for close; open a new one. The port is closed when
// neither reader nor writer is inside it, because a file descriptor that is
// closed under a system call may be somebody else's by the time it is used.
type line struct {
	port   serial.Port
	rx     chan []byte   // owner overwrites each chunk after use
	gone   chan struct{} // closed when the port has failed, err is set before
	err    error
	quit   chan struct{}
	inside sync.WaitGroup
	closed chan struct{}
}

// openLine opens a port by its configured path. mode is data bits, parity and
// stop bits, as "8N1", "7E1" or "7O1". absent is what is said of a device whose
// port does not open.
func openLine(path string, baud int, mode string, absent error) (*line, error) {
	m, err := portMode(baud, mode)
	if err != nil {
		return nil, err
	}
	port, err := serial.Open(path, m)
	if err != nil {
		return nil, fmt.Errorf("%w (open %s: %w)", absent, path, err)
	}
	if err := port.SetReadTimeout(readPoll); err != nil {
		port.Close()
		return nil, fmt.Errorf("set the read time-out of %s: %w", path, err)
	}
	// What a pad has said to an earlier opening of the port is no answer to this
	// one. A port that cannot do this has nothing to forget.
	_ = port.ResetInputBuffer()
	l := &line{
		port:   port,
		rx:     make(chan []byte, chunksQueued),
		gone:   make(chan struct{}),
		quit:   make(chan struct{}),
		closed: make(chan struct{}),
	}
	l.inside.Add(1)
	go l.read()
	return l, nil
}

func portMode(baud int, mode string) (*serial.Mode, error) {
	m := &serial.Mode{BaudRate: baud, StopBits: serial.OneStopBit}
	switch mode {
	case "8N1":
		m.DataBits, m.Parity = 8, serial.NoParity
	case "7E1":
		m.DataBits, m.Parity = 7, serial.EvenParity
	case "7O1":
		m.DataBits, m.Parity = 7, serial.OddParity
	default:
		return nil, fmt.Errorf("line mode %q: write 8N1, 7E1 or 7O1", mode)
	}
	return m, nil
}

func (l *line) read() {
	defer l.inside.Done()
	chunk := make([]byte, chunkBytes)
	for {
		n, err := l.port.Read(chunk)
		if n > 0 {
			// A PIN block is in here. It is handed over, never copied: a copy goes
			// through vector registers, and a goroutine that is preempted then keeps
			// them on its stack.
			select {
			case l.rx <- chunk[:n]:
			case <-l.quit:
				clear(chunk)
			}
			chunk = make([]byte, chunkBytes)
		}
		if err != nil {
			l.err = fmt.Errorf("read the port: %w", err)
			close(l.gone)
			return
		}
		select {
		case <-l.quit:
			return
		default: // n == 0 without an error is the read time-out
		}
	}
}

// write sends all of b, or fails within limit. b is copied and may be
// overwritten at once.
func (l *line) write(b []byte, limit time.Duration) error {
	own := append([]byte(nil), b...)
	res := make(chan error, 1)
	l.inside.Add(1)
	go func() {
		defer l.inside.Done()
		defer clear(own)
		for at := 0; at < len(own); {
			n, err := l.port.Write(own[at:])
			if err != nil {
				res <- fmt.Errorf("write to the port: %w", err)
				return
			}
			at += n
		}
		res <- nil
	}()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case err := <-res:
		return err
	case <-t.C:
		return fmt.Errorf("write to the port: %w", errWait)
	}
}

// close gives the port back. It returns when that is done, or when the driver
// beneath hangs; then the port is closed whenever the driver lets go.
func (l *line) close() {
	close(l.quit)
	go func() {
		defer close(l.closed)
		l.inside.Wait()
		l.port.Close()
	}()
	t := time.NewTimer(closeWait / 2)
	defer t.Stop()
	select {
	case <-l.closed:
		return
	case <-t.C:
		l.port.ResetOutputBuffer() // a write that waits for a silent peer ends here
	}
	t.Reset(closeWait / 2)
	select {
	case <-l.closed:
	case <-t.C:
	}
}
