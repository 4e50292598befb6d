package virtual

import (
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// quickReader asks for an immediate acknowledgement before every read. vpcd
// sends length and payload in two pieces, and waits for the acknowledgement of
// the first: without this each command takes 40 ms. The kernel forgets the
// option, hence every time.
func quickReader(conn net.Conn) io.Reader {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	return quick{conn, raw}
}

type quick struct {
	net.Conn
	raw syscall.RawConn
}

func (q quick) Read(b []byte) (int, error) {
	// A failure costs speed only.
	q.raw.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
	})
	return q.Conn.Read(b)
}
