// Package doctor looks at a kiosk and says what is wrong and what to do. It
// changes nothing, and it works beside a running service: what the service
// holds is not fought for but said.
package doctor

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"

	"buka/cardio/reader"
	"buka/kiosk/config"
	"buka/store"
)

// Finding is one thing that was looked at.
type Finding struct {
	What string `json:"what"`
	OK   bool   `json:"ok"`
	Says string `json:"says"`
	Do   string `json:"do,omitempty"` // what to do about it
}

const wait = 3 * time.Second // for each thing that may not answer

// Examine looks at everything that a configuration names.
func Examine(ctx context.Context, cfg config.Config) []Finding {
	var all []Finding
	all = append(all, disk(cfg), journal(ctx, cfg))
	all = append(all, backups(cfg)...)
	all = append(all, clock())
	all = append(all, readers(ctx, cfg)...)
	all = append(all, pinpad(cfg), files(cfg))
	all = append(all, links(ctx, cfg)...)
	if cfg.Printer.Port != "" {
		all = append(all, printer(cfg))
	}
	if cfg.Fleet.URL != "" {
		all = append(all, fleet(ctx, cfg))
	}
	return append(all, listeners())
}

func good(what, format string, a ...any) Finding {
	return Finding{What: what, OK: true, Says: fmt.Sprintf(format, a...)}
}

func bad(what, do, format string, a ...any) Finding {
	return Finding{What: what, Says: fmt.Sprintf(format, a...), Do: do}
}

func disk(cfg config.Config) Finding {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return bad("disk", "make the directory or correct `data`", "%v", err)
	}
	f, err := os.CreateTemp(cfg.Data, ".doctor-")
	if err != nil {
		return bad("disk", "give the service's user the right to write there", "%v", err)
	}
	f.Close()
	os.Remove(f.Name())
	var s unix.Statfs_t
	if err := unix.Statfs(cfg.Data, &s); err != nil {
		return bad("disk", "look at the file system", "%v", err)
	}
	free := s.Bavail * uint64(s.Bsize) >> 20
	if free < 256 {
		return bad("disk", "free some room: below 64 MiB no sale is opened", "%d MiB are free", free)
	}
	return good("disk", "%s can be written, %d MiB are free", cfg.Data, free)
}

func journal(ctx context.Context, cfg config.Config) Finding {
	s, err := store.OpenSnapshot(store.Path(cfg.Data))
	if errors.Is(err, store.ErrAbsent) {
		return good("journal", "none yet: the first start begins one")
	}
	if err != nil {
		return bad("journal", "do not delete anything; keep the file for recovery", "%v", err)
	}
	defer s.Close()
	if err := s.Verify(ctx, nil); err != nil {
		return bad("journal", "restart the service: it puts the damaged file aside and restores (docs/operations.md §4)", "%v", err)
	}
	n, _ := s.Tail()
	st, err := s.Stats()
	if err != nil {
		return bad("journal", "stop the kiosk and keep the file for recovery", "%v", err)
	}
	return good("journal", "%d entries, one unbroken chain; %d of them in archives; %d MiB, %.0f%% of its pages free", n, st.Archived, st.UsedBytes>>20, 100*st.FreeRatio)
}

// backups looks at what the journal is backed up to. The newest is not read:
// `kiosk journal verify --file` does that.
func backups(cfg config.Config) []Finding {
	var all []Finding
	for _, dir := range cfg.BackupDirs() {
		list, err := store.Backups(dir)
		every := time.Duration(cfg.Journal.BackupEvery)
		switch {
		case err != nil:
			all = append(all, bad("backup", "give the service's user the right to read and write there", "%v", err))
		case len(list) == 0:
			all = append(all, good("backup", "none in %s yet: the running service makes the first one after a minute", dir))
		case time.Since(list[len(list)-1].At) > 2*every+time.Hour:
			all = append(all, bad("backup", "look at the log of the service, and for room there", "the newest in %s is of %s", dir, list[len(list)-1].At.Format(time.RFC3339)))
		default:
			all = append(all, good("backup", "%d in %s, the newest up to entry %d, of %s", len(list), dir, list[len(list)-1].Seq, list[len(list)-1].At.Format(time.RFC3339)))
		}
	}
	return all
}

func clock() Finding {
	now := time.Now()
	if now.Year() < 2024 {
		return bad("clock", "set the clock; cards look not yet valid", "it is %s here", now.Format(time.RFC3339))
	}
	return good("clock", "%s", now.Format(time.RFC3339))
}

