package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"buka/internal/pin"
	"buka/sync/host"
	"buka/sync/switchlink"
)

// Secrets of this test. The PINs are longer than most are: six digits occur by
// chance in thousands of hashes and durations, ten do not.
var (
	payer = bank{"navy", "6225887316402952", "9382746150", 100000}
	short = bank{"mouse", "6225884490215737", "8273910465", 1000}
	guess = "5719360284" // a wrong PIN is a secret too: it may be another card's
)

// blocks takes the PIN blocks that reach the host, with their serial numbers.
type blocks struct {
	mu   sync.Mutex
	list map[pin.KSN]pin.Block
}

func (b *blocks) gate(r *switchlink.Request) host.Action {
	if r.PIN != nil {
		b.mu.Lock()
		b.list[r.PIN.KSN] = r.PIN.Block()
		b.mu.Unlock()
	}
	return host.Action{}
}

// TestNoSecretAnywhere runs a set of sales with everything logged and looks
// for PINs, PIN blocks and card numbers in whatever they left behind. Exempt
// are the virtual devices' own state and the bench page's socket; and on the
// switch link a payment carries the card number and the PIN block, as it must,
// but never the PIN.
func TestNoSecretAnywhere(t *testing.T) {
	t.Parallel()
	w := begin(t, "en", []card{{"ruby", "3105170010170908024", 2850}}, []bank{payer, short})
	caught := &blocks{list: map[pin.KSN]pin.Block{}}
	w.lab.Host().SetGate(caught.gate)
	cashier, operator := w.signIn("cashier"), w.signIn("operator")
	w.sales()
	if got := len(caught.list); got != 6 {
		t.Fatalf("%d PIN blocks reached the host, there should be 6", got)
	}
	pads := w.padBlocks(t, caught)
	secrets := secretsOf(caught, pads)
	public := slices.Concat(forPAN(payer.pan, "9912"), forPAN(short.pan, "9912"))

	for _, p := range []*page{w.passenger, cashier, operator} {
		html := ask[string](p, `document.documentElement.outerHTML`)
		report(t, "the page of the "+p.name, within([]byte(html), slices.Concat(secrets, public)))
	}
	w.searchTraffic(slices.Concat(secrets, public))
	w.searchLinks(secrets, public)
	w.searchFiles("while it runs", slices.Concat(secrets, public))
	w.bench.press("#power-cut")
	w.screen("out-of-service")
	w.killHost() // what a power cut and a crash leave lying about
	w.searchFiles("after a crash", slices.Concat(secrets, public))
	w.canFail(slices.Concat(secrets, public))
	w.startHost()
}

// sales are one of each: written, wrong PIN, declined, torn and finished,
// reversed.
func (w *world) sales() {
	w.Helper()
	w.paid("ruby", 1000, payer)
	w.tap("ruby")
	w.screen("done")

	w.offer("ruby")
	w.choose(1000)
	w.screen("payment")
	w.pay(payer.name)
	w.screen("pin")
	w.keys(guess)
	w.passenger.reads("#notice", w.words.T("reason.wrong-pin.title"))
	w.keys(payer.pin)
	w.screen("hold")
	w.tap("ruby")
	w.screen("done")

	w.offer("ruby")
	w.choose(5000)
	w.screen("payment")
	w.pay(short.name)
	w.screen("pin")
	w.keys(short.pin)
	w.screen("declined")
	w.home()

	w.paid("ruby", 2000, payer)
	w.bench.press("#tear-after-ruby")
	w.bench.until("the tear to be armed", `document.querySelector("#tear-after-ruby").getAttribute("aria-pressed") === "true"`)
	w.tap("ruby")
	w.screen("unfinished")
	w.tap("ruby")
	w.screen("done")

	w.paid("ruby", 5000, payer)
	w.passenger.press("#stop")
	w.screen("declined")
	w.charged(payer.name, 4000)
	w.settled()
	wait(w.T, func() error { return w.lab.Synced(w.Context()) })
}

// padBlocks computes what a PIN pad with the lab's key makes of the PINs, and
// says that the blocks at the host are among it: the needles are real.
func (w *world) padBlocks(t *testing.T, caught *blocks) []needle {
	t.Helper()
	bdk := host.DefaultKeys().BDK
	var list []needle
	for ksn, got := range caught.list {
		key, err := pin.TransactionKey(pin.InitialKey(bdk, ksn.WithCounter(0)), ksn)
		if err != nil {
			t.Fatal(err)
		}
		known := false
		for _, b := range []bank{payer, short} {
			for _, digits := range []string{payer.pin, short.pin, guess} {
				typed, err := pin.NewPIN([]byte(digits))
				if err != nil {
					t.Fatal(err)
				}
				clear, err := pin.Encode0(typed, b.pan)
				if err != nil {
					t.Fatal(err)
				}
				block := pin.EncryptBlock(key, clear)
				known = known || block == got
				list = append(list, raw("a PIN block", block[:])...)
				list = append(list, raw("a clear PIN block", clear[:])...)
			}
		}
		if !known {
			t.Errorf("the block under %s is not what the PIN pad's key makes", ksn)
		}
	}
	return list
}

