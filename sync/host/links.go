package host

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"buka/sync/switchlink"
)

// The links of a host: the payment host alone, the load authority alone, or both
// in one. Each has working keys of its own; one that serves both has those of
// payments.
const (
	paymentsLink = "payments"
	loadsLink    = "loads"
)

// codeNotHere answers what the other of two links serves.
const codeNotHere = "40"

// side is what answers on one address.
type side struct {
	*Host
	link   string
	serves func(switchlink.Kind) bool
}

func everything(switchlink.Kind) bool { return true }

// forLoads: the kinds that the load authority serves.
func forLoads(k switchlink.Kind) bool {
	switch k {
	case switchlink.KindEligible, switchlink.KindAuthorise, switchlink.KindVerifyTAC, switchlink.KindVerifyCounter,
		switchlink.KindConfirm, switchlink.KindVoid:
		return true
	}
	return common(k)
}

func forPayments(k switchlink.Kind) bool { return common(k) || !forLoads(k) }

func common(k switchlink.Kind) bool { return k == switchlink.KindSignOn || k == switchlink.KindEcho }

// Handle fulfils switchlink.Handler.
func (s side) Handle(ctx context.Context, r *switchlink.Request) (switchlink.Response, bool) {
	if !s.serves(r.Kind) {
		return s.plain(codeNotHere), true
	}
	return s.handle(ctx, s.link, r)
}

// listen opens the addresses of the links. What is open already is closed by end.
func (h *Host) listen() error {
	sides := []struct {
		side
		listen string
		addr   *net.Addr
	}{{side{h, paymentsLink, everything}, h.cfg.Listen, &h.addr}}
	if h.cfg.Authority != "" {
		sides[0].serves = forPayments
		sides = append(sides, sides[0])
		sides[1].side, sides[1].listen, sides[1].addr = side{h, loadsLink, forLoads}, h.cfg.Authority, &h.authority
	}
	for _, s := range sides {
		ln, err := net.Listen("tcp", s.listen)
		if err != nil {
			return fmt.Errorf("switch link: %w", err)
		}
		*s.addr = ln.Addr()
		if h.cfg.TLS != nil {
			ln = tls.NewListener(ln, h.cfg.TLS)
		}
		server := switchlink.NewServer(switchlink.ServerConfig{Handler: s.side, Spec: h.cfg.Spec, MAC: h.authenticator(s.link), Logger: h.log})
		h.servers = append(h.servers, server)
		h.done.Go(func() {
			if err := server.Serve(ln); err != nil {
				h.log.Error("host: switch link", "error", err)
			}
		})
	}
	return nil
}

// hangUp ends the links and waits for what is under way.
func (h *Host) hangUp() (err error) {
	for _, s := range h.servers {
		err = errors.Join(err, s.Close())
	}
	h.done.Wait()
	return err
}
