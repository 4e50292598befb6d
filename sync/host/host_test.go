package host

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"buka/sync/switchlink"
)

// TestTLS runs a sign-on through TLS, and refuses a client that trusts another.
func TestTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// The certificate is for the real clock, whatever the host's says.
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Open(t.Context(), Config{Dir: t.TempDir(), TLS: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(cert)
	for _, roots := range []*x509.CertPool{trusted, x509.NewCertPool()} {
		c, err := switchlink.New(switchlink.Config{Addr: h.SwitchAddr(), TLS: &tls.Config{RootCAs: roots},
			TerminalID: testTerminal, MerchantID: testMerchant})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.SignOn(t.Context(), 1)
		if (err == nil) != (roots == trusted) {
			t.Error(err)
		}
		c.Close()
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open(t.Context(), Config{}); err == nil {
		t.Error("no directory")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "host.key"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "host.key") {
		t.Error(err)
	}
	if _, err := Open(t.Context(), Config{Dir: t.TempDir(), KeyBlock: 56}); err == nil {
		t.Error("a block of keys that is never sent")
	}
	dir = t.TempDir()
	if _, err := Open(t.Context(), Config{Dir: dir, Authority: "no such address"}); err == nil {
		t.Error("an authority nowhere")
	}
	h, err := Open(t.Context(), Config{Dir: dir}) // nothing was left open
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
}

// TestSharedDatabase: another part of the host brings its own tables, writes
// through Write, and is told before the database closes.
func TestSharedDatabase(t *testing.T) {
	w := newWorld(t, nil)
	theirs := fstest.MapFS{"m/00100_fleet.sql": {Data: []byte("-- +goose Up\nCREATE TABLE other (n INTEGER) STRICT;\n")}}
	for range 2 {
		if err := Migrate(w.ctx(), w.host.DB(), theirs, "m", "goose_other"); err != nil {
			t.Fatal(err)
		}
	}
	broken := sql.ErrTxDone
	for _, want := range []error{nil, broken} {
		err := w.host.Write(w.ctx(), func(tx *sql.Tx) error {
			if _, err := tx.Exec(`INSERT INTO other VALUES (1)`); err != nil {
				return err
			}
			return want
		})
		if err != want {
			t.Fatal(err)
		}
	}
	rows := -1
	w.host.OnClose(func() {
		if err := w.host.DB().QueryRow(`SELECT count(*) FROM other`).Scan(&rows); err != nil {
			t.Error(err)
		}
	})
	if err := w.host.Close(); err != nil || rows != 1 {
		t.Errorf("%d rows, %v", rows, err)
	}
	if err := w.host.Close(); err != nil {
		t.Error(err)
	}
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"6225880000000001": "622588******0001", "4012345678909": "401234***8909", "12345678": "********", "": "",
	} {
		if got := MaskPAN(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}
