package foreign

import (
	"bytes"
	"encoding/hex"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

func vectors(t *testing.T) map[string]string {
	b, err := os.ReadFile("testdata/computed.txt")
	if err != nil {
		t.Fatal(err)
	}
	v := map[string]string{}
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); len(f) == 2 && f[0] != "#" {
			v[f[0]] = f[1]
		}
	}
	return v
}

func TestVectors(t *testing.T) {
	v := vectors(t)
	x := [8]byte(unhex("5170010170907984"))
	load, purchase := diversify(master(0x10), x), diversify(master(0x20), x)
	folded := fold(diversify(master(0x30), x))
	key := loadKey(load, [4]byte(unhex("A1B2C3D4")), 2)
	paid := purchaseKey(purchase, [4]byte(unhex("5E6F7081")), 10, 0x127)
	terminal, when := unhex("112233445566"), unhex("20260115093015")
	m1 := mac(key, be32(0xB22), be32(5000), []byte{2}, terminal)
	m2 := mac(key, be32(5000), []byte{2}, terminal, when)
	tac := mac(folded, be32(0x1EAA), be16(2), be32(5000), []byte{2}, terminal, when)
	p1 := loadKey([16]byte(unhex("11223344556677888877665544332211")), [4]byte(unhex("11223344")), 0)
	p1m1 := mac(p1, be32(0), be32(0x1000), []byte{1}, unhex("001122334455"))
	p1m2 := mac(p1, be32(0x1000), []byte{1}, unhex("001122334455"), unhex("20111221214822"))
	for name, got := range map[string][]byte{
		"dlk": load[:], "dpk": purchase[:], "fold": folded[:], "seslk": key[:], "mac1": m1[:], "mac2": m2[:], "tac": tac[:], "sespk": paid[:],
		"p1key": p1[:], "p1mac1": p1m1[:], "p1mac2": p1m2[:],
	} {
		if !strings.EqualFold(hex.EncodeToString(got), v[name]) {
			t.Errorf("%s is %X, not %s", name, got, v[name])
		}
	}
}

// driver is the other end of the socket, as vpcd is.
type driver struct {
	t      *testing.T
	listen net.Listener
	conn   net.Conn
}

func newDriver(t *testing.T) *driver {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &driver{t: t, listen: l}
}

func (d *driver) accept() {
	d.t.Helper()
	d.listen.(*net.TCPListener).SetDeadline(time.Now().Add(20 * time.Second))
	conn, err := d.listen.Accept()
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	d.conn = conn
}

