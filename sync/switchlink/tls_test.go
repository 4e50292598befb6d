package switchlink

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority issues certificates into a folder.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: dir}
	a.cert, a.key = a.make(name, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil)
	return a
}

// issue writes NAME.pem and NAME.key, signed by this authority.
func (a *authority) issue(name string) TLSFiles {
	a.t.Helper()
	a.make(name, &x509.Certificate{DNSNames: []string{"switch.example"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}, nil)
	return TLSFiles{CA: a.file(a.cert.Subject.CommonName + ".pem"), Cert: a.file(name + ".pem"), Key: a.file(name + ".key")}
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) make(name string, c *x509.Certificate, until *time.Time) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, _ = rand.Int(rand.Reader, big.NewInt(1<<62))
	c.Subject = pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if until != nil {
		c.NotBefore, c.NotAfter = until.Add(-time.Hour), *until
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	a.write(name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
	out, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return out, key
}

func (a *authority) write(name string, b []byte) string {
	a.t.Helper()
	if err := os.WriteFile(a.file(name), b, 0o600); err != nil {
		a.t.Fatal(err)
	}
	return a.file(name)
}

// secured is a host behind TLS that answers everything with 00.
func secured(t *testing.T, files TLSFiles) (addr string) {
	t.Helper()
	cfg, err := ServerTLS(files)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(ServerConfig{Handler: handlerFunc(func(_ context.Context, r *Request) (Response, bool) {
		return Response{Code: "00", At: time.Now(), Amount: r.Amount, Batch: 7}, true
	})})
	go s.Serve(ln)
	t.Cleanup(func() { s.Close() })
	return ln.Addr().String()
}

// TestTLS: a client pays through TLS; with another CA's certificate, or a host of
// another name or CA, nothing is sent.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	ours, theirs := newAuthority(t, dir, "agency"), newAuthority(t, dir, "elsewhere")
	addr := secured(t, ours.issue("host"))
	good := ours.issue("kiosk")
	stranger := theirs.issue("stranger")
	stranger.CA = good.CA
	misled := good
	misled.CA = theirs.file("elsewhere.pem")
	for name, c := range map[string]struct {
		files TLSFiles
		host  string
		want  error
	}{
		"right":              {good, "switch.example", nil},
		"another CA's kiosk": {stranger, "switch.example", ErrNoAnswer},
		"another CA's host":  {misled, "switch.example", ErrNotSent},
		"another host":       {good, "bank.example", ErrNotSent},
	} {
		cfg, err := ClientTLS(c.files, c.host)
		if err != nil {
			t.Fatal(err)
		}
		client := dialTo(t, Config{Addr: addr, TLS: cfg, Timeout: 20 * time.Second})
		paid, err := client.Pay(bg(), testPayment(1))
		switch {
		case c.want == nil && (err != nil || paid.Code != "00"):
			t.Errorf("%s: %+v, %v", name, paid, err)
		case c.want != nil && !errors.Is(err, c.want) && !errors.Is(err, ErrNotSent):
			t.Errorf("%s: %v", name, err)
		case c.want != nil && client.State().Up:
			t.Errorf("%s: the link is up", name)
		}
	}
}

// TestOpenSSL lets openssl try to talk to the host: without a certificate and with
// another CA's it is refused, and with TLS 1.2 too; with the right one it gets an
// answer to a link test.
func TestOpenSSL(t *testing.T) {
	dir := t.TempDir()
	ours, theirs := newAuthority(t, dir, "agency"), newAuthority(t, dir, "elsewhere")
	addr := secured(t, ours.issue("host"))
	good, wrong := ours.issue("kiosk"), theirs.issue("stranger")
	echo := echoFrame(t)
	for _, c := range []struct {
		name   string
		args   []string
		served bool
	}{
		{"right", []string{"-cert", good.Cert, "-key", good.Key}, true},
		{"none", nil, false},
		{"another CA's", []string{"-cert", wrong.Cert, "-key", wrong.Key}, false},
		{"TLS 1.2", []string{"-cert", good.Cert, "-key", good.Key, "-tls1_2"}, false},
	} {
		out, said := openssl(t, echo, append([]string{"s_client", "-connect", addr, "-CAfile", good.CA, "-verify_return_error", "-quiet"}, c.args...)...)
		f, err := UnionPay().frame.read(bytes.NewReader(out))
		if c.served {
			if err != nil {
				t.Fatalf("%s: %v\n%s", c.name, err, said)
			}
			m, err := UnionPay().Unpack(f.Message)
			if err != nil || m.MTI != "0830" || m.Text(39) != "00" {
				t.Errorf("%s: %v, %v", c.name, m, err)
			}
			continue
		}
		if len(out) != 0 || !strings.Contains(said, "alert") {
			t.Errorf("%s was not refused: %X\n%s", c.name, out, said)
		}
	}
}

func echoFrame(t *testing.T) []byte {
	m, err := UnionPay().EncodeRequest(&Request{Kind: KindEcho, Terminal: "BUKA0001", Merchant: "BUKAMERCHANT001"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	frame, err := UnionPay().frame.bytes(UnionPay().frame.request(b))
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// openssl runs the program until it has printed one frame, or ended by itself; it
// gives what came from the host and what openssl said.
func openssl(t *testing.T, in []byte, args ...string) (out []byte, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(bg(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openssl", args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("openssl (Debian package openssl): %v", err)
	}
	stdin.Write(in) // it stays open: at its end openssl would hang up
	f, err := UnionPay().frame.read(stdout)
	if err == nil {
		out, _ = UnionPay().frame.bytes(f)
		cmd.Process.Kill()
	}
	stdin.Close()
	cmd.Wait()
	if ctx.Err() != nil {
		t.Fatalf("openssl never ended:\n%s", errs.String())
	}
	return out, errs.String()
}

// TestTheAlertArrives: a terminal of another CA that talks at once, and a lot, still
// reads why it is refused.
func TestTheAlertArrives(t *testing.T) {
	dir := t.TempDir()
	ours, theirs := newAuthority(t, dir, "agency"), newAuthority(t, dir, "elsewhere")
	addr := secured(t, ours.issue("host"))
	wrong := theirs.issue("stranger")
	wrong.CA = ours.file("agency.pem")
	cfg, err := ClientTLS(wrong, "switch.example")
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	for i := range 50 { // for longer than a host needs to refuse it
		if _, err := c.Write([]byte("may I")); err != nil {
			t.Fatalf("the line is cut at the %d. word: %v", i+1, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	if _, err := c.Read(make([]byte, 1)); !strings.Contains(fmt.Sprint(err), "certificate") {
		t.Errorf("%v", err)
	}
}

// TestTLSFiles: each file is wrong in one way, and the error names it and says
// what to do.
func TestTLSFiles(t *testing.T) {
	dir := t.TempDir()
	a, b := newAuthority(t, dir, "agency"), newAuthority(t, dir, "elsewhere")
	good, other := a.issue("kiosk"), b.issue("stranger")
	past := time.Now().Add(-time.Minute)
	a.make("old", &x509.Certificate{}, &past)
	junk := a.write("junk.pem", []byte("junk"))
	locked := a.write("locked.key", pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}}))
	for _, c := range []struct {
		change func(*TLSFiles)
		say    []string
	}{
		{func(f *TLSFiles) { f.CA = "" }, []string{"CA certificate", "not named"}},
		{func(f *TLSFiles) { f.CA = filepath.Join(dir, "none.pem") }, []string{"none.pem", "check the path"}},
		{func(f *TLSFiles) { f.CA = junk }, []string{"junk.pem", "BEGIN CERTIFICATE"}},
		{func(f *TLSFiles) { f.Cert = junk }, []string{"junk.pem", "same request"}},
		{func(f *TLSFiles) { f.Key = other.Key }, []string{"stranger.key", "kiosk.pem", "same request"}},
		{func(f *TLSFiles) { f.Key = locked }, []string{"locked.key", "decrypt it"}},
		{func(f *TLSFiles) { f.Key = junk }, []string{"junk.pem", "private key"}},
		{func(f *TLSFiles) { f.Cert, f.Key = a.file("old.pem"), a.file("old.key") }, []string{"old.pem", "have a new certificate issued"}},
	} {
		f := good
		c.change(&f)
		_, err1 := ClientTLS(f, "switch.example")
		_, err2 := ServerTLS(f)
		for _, err := range []error{err1, err2} {
			for _, word := range c.say {
				if err == nil || !strings.Contains(err.Error(), word) {
					t.Errorf("%q is not in %v", word, err)
				}
			}
		}
	}
	if _, err := ClientTLS(good, ""); err == nil {
		t.Error("no name of the host")
	}
	// A clock that is behind is taken to be at the beginning of the certificate.
	soon := time.Now().Add(30 * time.Hour)
	ahead, _ := a.make("ahead", &x509.Certificate{}, &soon)
	good.Cert, good.Key = a.file("ahead.pem"), a.file("ahead.key")
	cfg, err := ClientTLS(good, "switch.example")
	if err != nil || !cfg.Time().Equal(ahead.NotBefore) {
		t.Errorf("a clock in 1970: %v", err)
	}
}
