package virtualpad

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"buka/internal/pin"
	"buka/kiosk/device"
)

// The public DE62 of reference/iso8583.md 1.8, and a PIN under its PIK:
// reference/pin.md 3.1.
const (
	tmk       = "CA5D92598DCA48CE8A4C76361A9269E9"
	cipherPIK = "6701EAD6A9AD51E51AA406E2C27FCFA9"
	cipherMAK = "B651F9E9BACE9AE1"
	longPAN   = "6212345678900000003"
	itsBlock  = "EE4C9903F212B3D5"
)

func key(t testing.TB, a pin.Algorithm, digits string) pin.SecretKey {
	t.Helper()
	k, err := pin.ParseSecretKey(a, digits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sessionConfig(t testing.TB, d Dialect) Config {
	c := config(t.TempDir())
	c.Scheme, c.Dialect = pin.MasterSession, d
	c.MasterKeys = map[byte]pin.SecretKey{'0': key(t, pin.TDES2, tmk)}
	return c
}

// put sends a packet and takes its ACK.
func (b *bench) put(body string) {
	b.t.Helper()
	b.send(device.Frame{Body: []byte(body)})
	b.want(device.EventACK)
}

// shown is the display after all that the pad has acknowledged.
func (b *bench) shown() string {
	b.pad.do(func() {})
	return b.pad.Snapshot().Display
}

func (b *bench) admin(body string) {
	b.t.Helper()
	b.send(device.Frame{Admin: true, Body: []byte(body)})
	b.want(device.EventACK)
}

func (b *bench) selectKey(slot string) {
	b.t.Helper()
	b.admin("08" + slot)
	b.want(device.EventEOT)
}

// TestPublishedSessionBlock wants the block of the sheet on the wire, with each
// request of the family.
func TestPublishedSessionBlock(t *testing.T) {
	b := newBench(t, sessionConfig(t, VeriFone))
	b.selectKey("0")
	for _, request := range []string{
		"Z60." + longPAN + "\x1c" + cipherPIK,
		"Z60." + longPAN + "\x1c" + cipherPIK + "\x1c9",
		"Z62." + longPAN + "\x1c" + cipherPIK + "0412NCNY 5.00\x1cPIN\x1cTHANKS\x1c2",
		"Z63." + longPAN + "\x1c" + cipherPIK + "0606N#",
		"70." + longPAN + "\x1c" + cipherPIK + "50.00\x1c2",
		"70." + longPAN + "\x1c" + cipherPIK + "50.00",
	} {
		b.put("Z2\x1aCNY 5.00")
		b.put(request)
		b.typePIN("123456")
		b.wantBody("71.00601" + itsBlock)
		b.raw(ack)
	}
}

func TestSessionRefusals(t *testing.T) {
	b := newBench(t, sessionConfig(t, VeriFone))
	b.put("Z60." + longPAN + "\x1c" + cipherPIK)
	b.wantBody("719") // no key was selected
	b.raw(ack)
	b.selectKey("0")
	for request, code := range map[string]string{
		"Z60." + longPAN: codeFormat,
		"Z60." + longPAN + "\x1cDUKPT ENCRYPTION":                    codeSessionKey,
		"Z60." + longPAN + "\x1c" + cipherPIK[:30]:                   codeFormat,
		"Z60." + longPAN + "\x1c" + cipherPIK[:12]:                   codeSessionKey,
		"Z60." + longPAN + "\x1c" + cipherPIK + "\x1c0":              codeTimeout,
		"Z60." + longPAN + "\x1c" + cipherPIK + "\x1c1\x1c1":         codeFormat,
		"Z60." + longPAN + "X\x1c" + cipherPIK:                       codeLongPAN,
		"Z60.12345X78\x1c" + cipherPIK:                               codePANDigits,
		"Z60.\x1c" + cipherPIK:                                       codeNoPAN,
		"Z62." + longPAN + "\x1c" + cipherPIK + "0312N\x1c\x1c\x1c2": codeFormat,
		"Z62." + longPAN + "\x1c" + cipherPIK + "0413N\x1c\x1c\x1c2": codeFormat,
		"Z62." + longPAN + "\x1c" + cipherPIK + "0604N\x1c\x1c\x1c2": codeFormat,
		"Z62." + longPAN + "\x1c" + cipherPIK + "0412X\x1c\x1c\x1c2": codeFormat,
		"Z62." + longPAN + "\x1c" + cipherPIK + "0412N\x1c\x1c\x1c":  codeTimeout,
		"Z62." + longPAN + "\x1c" + cipherPIK + "0412N\x1c2":         codeFormat,
		"Z63." + longPAN + "\x1c" + cipherPIK + "0412N":              codeFormat,
		"70." + longPAN + "\x1c" + cipherPIK + "5000":                codeFormat,
		"70." + longPAN + "\x1c" + cipherPIK + "123456.00":           codeFormat,
		"70." + longPAN + "\x1c" + cipherPIK + "50.00\x1cA":          codeTimeout,
		"70." + longPAN + "\x1cD50.00":                               codeSessionKey,
	} {
		b.put("Z2\x1aPIN")
		b.put(request)
		b.wantBody("71" + code)
		b.raw(ack)
		if t.Failed() {
			t.Fatalf("after %q", request)
		}
	}
	b.selectKey("7")
	b.put("Z60." + longPAN + "\x1c" + cipherPIK)
	b.wantBody("719")
	b.raw(ack)
}

// TestUIC: the prompt must come first, admin packets end with EOT.
func TestUIC(t *testing.T) {
	b := newBench(t, sessionConfig(t, UIC))
	for ask, answer := range map[string]string{
		"06": "06BUKAVIRTUAL00001", "16": "160", "040": "04F", "041": "040", "080": "080", "08A": "081",
	} {
		b.admin(ask)
		b.wantBody(answer)
		b.raw(ack)
		b.want(device.EventEOT)
	}
	b.put("Z60." + longPAN + "\x1c" + cipherPIK)
	b.want(device.EventEOT)
	b.put("Z2\x1aCNY 50.00")
	b.put("Z60." + longPAN + "\x1c" + cipherPIK)
	b.typePIN("123456")
	b.wantBody("71.00601" + itsBlock)
	b.raw(ack)
	b.put("Z60." + longPAN + "\x1c" + cipherPIK) // the prompt was for the one before
	b.want(device.EventEOT)
	b.put("Z32\x1aCNY 50.00\x1cENTER PIN\x1cNOT SHOWN")
	if s := b.shown(); s != "CNY 50.00\nENTER PIN" {
		t.Errorf("Z3 shows %q", s)
	}
	for _, clear := range []string{"Z42", "Z50", "Z2\x1d001", "Z30", "Z3"} {
		b.put(clear)
		b.want(device.EventEOT)
	}
	for _, load := range []string{"020" + tmk, "05NEW"} {
		b.admin(load)
		b.want(device.EventEOT)
	}
}

// TestZ62Shows the kiosk's words and amount, before and after.
func TestZ62Shows(t *testing.T) {
	b := newBench(t, config(t.TempDir()))
	b.put("Z62." + testPAN + "\x1c0406NCNY 50.00\x1cPIN, PLEASE\x1cTHANK YOU\x1c2")
	show := b.shown
	if show() != "CNY 50.00\nPIN, PLEASE" {
		t.Errorf("%q", show())
	}
	b.typePIN("12345678") // six at most
	if show() != "THANK YOU" {
		t.Errorf("%q", show())
	}
	ev := b.next()
	if ev.Kind != device.EventFrame || !strings.HasPrefix(string(ev.Frame.Body), "7109876543210E00001") {
		t.Fatalf("%q", ev.Frame.Body)
	}
	block, err := hex.DecodeString(string(ev.Frame.Body[19:]))
	if err != nil {
		t.Fatal(err)
	}
	k, err := pin.TransactionKey(testIK, testKSN.WithCounter(1))
	if err != nil {
		t.Fatal(err)
	}
	if p, err := pin.Decipher(k.PINKey().Secret(), pin.Format0, block, testPAN); err != nil || string(p.Reveal()) != "123456" {
		t.Error(err)
	}
	b.raw(ack)
	b.put("Z63." + testPAN + "\x1cDUKPT ENCRYPTION0412N#")
	b.pad.do(func() {})
	if err := b.pad.Key("1"); err != nil {
		t.Fatal(err)
	}
	if show() != "ENTER PIN\n#" {
		t.Errorf("%q", show())
	}
}

// TestAESCounterIsDurable: over a restart no number comes twice, and the file of
// another device is refused.
func TestAESCounterIsDurable(t *testing.T) {
	ikid, err := pin.ParseAESKSN("123456789012345600000000")
	if err != nil {
		t.Fatal(err)
	}
	base := key(t, pin.AES128, "FEDCBA9876543210F1F1F1F1F1F1F1F1")
	c := config(t.TempDir())
	c.Scheme, c.AESKSN, c.Format = pin.AESDUKPT, ikid, pin.Format4
	if c.AESIK, err = pin.AESInitialKey(base, ikid); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		b := newBench(t, c)
		b.z60(testPAN)
		b.typePIN("1234")
		ev := b.next()
		body := string(ev.Frame.Body)
		ksn := ikid.WithCounter(uint32(n + 1))
		if len(body) != 8+24+32 || !strings.HasPrefix(body, "73.00000"+ksn.String()) {
			t.Fatalf("%q", body)
		}
		block, err := hex.DecodeString(body[32:])
		if err != nil {
			t.Fatal(err)
		}
		if p, err := pin.OpenAES(base, ksn, pin.Format4, block, testPAN); err != nil || string(p.Reveal()) != "1234" {
			t.Error(err)
		}
		b.port.Close()
		b.pad.Close()
	}
	c.AESKSN[0]++
	if p, err := Open(c); err == nil {
		p.Close()
		t.Error("the counter of another device is taken")
	}
	c.AESKSN = ikid
	if err := os.WriteFile(filepath.Join(c.Dir, aesCounterFile), []byte(`{"last_ksn":"12345678901234560000"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := Open(c); err == nil {
		p.Close()
		t.Error("a damaged counter is taken")
	}
}

func TestMACs(t *testing.T) {
	b := newBench(t, sessionConfig(t, VeriFone))
	for _, c := range []struct{ packet, want string }{
		{"Z663000\x1c" + cipherPIK + "\x1c\x1c", "Z675"},
		{"Z663000\x1c" + cipherPIK + "\x1c1\x1c00", "Z674"},
		{"Z663000\x1c" + cipherPIK + "\x1c\x1c000", "Z675"},
		{"Z663000\x1c" + cipherPIK + "\x1c\x1c0G", "Z677"},
		{"Z663000\x1c" + cipherPIK + "\x1c\x1c" + strings.Repeat("0", 226), "Z675"},
		{"Z663001\x1c" + cipherPIK + "\x1c\x1c00", "Z673"},
		{"Z663000\x1c1234\x1c\x1c00", "Z678"},
		{"Z664000\x1c" + cipherPIK + "\x1c\x1c00", "Z676"},
		{"Z663010\x1c" + cipherPIK + "\x1c\x1c00", "Z672"},
		{"Z663AA0\x1c" + cipherPIK + "\x1c\x1c00", "Z672"},
		{"Z66", "Z676"},
		// Over a block of zeros it is the check value of the key: that of DE62.
		{"Z663000\x1c" + cipherPIK + "\x1c\x1c0000000000000000", "Z6708D0A74B8"},
		{"Z663000\x1c" + cipherMAK + "\x1c\x1c0000000000000000", "Z670AB7153CA"},
		// In two packets, and as text. A packet twice is out of order.
		{"Z662000\x1c" + cipherMAK + "\x1c\x1c3132333435363738", "Z671"},
		{"Z661010\x1c" + cipherMAK + "\x1c\x1cabcdef", "Z670"},
		{"Z662000\x1c" + cipherMAK + "\x1c\x1c3132333435363738", "Z671"},
		{"Z662010\x1c" + cipherMAK + "\x1c\x1c3132333435363738", "Z671"},
		{"Z662010\x1c" + cipherMAK + "\x1c\x1c3132333435363738", "Z672"},
		{"Z662000\x1c" + cipherMAK + "\x1c\x1c3132333435363738", "Z671"},
		{"Z663010\x1c" + cipherPIK + "\x1c\x1c3132333435363738", "Z672"},
	} {
		b.put(c.packet)
		ev := b.next()
		if got := string(ev.Frame.Body); !strings.HasPrefix(got, c.want) || len(c.want) == 4 && c.want != "Z670" && got != c.want {
			t.Errorf("%q: %q, want %s", c.packet, got, c.want)
		}
		b.raw(ack)
	}
}

func TestBucket(t *testing.T) {
	var b bucket
	now := time.Unix(1000, 0)
	limit := Throttle{Burst: 2, Every: 30 * time.Second}
	for i, want := range []bool{true, true, false, false} {
		if got := b.take(limit, now.Add(time.Duration(i)*time.Second)); got != want {
			t.Errorf("take %d: %t", i, got)
		}
	}
	if !b.take(limit, now.Add(40*time.Second)) || b.take(limit, now.Add(41*time.Second)) {
		t.Error("one each 30 s")
	}
	if !b.take(limit, now.Add(time.Hour)) || !b.take(Throttle{}, now) {
		t.Error("the burst comes back")
	}
}

func TestConfigurations(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"format 4 of TDES":    func(c *Config) { c.Format = pin.Format4 },
		"format 1":            func(c *Config) { c.Format = 1 },
		"AES without its key": func(c *Config) { c.Scheme = pin.AESDUKPT },
	} {
		c := config(t.TempDir())
		change(&c)
		if p, err := Open(c); !errors.Is(err, pin.ErrFormat) && !errors.Is(err, pin.ErrDerivation) {
			p.Close()
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFaults looks at each kind of fault on the bytes themselves.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		fault Fault
		want  string
	}{
		{Fault{Kind: Drop, At: 1, N: 2}, "\x0f1\x0e"},
		{Fault{Kind: Double, At: 2, N: 1}, "\x0f0661\x0e"},
		{Fault{Kind: Garble, At: 1, N: 1, Mask: 1}, "\x0f161\x0e"},
	} {
		p := &Pad{faults: []Fault{c.fault, {Dir: FromKiosk, Kind: Drop, N: 9}}}
		got := string(p.through(ToKiosk, []byte("\x0f061\x0e")))
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.fault, got, c.want)
		}
		if p.traffic[ToKiosk] != 5 || len(p.faults) != 1 {
			t.Errorf("%+v: %d bytes, %d faults left", c.fault, p.traffic[ToKiosk], len(p.faults))
		}
	}
	p := &Pad{held: [2]delayed{{timer: stoppedTimer()}, {timer: stoppedTimer()}}, faults: []Fault{{Kind: Delay, At: 2, N: 1, For: time.Hour}, {Kind: Drop, At: 4, N: 1}}}
	if got := string(p.through(ToKiosk, []byte("abc"))) + "|" + string(p.through(ToKiosk, []byte("def"))) + "|" + string(p.release(ToKiosk)); got != "ab||cdf" {
		t.Errorf("delayed: %q", got)
	}
}

func FuzzParseAsk(f *testing.F) {
	for _, s := range []string{
		"Z60." + testPAN + "\x1cDUKPT ENCRYPTION", "Z60." + longPAN + "\x1c" + cipherPIK + "\x1c9", "70." + longPAN + "\x1cD50.00\x1c2",
		"Z62." + longPAN + "\x1c" + cipherPIK + "0412NA\x1cB\x1cC\x1c2", "Z63." + longPAN + "\x1c" + cipherPIK + "0606N#",
	} {
		f.Add(s, byte(0))
		f.Add(s, byte(2))
	}
	f.Fuzz(func(t *testing.T, body string, scheme byte) {
		s := pin.Scheme(scheme % 3)
		a, code, ok := parseAsk(body, s)
		if !ok || code != "" {
			return
		}
		if pin.CheckPAN(a.pan) != nil || a.min < pin.MinPIN || a.max > pin.MaxPIN || a.min > a.max || (a.key != "") != (s == pin.MasterSession) {
			t.Fatalf("%+v", a)
		}
		if a.id == "Z62" && len(a.prompts) != 3 {
			t.Fatalf("%+v", a)
		}
	})
}

func FuzzParseMAC(f *testing.F) {
	f.Add("Z663000\x1c" + cipherPIK + "\x1c\x1c0000")
	f.Add("Z661990\x1c" + cipherMAK + "\x1c\x1ctext")
	f.Fuzz(func(t *testing.T, body string) {
		m, status := parseMAC(body)
		if status == "" && (m.seq < 0 || m.seq >= maxMACPackets || m.msg == "" || len(m.msg) > maxMACText) {
			t.Fatalf("%+v", m)
		}
	})
}

func FuzzAESCounterFile(f *testing.F) {
	f.Add([]byte(`{"last_ksn":"123456789012345600000001"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := decodeCounter(raw, pin.ParseAESKSN)
		if err != nil && k != (pin.AESKSN{}) {
			t.Fatal("a number beside an error")
		}
	})
}