func readers(ctx context.Context, cfg config.Config) []Finding {
	src := reader.NewPCSC(reader.Limits{})
	defer src.Close()
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	select {
	case e := <-src.Events():
		if e.Kind == reader.ServiceDown {
			return []Finding{bad("readers", "start pcscd", "no smart card service: %v", e.Err)}
		}
	case <-ctx.Done():
		return []Finding{bad("readers", "restart pcscd", "the smart card service does not answer")}
	}
	rules := map[reader.Role]string{reader.Transit: cfg.Readers.Transit, reader.Bank: cfg.Readers.Bank}
	if cfg.Readers.Desk != "" {
		rules[reader.Desk] = cfg.Readers.Desk
	}
	roles, err := reader.NewRoles(rules)
	if err != nil {
		return []Finding{bad("readers", "correct [readers]", "%v", err)}
	}
	for len(src.Readers()) == 0 && ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond)
	}
	states := src.Readers()
	var names []string
	for _, s := range states {
		names = append(names, s.Reader)
	}
	var all []Finding
	for _, role := range []reader.Role{reader.Transit, reader.Bank, reader.Desk} {
		if rules[role] == "" {
			continue
		}
		what := "reader " + string(role)
		if have := roles.Readers(states, role); len(have) > 0 {
			all = append(all, good(what, "%s", have[0].Reader))
			continue
		}
		all = append(all, bad(what, "plug it in, or correct the expression in [readers]", "no reader fits %q; there are: %s", rules[role], strings.Join(names, ", ")))
	}
	return all
}

func pinpad(cfg config.Config) Finding {
	if _, err := os.Stat(cfg.PINPad.Port); err != nil {
		ports, _ := serial.GetPortsList()
		return bad("PIN pad", "plug it in, or correct pinpad.port", "%v; serial ports here: %s", err, strings.Join(ports, ", "))
	}
	p, err := serial.Open(cfg.PINPad.Port, &serial.Mode{BaudRate: cfg.PINPad.Baud})
	var perr *serial.PortError
	if errors.As(err, &perr) && perr.Code() == serial.PortBusy {
		return good("PIN pad", "%s is in use, by the running service it is hoped", cfg.PINPad.Port)
	}
	if err != nil {
		return bad("PIN pad", "give the service's user the right to use the port", "%s: %v", cfg.PINPad.Port, err)
	}
	p.Close()
	return good("PIN pad", "%s opens", cfg.PINPad.Port)
}

func reach(ctx context.Context, what, addr string) Finding {
	d := net.Dialer{Timeout: wait}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return bad(what, "look at the network and the host", "%v", err)
	}
	c.Close()
	return good(what, "%s answers", addr)
}

func fleet(ctx context.Context, cfg config.Config) Finding {
	u, err := url.Parse(cfg.Fleet.URL)
	if err != nil || u.Host == "" {
		return bad("fleet link", "correct fleet.url", "%q is no address", cfg.Fleet.URL)
	}
	return reach(ctx, "fleet link", u.Host)
}

// listeners names what listens on more than this machine (proc(5),
// /proc/net/tcp: state 0A).
func listeners() Finding {
	var open []string
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(file)
		if err != nil {
			continue
		}
		sc := bufio.NewScanner(f)
		for sc.Scan() {
			w := strings.Fields(sc.Text())
			if len(w) > 3 && w[3] == "0A" {
				if port, wide := wide(w[1]); wide {
					open = append(open, port)
				}
			}
		}
		f.Close()
	}
	if len(open) > 0 {
		return bad("listeners", "close what is not needed, or fence it with a firewall (vpcd listens on 35963 and up)", "open to the network: ports %s", strings.Join(open, " "))
	}
	return good("listeners", "nothing is open to the network")
}

// wide reads an address of /proc/net/tcp and says whether it is more than
// loopback.
func wide(addr string) (port string, wide bool) {
	host, hexPort, ok := strings.Cut(addr, ":")
	p, err := hex.DecodeString(hexPort)
	if !ok || err != nil || len(p) != 2 {
		return "", false
	}
	loopback := strings.HasSuffix(host, "7F") && len(host) == 8 || host == "00000000000000000000000001000000"
	return fmt.Sprint(int(p[0])<<8 | int(p[1])), !loopback
}
