package station

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"buka/cardio/emv"
	"buka/internal/answers"
	"buka/internal/pin"
	"buka/kiosk/config"
	"buka/sync/switchlink"
	"buka/topup"
)

// links are the connections to payment host and load authority. Where one host
// is both they are one.
type links struct {
	payments, loads *switchlink.Client
	rings           []*switchlink.Ring
	payRing         *switchlink.Ring // of the PIN key; nil: none
	signOn          *loadSignOn      // at loads, if it is another host; nil: it is not
	asked           demands          // what the payment host says about signing on
	signedOn        bell             // rings after each sign-on at loads

	mu sync.Mutex
	up map[string]bool
}

// The links by name.
const (
	paymentLink = "payment host"
	loadLink    = "load authority"
)

const maxLinkFile = 256 << 10 // of a spec, a table, a key

// dialer opens a connection instead of the address; nil: the address.
type dialer func(context.Context) (net.Conn, error)

// openLinks begins to dial.
func (s *Station) openLinks() error {
	s.links = &links{up: map[string]bool{}}
	s.links.asked.act = func() { s.post(topup.SignOnAsked{}) }
	pay := s.cfg.Payments()
	loads, own := s.cfg.Loads()
	s.links.up[paymentLink] = false
	if own {
		s.links.up[loadLink], s.links.signOn = false, newLoadSignOn(s.links.signedOn.ring, s.log)
	}
	var err error
	if s.links.payments, s.links.payRing, err = s.openLink(paymentLink, "switch", pay, s.parts.DialSwitch); err != nil {
		return err
	}
	if s.links.loads = s.links.payments; own {
		if s.links.loads, _, err = s.openLink(loadLink, "authority", loads, s.parts.DialAuthority); err != nil {
			return errors.Join(err, s.links.close())
		}
		s.links.signOn.client = s.links.loads
	}
	return nil
}

func (s *Station) openLink(name, table string, l config.Link, dial dialer) (*switchlink.Client, *switchlink.Ring, error) {
	c := s.cfg.Switch
	cfg := switchlink.Config{
		Addr: l.Address, Dial: dial, TerminalID: c.Terminal, MerchantID: c.Merchant,
		Timeout: time.Duration(c.Timeout), DialTimeout: min(5*time.Second, time.Duration(c.Timeout)),
		EchoEvery: 5 * time.Second, MaxBackoff: 3 * time.Second, Logger: s.log.With("link", name),
		OnState:       func(st switchlink.State) { s.linkIs(name, st.Up) },
		OnRequirement: func(n byte) { s.required(name, n) },
		OnInStep:      s.links.demandsOf(name).content,
		OnLate:        s.late,
	}
	fail := func(key string, err error) (*switchlink.Client, *switchlink.Ring, error) {
		return nil, nil, fmt.Errorf("%s.%s: %w", table, key, err)
	}
	var err error
	if cfg.Spec, err = specOf(l.Spec); err != nil {
		return fail("spec", err)
	}
	if cfg.TLS, err = TLSOf(l); err != nil {
		return fail("ca", err)
	}
	if l.MAC != 0 {
		master, err := masterKey(l.MasterKey)
		if err != nil {
			return fail("master_key", err)
		}
		cfg.Keys = switchlink.NewRing(l.MAC, master)
		master.Zero()
		s.links.rings = append(s.links.rings, cfg.Keys)
	}
	client, err := switchlink.New(cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return client, cfg.Keys, nil
}

// linkIs takes the news of a link.
func (s *Station) linkIs(name string, up bool) {
	s.log.Info("link", "to", name, "up", up)
	if up && name == loadLink {
		s.links.signOn.poke()
	}
	s.links.mu.Lock()
	defer s.links.mu.Unlock() // the news of two links are told in order
	s.links.up[name] = up
	s.post(topup.LinkChanged{Up: s.links.all(), Pay: s.links.up[paymentLink]})
}

// all says whether every link is up; the caller holds the lock.
func (l *links) all() bool {
	for _, up := range l.up {
		if !up {
			return false
		}
	}
	return true
}

// required takes what a host wants. Parameters and keys of cards are the
// technician's; a new sign-on is ours, and one at a load authority of its own is
// nobody's but its own.
func (s *Station) required(name string, n byte) {
	if n == switchlink.RequireSignOn {
		if name == loadLink {
			s.links.signOn.renew()
			return
		}
		s.links.asked.want()
		return
	}
	s.log.Warn("the host wants something that this kiosk does not do by itself", "link", name, "requirement", n)
}

// demandsOf is where that is counted which a host says about signing on.
func (l *links) demandsOf(name string) *demands {
	if name == loadLink {
		return &l.signOn.asked
	}
	return &l.asked
}

// close ends the links and overwrites their keys.
func (l *links) close() error {
	var err error
	l.asked.end()
	if l.signOn != nil {
		l.signOn.asked.end()
	}
	if l.payments != nil {
		err = l.payments.Close()
	}
	if l.loads != nil && l.loads != l.payments {
		err = errors.Join(err, l.loads.Close())
	}
	for _, r := range l.rings {
		r.Clear()
	}
	return err
}

// specOf gives a built-in message spec, or reads a file.
func specOf(name string) (*switchlink.Spec, error) {
	if s, ok := switchlink.Builtin(name); ok {
		return s, nil
	}
	file, err := readBounded(name)
	if err != nil {
		return nil, err
	}
	return switchlink.LoadSpec(file)
}

// masterKey reads a key of two or three parts in hex.
func masterKey(path string) (pin.SecretKey, error) {
	text, err := readBounded(path)
	if err != nil {
		return pin.SecretKey{}, err
	}
	defer clear(text)
	raw := make([]byte, hex.DecodedLen(len(text)))
	defer clear(raw)
	n, err := hex.Decode(raw, []byte(strings.TrimSpace(string(text))))
	if err != nil || n != 16 && n != 24 {
		return pin.SecretKey{}, fmt.Errorf("%s: 32 or 48 hex digits are wanted, and nothing else", path)
	}
	if n == 24 {
		return pin.NewSecretKey(pin.TDES3, raw[:n])
	}
	return pin.NewSecretKey(pin.TDES2, raw[:n])
}

// answersOf lays a file over the table of response codes.
func answersOf(path string) (*answers.Table, error) {
	if path == "" {
		return answers.Default(), nil
	}
	file, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("switch.answers: %w", err)
	}
	t, err := answers.Load(file)
	if err != nil {
		return nil, fmt.Errorf("switch.answers: %s: %w", path, err)
	}
	return t, nil
}

// caKeysOf gives the public keys of the schemes.
func caKeysOf(name string) (*emv.CATable, error) {
	switch name {
	case "":
		return emv.BuiltinCAKeys(false), nil
	case "test":
		return emv.BuiltinCAKeys(true), nil
	}
	file, err := readBounded(name)
	if err != nil {
		return nil, fmt.Errorf("bank_card.ca_keys: %w", err)
	}
	t, err := emv.LoadCAKeys(file, false)
	if err != nil {
		return nil, fmt.Errorf("bank_card.ca_keys: %s: %w", name, err)
	}
	return t, nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxLinkFile {
		return nil, fmt.Errorf("%s: more than %d bytes", path, maxLinkFile)
	}
	return os.ReadFile(path)
}
