package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"buka/internal/cryptogram"
	"buka/internal/mac"
	"buka/internal/money"
	"buka/internal/pboc"
	"buka/internal/pin"
	"buka/sync/host"
	"buka/sync/switchlink"
)

// badValue is what is wrong with the value of a key, by its table and name.
type badValue struct {
	table, key string
	err        error
}

func (b *badValue) Error() string {
	return strings.TrimPrefix(b.table+".", ".") + b.key + ": " + b.err.Error()
}
func (b *badValue) Unwrap() error { return b.err }

func bad(table, key string, err error) error {
	if err == nil {
		return nil
	}
	return &badValue{table, key, err}
}

// lineOf finds the line on which a key of a table stands; 0 if it does not.
func lineOf(data []byte, table, key string) int {
	in, row := "", 0
	for line := range strings.Lines(string(data)) {
		row++
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			in = strings.Trim(line, "[] ")
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		if ok && in == table && strings.Trim(strings.TrimSpace(name), `"'`) == key {
			return row
		}
	}
	return 0
}

// macs are the names that kiosks' configurations use too.
var macs = map[string]mac.Algorithm{"none": 0, "unionpay": mac.UnionPayECB, "x9.9": mac.X99, "x9.19": mac.X919}

// host makes the host's own configuration. An error is a *badValue.
func (c Config) host() (h host.Config, err error) {
	h = host.Config{Dir: c.Data, Listen: c.Switch, Authority: c.Authority, RequireICC: c.RequireChip, WorkingKeys: c.WorkingKeys}
	if h.MaxBalance, err = money.Parse(c.MaxBalance); err != nil {
		return h, bad("", "max_balance", err)
	}
	if h.NoCVM, err = money.Parse(c.NoPINLimit); err != nil {
		return h, bad("", "no_pin_limit", err)
	}
	var known bool
	if h.MAC, known = macs[c.MAC]; !known {
		return h, bad("", "mac", errors.New(`"unionpay", "x9.9", "x9.19" or "none" is wanted, as the kiosks have it`))
	}
	for _, bin := range c.BINs {
		if len(bin) < 1 || len(bin) > 12 || strings.Trim(bin, "0123456789") != "" {
			return h, bad("", "bins", fmt.Errorf("%q is not 1 to 12 digits", bin))
		}
		h.BINs = append(h.BINs, bin)
	}
	for id, password := range c.Kiosks {
		if password == "" {
			return h, bad("kiosks", id, errors.New("a password is wanted"))
		}
	}
	if h.Spec, err = loadSpec(c.Spec); err != nil {
		return h, bad("", "spec", err)
	}
	if err := c.loadKeys(&h); err != nil {
		return h, err
	}
	return h, c.loadTLS(&h)
}

const maxSpec = 256 << 10

// loadSpec gives nil for the host's own, UnionPay.
func loadSpec(name string) (*switchlink.Spec, error) {
	if name == "unionpay" {
		return nil, nil
	}
	if s, ok := switchlink.Builtin(name); ok {
		return s, nil
	}
	data, err := readFile(name, maxSpec)
	if err != nil {
		return nil, fmt.Errorf(`%w: "unionpay", "ascii87" or a file is wanted`, err)
	}
	return switchlink.LoadSpec(data)
}

// readFile reads a regular file of at most so many bytes.
func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%s: a file of at most %d bytes is wanted", path, most)
	}
	return io.ReadAll(io.LimitReader(f, most))
}

// loadTLS wants all three files or none.
func (c Config) loadTLS(h *host.Config) (err error) {
	f := switchlink.TLSFiles{CA: c.TLS.ClientCA, Cert: c.TLS.Cert, Key: c.TLS.Key}
	if f == (switchlink.TLSFiles{}) {
		return nil
	}
	if h.TLS, err = switchlink.ServerTLS(f); err != nil {
		return bad("tls", "cert", err)
	}
	return nil
}

// loadKeys reads [keys] and [terminals].
func (c Config) loadKeys(h *host.Config) error {
	h.Keys = host.DefaultKeys()
	for _, k := range []struct {
		name, text string
		put        func([]byte) error
	}{
		{"bdk", c.Keys.BDK, func(b []byte) error { h.Keys.BDK = pin.Key(b); return nil }},
		{"aes_bdk", c.Keys.AESBDK, func(b []byte) (err error) { h.Keys.AESBDK, err = pin.NewSecretKey(pin.AES128, b); return err }},
		{"tmk", c.Keys.TMK, func(b []byte) (err error) { h.Keys.TMK, err = pin.NewSecretKey(pin.TDES2, b); return err }},
		{"chip", c.Keys.Chip, func(b []byte) error { h.Keys.Chip = cryptogram.Key(b); return nil }},
		{"load", c.Keys.Load, func(b []byte) error { h.Keys.Load = pboc.Key(b); return nil }},
		{"tac", c.Keys.TAC, func(b []byte) error { h.Keys.TAC = pboc.Key(b); return nil }},
	} {
		if k.text == "" {
			continue
		}
		if err := readKey(k.text, k.put); err != nil {
			return bad("keys", k.name, err)
		}
	}
	h.TMKs = map[string]pin.SecretKey{}
	for id, text := range c.Terminals {
		if m, t, ok := strings.Cut(id, "/"); !ok || len(m) != 15 || len(t) != 8 {
			return bad("terminals", id, errors.New(`"merchant/terminal" with 15 and 8 characters is wanted`))
		}
		if err := readKey(text, func(b []byte) (err error) { h.TMKs[id], err = pin.NewSecretKey(pin.TDES2, b); return err }); err != nil {
			return bad("terminals", id, err)
		}
	}
	return nil
}

// errKey never repeats the text, which may be all but a key.
var errKey = errors.New("32 hex digits are wanted, or file:PATH of a file that holds them")

const maxKeyFile = 1 << 10

// readKey gives the 16 bytes of a key to put, and clears them.
func readKey(text string, put func([]byte) error) error {
	if path, ok := strings.CutPrefix(text, "file:"); ok {
		raw, err := readFile(path, maxKeyFile)
		defer clear(raw)
		if err != nil {
			return err
		}
		text = strings.TrimSpace(string(raw))
	}
	b, err := hex.DecodeString(text)
	defer clear(b)
	if err != nil || len(b) != 16 {
		return errKey
	}
	return put(b)
}

// testKeys names the published keys that are in use.
func (c Config) testKeys() (names []string) {
	k, d := c.made.Keys, host.DefaultKeys()
	for _, one := range []struct {
		name string
		same bool
	}{{"bdk", k.BDK == d.BDK}, {"aes_bdk", k.AESBDK.Equal(d.AESBDK)}, {"tmk", k.TMK.Equal(d.TMK) && (c.made.MAC != mac.Algorithm(0) || c.WorkingKeys)},
		{"chip", k.Chip == d.Chip}, {"load", k.Load == d.Load}, {"tac", k.TAC == d.TAC}} {
		if one.same {
			names = append(names, one.name)
		}
	}
	return names
}
