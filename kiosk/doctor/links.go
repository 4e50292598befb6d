package doctor

import (
	"context"
	"crypto/tls"
	"net"
	"strings"

	"buka/kiosk/config"
	"buka/kiosk/station"
)

// files reads what the configuration of links and bank cards names.
func files(cfg config.Config) Finding {
	if err := station.CheckFiles(cfg); err != nil {
		return bad("files", "correct the file or its path; the service does not start before", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return good("files", "message specs, keys, certificates and tables can be read")
}

// links looks whether each host answers, under TLS where that is configured.
func links(ctx context.Context, cfg config.Config) []Finding {
	all := []Finding{link(ctx, "switch link", cfg.Payments())}
	if loads, own := cfg.Loads(); own {
		all = append(all, link(ctx, "load authority", loads))
	}
	return all
}

func link(ctx context.Context, what string, l config.Link) Finding {
	found := reach(ctx, what, l.Address)
	if !found.OK || !l.TLS() {
		return found
	}
	c, err := station.TLSOf(l)
	if err != nil {
		return bad(what, "correct the certificates", "%v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	conn, err := (&tls.Dialer{NetDialer: &net.Dialer{}, Config: c}).DialContext(ctx, "tcp", l.Address)
	if err != nil {
		return bad(what, "compare the certificates with the host's operator: who signed them, for which name, until when", "%s answers, and not under TLS: %v", l.Address, err)
	}
	conn.Close()
	return good(what, "%s answers under TLS", l.Address)
}
