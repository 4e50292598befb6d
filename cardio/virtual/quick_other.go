//go:build !linux

package virtual

import (
	"io"
	"net"
)

// quickReader has nothing to ask for where there is no TCP_QUICKACK.
func quickReader(conn net.Conn) io.Reader { return conn }
