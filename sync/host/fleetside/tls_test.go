package fleetside

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"buka/internal/entry"
	"buka/sync/fleetlink"
)

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestOverTLS(t *testing.T) {
	cert, pool := certificate(t)
	s := startSide(t, func(c *Config) {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	})
	j := filled(t, "K1", 100)
	for name, c := range map[string]struct {
		config *tls.Config
		good   bool
	}{
		"no TLS":               {nil, false},
		"an unknown authority": {&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}, false},
		"TLS":                  {&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, true},
	} {
		l, stop := startLink(t, s.Addr(), "K1", j, func(cfg *fleetlink.Config) { cfg.TLS = c.config })
		if c.good {
			eventually(t, name, shipped(l))
		} else {
			eventually(t, name+" comes to nothing", func() bool { return l.State().Failures > 2 })
			if l.State().Up {
				t.Errorf("%s came in", name)
			}
		}
		stop()
	}
}

// lostMark is a journal whose mark is damaged.
type lostMark struct{ *memJournal }

func (lostMark) Mark() (uint64, entry.Hash, error) { return 0, entry.Hash{}, errors.New("damaged") }

func TestADamagedMarkStopsNothing(t *testing.T) {
	s := startSide(t, nil)
	j := lostMark{filled(t, "K1", 100)}
	for range 2 { // the host knows nothing at first, everything then
		l, stop := startLink(t, s.Addr(), "K1", j, nil)
		eventually(t, "all is shipped", shipped(l))
		stop()
	}
}

func TestAJournalThatIsBrokenIsSaid(t *testing.T) {
	s := startSide(t, nil)
	j, other := filled(t, "K1", 50), filled(t, "K2", 50)
	j.stored[29] = other.stored[29]
	j.page = 10
	l, _ := startLink(t, s.Addr(), "K1", j, nil)
	eventually(t, "the damage is said", func() bool { st := l.State(); return st.Mark == 20 && st.Up && st.Err != "" })
	if k := one(t, s, "K1"); k.Committed != 20 || k.Conflict != "" {
		t.Fatalf("%+v", k)
	}
}
