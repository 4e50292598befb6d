package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"buka/sync/host"
	"buka/sync/switchlink"
)

// issued writes a certificate and its key, signed by the CA; the CA's own if ca
// is nil.
func issued(t *testing.T, dir, name string, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: ca == nil,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if ca == nil {
		ca, caKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// TestTLSFromTheConfiguration: a kiosk with a certificate of the right CA is
// served; one with none or another's is not.
func TestTLSFromTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	ca, caKey := issued(t, dir, "ca", nil, nil)
	issued(t, dir, "host.test", ca, caKey)
	issued(t, dir, "kiosk", ca, caKey)
	other, otherKey := issued(t, dir, "other", nil, nil)
	issued(t, dir, "stranger", other, otherKey)
	text := string(example)
	for from, to := range map[string]string{`cert = ""`: `cert = "` + at("host.test.pem") + `"`, "\nkey = \"\"": "\nkey = \"" + at("host.test.key") + `"`,
		`client_ca = ""`: `client_ca = "` + at("ca.pem") + `"`, `"127.0.0.1:5000"`: `"127.0.0.1:0"`} {
		text = strings.Replace(text, from, to, 1)
	}
	c, err := parseConfig([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c.made.Dir = t.TempDir()
	h, err := host.Open(t.Context(), c.made)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	good, err := switchlink.ClientTLS(switchlink.TLSFiles{CA: at("ca.pem"), Cert: at("kiosk.pem"), Key: at("kiosk.key")}, "host.test")
	if err != nil {
		t.Fatal(err)
	}
	none := good.Clone()
	none.Certificates = nil
	wrong := good.Clone()
	stranger, err := tls.LoadX509KeyPair(at("stranger.pem"), at("stranger.key"))
	if err != nil {
		t.Fatal(err)
	}
	wrong.Certificates = []tls.Certificate{stranger}
	for name, conf := range map[string]*tls.Config{"right": good, "none": none, "another CA's": wrong} {
		k, err := switchlink.New(switchlink.Config{Addr: h.SwitchAddr(), TLS: conf, TerminalID: "00000001", MerchantID: "000000000000001", Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		_, err = k.SignOn(t.Context(), 1)
		if (err == nil) != (name == "right") {
			t.Errorf("%s: %v", name, err)
		}
		k.Close()
	}
}