// secretsOf are what nothing but a payment on the switch link may hold, and
// that only enciphered.
func secretsOf(caught *blocks, computed []needle) []needle {
	list := slices.Clone(computed)
	for _, digits := range []string{payer.pin, short.pin, guess} {
		list = append(list, text("a PIN", digits)...)
		if bcd, err := hex.DecodeString(digits); err == nil {
			list = append(list, raw("a PIN in BCD", bcd)...)
		}
		var apart []string // 9 3 8 2 7 4, as a list of keys would be
		for _, d := range digits {
			apart = append(apart, string(d))
		}
		for _, sep := range []string{" ", ",", `","`, ", "} {
			list = append(list, needle{"the digits of a PIN, apart", []byte(strings.Join(apart, sep))})
		}
	}
	for _, b := range caught.list {
		list = append(list, raw("a PIN block at the host", b[:])...)
	}
	return list
}

func report(t *testing.T, where string, found []string) {
	t.Helper()
	for _, f := range found {
		t.Errorf("%s: %s", where, f)
	}
}

func (w *world) searchTraffic(needles []needle) {
	w.Helper()
	for _, socket := range []string{"/ws", "/cashier/ws", "/operator/ws"} {
		frames := w.frames.of(socket)
		if len(frames) < 3 {
			w.Fatalf("only %d frames of %s were recorded", len(frames), socket)
		}
		report(w.T, "frames of "+socket, within([]byte(strings.Join(frames, "\n")), needles))
	}
	if bench := strings.Join(w.frames.of("/bench/ws"), ""); !strings.Contains(bench, payer.pin) {
		w.Error("the bench shows the PINs of its cards, and the record of its socket has none: is anything recorded?")
	}
}

// searchLinks: no secret on the fleet link; on the switch link card numbers
// and enciphered PIN blocks in payments, and nowhere else.
func (w *world) searchLinks(secrets, public []needle) {
	w.Helper()
	for s, data := range w.wires.all("fleet") {
		report(w.T, "the fleet link "+s.conn, within(data, slices.Concat(secrets, public)))
	}
	payments := 0
	for s, data := range w.wires.all("switch") {
		for _, frame := range frames(w.T, data) {
			found := within(frame, slices.Concat(secrets, public))
			if mti := hex.EncodeToString(frame[11:13]); s.out && mti == "0200" && len(found) > 0 {
				payments++
				for _, f := range found {
					if !strings.HasPrefix(f, "a PIN block") && !strings.HasPrefix(f, "card number") {
						w.Errorf("a payment on the switch link: %s", f)
					}
				}
				continue
			}
			report(w.T, "a message on the switch link that is no payment", found)
		}
	}
	if payments != 6 {
		w.Errorf("card numbers were found in %d payments, there were 6: does the search see?", payments)
	}
}

// frames cuts a stream of the switch link: two bytes of length, then TPDU,
// header and message (docs/protocols/switch.md).
func frames(t *testing.T, data []byte) (list [][]byte) {
	t.Helper()
	for len(data) >= 2 {
		n := int(binary.BigEndian.Uint16(data))
		if n < 13 || len(data) < 2+n {
			t.Fatalf("%d bytes of the switch link are no frame", len(data))
		}
		list = append(list, data[2:2+n])
		data = data[2+n:]
	}
	return list
}

// searchFiles looks through the data directory, WAL and bbolt and all, and
// through the log.
func (w *world) searchFiles(when string, needles []needle) {
	w.Helper()
	found, files, err := search(w.dir, exemptDirs, needles)
	if err != nil {
		w.Fatal(err)
	}
	report(w.T, "files "+when, found)
	if files < 5 {
		w.Errorf("only %d files were searched", files)
	}
	data, err := os.ReadFile(w.logFile)
	if err != nil {
		w.Fatal(err)
	}
	if !bytes.Contains(data, []byte("level=DEBUG")) {
		w.Error("the log has nothing of level debug")
	}
	report(w.T, "the log "+when, within(data, needles))
}

// exemptDirs are the virtual devices' own state.
var exemptDirs = []string{"cards", "pinpad"}

// canFail plants every needle, one at a time, in a copy of the data and sees
// it found: behind the end of a database, and in a log.
func (w *world) canFail(needles []needle) {
	w.Helper()
	copied := w.TempDir()
	for _, part := range []string{"kiosk", "host"} {
		if err := os.CopyFS(filepath.Join(copied, part), os.DirFS(filepath.Join(w.dir, part))); err != nil {
			w.Fatal(err)
		}
	}
	db := filepath.Join(copied, "host", "host.db")
	clean, err := os.ReadFile(db)
	if err != nil {
		w.Fatal(err)
	}
	middle := len(clean) / 2
	one := needles[0]
	if err := os.WriteFile(db, slices.Concat(clean[:middle], one.bytes, clean[middle:]), 0o600); err != nil {
		w.Fatal(err)
	}
	found, _, err := search(copied, exemptDirs, needles)
	if err != nil {
		w.Fatal(err)
	}
	if !slices.Contains(found, filepath.Join("host", "host.db")+": "+one.what) {
		w.Errorf("%s was planted and not found: %q", one.what, found)
	}
	for _, n := range needles {
		if !slices.Contains(within(slices.Concat([]byte("before"), n.bytes, []byte("after")), needles), n.what) {
			w.Errorf("%s is not found", n.what)
		}
	}
}