// ask sends a frame; nil if the card has left over it.
func (d *driver) ask(command string) []byte {
	d.t.Helper()
	if err := send(d.conn, unhex(strings.ReplaceAll(command, " ", ""))); err != nil {
		d.t.Fatal(err)
	}
	b, err := receive(d.conn)
	if err == io.EOF {
		return nil
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return b
}

// sw asks and wants this status word, and gives the data.
func (d *driver) sw(want uint16, command string) []byte {
	d.t.Helper()
	b := d.ask(command)
	if len(b) < 2 || !bytes.HasSuffix(b, be16(want)) {
		d.t.Fatalf("%s: %X, not %04X", command, b, want)
	}
	return b[:len(b)-2]
}

const (
	selectPurse = "00A4040008 A000000632010105 00"
	initialize  = "805000020B 01 00001388 112233445566 10"
	when        = "20260115093015"
)

// credit makes the CREDIT FOR LOAD that answers what INITIALIZE said, with the
// authority's knowledge of the key.
func credit(answer []byte) string {
	key := loadKey(diversify(master(0x10), [8]byte(unhex("5170010170907984"))), [4]byte(answer[8:12]), uint16(answer[4])<<8|uint16(answer[5]))
	m := mac(key, be32(5000), []byte{2}, unhex("112233445566"), unhex(when))
	return "805200000B" + when + hex.EncodeToString(m[:]) + "04"
}

func start(t *testing.T, d *driver, options string) *Process {
	p, err := Start("addr=" + d.listen.Addr().String() + " balance=28.50 counter=2 return=0s " + options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	d.accept()
	return p
}

func says(t *testing.T, p *Process, line, want string) {
	t.Helper()
	if got, err := p.Do(line); err != nil || got != want {
		t.Errorf("%s: %q, not %q (%v)", line, got, want, err)
	}
}

func TestLoad(t *testing.T) {
	d := newDriver(t)
	p := start(t, d, "")
	if got := d.ask("04"); !bytes.Equal(got, atr) {
		t.Errorf("ATR %X", got)
	}
	d.sw(swOK, "00A404000E 325041592E5359532E4444463031 00")
	d.sw(swNoFile, "00A4040008 A000000632010106 00")
	d.sw(swINS, "805C000204")
	d.sw(swOK, selectPurse)
	if got := d.sw(swOK, "805C000204"); !bytes.Equal(got, be32(0xB22)) {
		t.Errorf("balance %X", got)
	}
	d.sw(swState, "805200000B 20260115093015 00000000 04")
	a := d.sw(swOK, initialize)
	d.sw(swMAC, "805200000B 20260115093015 00000000 04")
	d.sw(swState, credit(a))
	a = d.sw(swOK, initialize)
	tac := d.sw(swOK, credit(a))
	if want := vectors(t)["tac"]; !strings.EqualFold(hex.EncodeToString(tac), want) {
		t.Errorf("TAC %X", tac)
	}
	d.sw(swNoProof, "805A000202 0002 08")
	if got := d.sw(swOK, "805A000202 0003 08"); !bytes.Equal(got[4:], tac) {
		t.Errorf("proof %X", got)
	}
	if got := d.sw(swOK, "00B201C417"); !bytes.Equal(got[:2], be16(2)) || !bytes.Equal(got[16:], unhex(when)) {
		t.Errorf("record %X", got)
	}
	says(t, p, "balance", "78.50")
	says(t, p, "loads", "1 50.00")
	says(t, p, "torn", "0")
}

func TestTearsAndHabits(t *testing.T) {
	d := newDriver(t)
	p := start(t, d, Strict+" tear=before away=ride:2.00")
	d.sw(swOK, selectPurse)
	if got := d.ask(credit(d.sw(swOK, initialize))); got != nil {
		t.Fatalf("torn, and yet it says %X", got)
	}
	d.accept()
	says(t, p, "balance", "26.50")
	says(t, p, "loads", "0 0.00")
	says(t, p, "tear after", "ok")
	d.sw(swINS, initialize) // the session is gone
	d.sw(swOK, selectPurse)
	a := d.sw(swOK, initialize)
	d.sw(swOK, "805C000204") // any other command ends it
	d.sw(swState, credit(a))
	if got := d.ask(credit(d.sw(swOK, initialize))); got != nil {
		t.Fatalf("torn, and yet it says %X", got)
	}
	d.accept()
	says(t, p, "loads", "1 50.00")
	says(t, p, "torn", "2")
	d.sw(swOK, selectPurse)
	d.sw(swNoProof, "805A000202 0003 08")
	d.sw(swOK, "805A000202 0002 08")
	d.sw(swNoProof, "805A000202 0002 08") // once
	if got := d.sw(swOK, "00B201C417"); !bytes.Equal(got[:2], be16(3)) {
		t.Errorf("record %X", got)
	}
	d.sw(swNoRecord, "00B203C417")
	for _, want := range []uint16{swMAC, swMAC, swLocked} {
		d.sw(swOK, initialize)
		d.sw(want, "805200000B 20260115093015 00000000 04")
	}
	d.sw(swLocked, initialize)
}

func TestGetResponseAndPIN(t *testing.T) {
	d := newDriver(t)
	start(t, d, "61xx pin=123456")
	d.sw(0x6133, selectPurse)
	d.sw(0x6C33, "00C0000010")
	d.sw(swOK, "00C0000033")
	d.sw(swSecurity, initialize)
	d.sw(0x63C2, "0020000003 000000")
	d.sw(swOK, "0020000003 123456")
	d.sw(0x6110, initialize)
	d.sw(0x6104, credit(d.sw(swOK, "00C0000010")))
	d.sw(swOK, "00C0000004")
}

func TestOptionsThatAreNone(t *testing.T) {
	for _, text := range []string{"wipe=1", "number=12", "balance=28.5", "counter=65536", "tear=now", "colour=red"} {
		if _, err := ParseOptions(text); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

// FuzzAnswer: whatever a terminal sends, the card answers and keeps its purse.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{selectPurse, initialize, "805A000202 0003 08", "00B0950000", "00", "00C0000033"} {
		f.Add(unhex(strings.ReplaceAll(s, " ", "")))
	}
	f.Fuzz(func(t *testing.T, apdu []byte) {
		o, _ := ParseOptions("61xx balance=28.50")
		c, err := newCard(o)
		if err != nil {
			t.Fatal(err)
		}
		c.answer(unhex(strings.ReplaceAll(selectPurse, " ", "")))
		if b, _ := c.answer(apdu); len(b) < 2 || c.balance != 2850 {
			t.Errorf("%X: %X, balance %d", apdu, b, c.balance)
		}
	})
}

func TestReplaysAfterItsTear(t *testing.T) {
	d := newDriver(t)
	p := start(t, d, "replay tear=after")
	d.sw(swOK, selectPurse)
	a := d.sw(swOK, initialize)
	if got := d.ask(credit(a)); got != nil {
		t.Fatalf("torn, and yet it says %X", got)
	}
	d.accept()
	says(t, p, "balance", "78.50")
	d.sw(swOK, selectPurse)
	if got := d.sw(swOK, "805C000204"); !bytes.Equal(got, be32(0xB22)) {
		t.Errorf("it shows %X", got)
	}
	d.sw(swNoProof, "805A000202 0003 08")
	if got := d.sw(swOK, "00B201C417"); !bytes.Equal(got, make([]byte, 23)) {
		t.Errorf("record %X", got)
	}
	if got := d.sw(swOK, "805000020B 01 00000001 FFFFFFFFFFFF 10"); !bytes.Equal(got, a) {
		t.Errorf("INITIALIZE answered %X, not %X again", got, a)
	}
	d.sw(swState, credit(a))
	says(t, p, "loads", "1 50.00")
}

func TestAnotherCardTakesItsPlace(t *testing.T) {
	d := newDriver(t)
	p := start(t, d, "swap=credit return=1h")
	says(t, p, "other", "none")
	d.sw(swOK, selectPurse)
	d.sw(swState, credit(d.sw(swOK, initialize)))
	d.sw(swOK, selectPurse)
	if got := d.sw(swOK, "00B0950A0A"); hex.EncodeToString(got) != "0"+otherNumber {
		t.Errorf("its number is %X", got)
	}
	says(t, p, "other", "0.00")
	says(t, p, "loads", "0 0.00")
}

// FuzzOptions: whatever is asked for, it is a card or an error.
func FuzzOptions(f *testing.F) {
	for _, s := range []string{Strict, "number=3105170010170907984 balance=1.00 swap=prove away=load:20.00", "swap=-1 drop=-1 tear=x", "=", "pin=zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := ParseOptions(text)
		if err != nil {
			return
		}
		c, err := newCard(o)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		c.answer(unhex(strings.ReplaceAll(selectPurse, " ", "")))
		c.answer(unhex("0020000003123456"))
	})
}
