package lab

import (
	"fmt"
	"net/netip"
	"os"
	"syscall"
)

// port keeps a port of the loopback for a host that dies and comes again. It is
// bound and never listens: whoever calls while the host is dead is refused, the
// system gives the port to nobody else, and the host may listen on it beside
// (SO_REUSEADDR, socket(7)).
type port struct{ socket int }

func keepPort() (*port, error) {
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	p := &port{s}
	if err := syscall.SetsockoptInt(s, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		p.free()
		return nil, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(s, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		p.free()
		return nil, fmt.Errorf("no port of the loopback is free: %w", os.NewSyscallError("bind", err))
	}
	return p, nil
}

// addr is "127.0.0.1:port".
func (p *port) addr() (string, error) {
	at, err := syscall.Getsockname(p.socket)
	if err != nil {
		return "", os.NewSyscallError("getsockname", err)
	}
	in := at.(*syscall.SockaddrInet4) // as it was bound
	return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port)).String(), nil
}

func (p *port) free() { syscall.Close(p.socket) }
