package switchlink

import (
	"crypto/tls"
	"io"
	"net"
	"time"
)

const (
	handshakeWait = 10 * time.Second
	refusedWait   = 5 * time.Second // that whoever was refused may go on talking
	refusedBytes  = 64 << 10
)

// welcome does the handshake of a connection behind TLS, and says whether the
// terminal may talk. A connection that is closed over bytes that nobody has read is
// reset, and the reset overtakes the alert that says why (RFC 8446 §6.2): so what a
// refused terminal has sent already is read and thrown away.
func (s *Server) welcome(conn net.Conn) bool {
	c, ok := conn.(*tls.Conn)
	if !ok {
		return true
	}
	if c.SetDeadline(time.Now().Add(handshakeWait)) != nil {
		return false
	}
	err := c.HandshakeContext(s.ctx)
	if err == nil {
		return c.SetDeadline(time.Time{}) == nil
	}
	s.cfg.Logger.Warn("switch host: a connection is refused", "from", conn.RemoteAddr().String(), "error", err)
	raw := c.NetConn()
	if half, ok := raw.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil && raw.SetReadDeadline(time.Now().Add(refusedWait)) == nil {
		io.CopyN(io.Discard, raw, refusedBytes)
	}
	return false
}
