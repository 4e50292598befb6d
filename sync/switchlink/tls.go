package switchlink

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// TLSFiles are PEM files of one end of the link.
type TLSFiles struct {
	CA   string // certificates that sign the other end's
	Cert string // this end's certificate, with those between it and the CA
	Key  string // its private key, unencrypted
}

// ClientTLS makes the kiosk's TLS: version 1.3 only, the host's certificate must
// be signed by the CA and name the host, and the kiosk shows its own. Sessions are
// not resumed: each connection proves both certificates anew. An error names the
// file and says what to do.
func ClientTLS(f TLSFiles, host string) (*tls.Config, error) {
	if host == "" {
		return nil, errors.New("TLS: the host's name is wanted, as its certificate has it")
	}
	c, pool, err := f.load(time.Now())
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: host, Certificates: []tls.Certificate{c},
		SessionTicketsDisabled: true, Time: notBefore(c)}, nil
}

// ServerTLS makes the host's TLS: version 1.3 only, and nobody is talked to whose
// certificate is not signed by the CA.
func ServerTLS(f TLSFiles) (*tls.Config, error) {
	c, pool, err := f.load(time.Now())
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		Certificates: []tls.Certificate{c}, SessionTicketsDisabled: true, Time: notBefore(c)}, nil
}

func (f TLSFiles) load(now time.Time) (tls.Certificate, *x509.CertPool, error) {
	ca, err := readPEM(f.CA, "CA certificate")
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return tls.Certificate{}, nil, fmt.Errorf("TLS: %s holds no CA certificate in PEM form: put the certificate of the CA there (BEGIN CERTIFICATE)", f.CA)
	}
	cert, err := readPEM(f.Cert, "certificate")
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	key, err := readPEM(f.Key, "private key")
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	defer clear(key)
	if b, _ := pem.Decode(key); b == nil || b.Headers["DEK-Info"] != "" || b.Type == "ENCRYPTED PRIVATE KEY" {
		return tls.Certificate{}, nil, fmt.Errorf("TLS: %s is no private key in PEM form without a passphrase: decrypt it, and let only this service read it", f.Key)
	}
	c, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return c, nil, fmt.Errorf("TLS: %s and %s are not a certificate and its key (%w): take both from the same request", f.Cert, f.Key, err)
	}
	if now.After(c.Leaf.NotAfter) {
		return c, nil, fmt.Errorf("TLS: %s ended on %s: have a new certificate issued", f.Cert, c.Leaf.NotAfter.Format(time.DateOnly))
	}
	return c, pool, nil
}

// notBefore is the time by which certificates are judged: a machine whose clock
// starts in 1970 knows at least that its own certificate has been issued.
func notBefore(c tls.Certificate) func() time.Time {
	return func() time.Time {
		if now := time.Now(); now.After(c.Leaf.NotBefore) {
			return now
		}
		return c.Leaf.NotBefore
	}
}

func readPEM(file, what string) ([]byte, error) {
	if file == "" {
		return nil, fmt.Errorf("TLS: the file of the %s is not named", what)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("TLS: the %s cannot be read: %w: check the path and who may read it", what, err)
	}
	return b, nil
}

// write sends a frame. Through TLS a PIN block goes as a record of its own: the
// TLS of the standard library enciphers a record in place, in a buffer that it
// lets go, plaintext and all, when it has to grow. The bytes before the block are
// many more, so the buffer has grown already.
func write(conn net.Conn, frame []byte, secret span) error {
	pieces := [][]byte{frame}
	if _, ok := conn.(*tls.Conn); ok && secret.to > secret.from {
		pieces = [][]byte{frame[:secret.from], frame[secret.from:secret.to], frame[secret.to:]}
	}
	for _, b := range pieces {
		if _, err := conn.Write(b); err != nil {
			return err
		}
	}
	return nil
}
