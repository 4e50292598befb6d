package switchlink

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"buka/internal/entry"
	"buka/internal/mac"
	"buka/internal/pin"
)

// masked is a secret that the test itself does not hold: every byte is XORed
// with 0x5A, also of its hexadecimal characters.
type masked []hidden

type hidden []byte

const mask = 0x5A

func maskOf(block []byte) (m masked) {
	raw := make([]byte, len(block))
	for i := range block {
		raw[i] = block[i] ^ mask
	}
	m = append(m, raw)
	for _, digits := range []string{"0123456789ABCDEF", "0123456789abcdef"} {
		hexed := make([]byte, 0, 2*len(block))
		for i := range block {
			hexed = append(hexed, digits[block[i]>>4]^mask, digits[block[i]&0xF]^mask)
		}
		m = append(m, hexed)
	}
	return m
}

// copies counts where a secret is in the writable memory of this process.
func (m masked) copies(t *testing.T) (n int) {
	t.Helper()
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	const chunk, overlap = 1 << 20, 64
	buf, err := syscall.Mmap(-1, 0, chunk+overlap, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(buf)
	for _, r := range writable(t, uint64(uintptr(addressOf(buf)))) {
		for at := r[0]; at < r[1]; at += chunk {
			got, err := mem.ReadAt(buf[:min(uint64(chunk+overlap), r[1]-at)], int64(at))
			if err != nil && got == 0 {
				break // a guard page
			}
			n += m.within(buf[:got], chunk)
			clear(buf)
		}
	}
	return n
}

// within counts places that begin in the first limit bytes.
func (m masked) within(b []byte, limit int) (n int) {
	for _, pattern := range m {
		first := pattern[0] ^ mask
		for at := 0; at < min(limit, len(b)); at++ {
			next := bytes.IndexByte(b[at:min(limit, len(b))], first)
			if next < 0 {
				break
			}
			at += next
			if pattern.at(b[at:]) {
				n++
			}
		}
	}
	return n
}

// at compares without a copy of the secret.
func (p hidden) at(b []byte) bool {
	for i, c := range p {
		if i == len(b) || b[i] != c^mask {
			return false
		}
	}
	return true
}

// writable gives the writable private memory but the part that holds except. A
// race detector's shadow is terabytes that nobody has touched: what is over 1 GiB
// is no heap of a test.
func writable(t *testing.T, except uint64) (out [][2]uint64) {
	t.Helper()
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var from, to uint64
		var how string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &how); err != nil || !strings.HasPrefix(how, "rw") {
			continue
		}
		if to-from <= 1<<30 && (except < from || except >= to) {
			out = append(out, [2]uint64{from, to})
		}
	}
	return out
}

// TestNoBlockOutlivesItsMessage sends a PIN in each spec and form, to a server in
// this process that has used it, and through one that answers late, never, or
// with an error; then it looks for the block in the whole memory of the process,
// where neither the caller's nor any copy may be left.
//
// It runs in a process of its own in which the scheduler stops goroutines only
// where they call it. Elsewhere it saves all registers of the processor on the
// stack, with what the last copy has left in them: that is beyond a Go program.
func TestNoBlockOutlivesItsMessage(t *testing.T) {
	if !calm(t) {
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // what is left lying stays where it is
	key := testKey{mac.X919, unhex(t, "0123456789ABCDEFFEDCBA9876543210")}
	for _, spec := range []*Spec{UnionPay(), ASCII87()} {
		for _, form := range []struct {
			scheme pin.Scheme
			format pin.Format
		}{{pin.TDESDUKPT, pin.Format0}, {pin.MasterSession, pin.Format3}, {pin.AESDUKPT, pin.Format4}} {
			for _, end := range []string{"answered", "never answered", "malformed", "not sent"} {
				t.Run(fmt.Sprint(spec.Name, "/", form.scheme, form.format, "/", end), func(t *testing.T) {
					var handled atomic.Int32
					heard := make(chan struct{}, 1)
					host, addr := serve(t, ServerConfig{Spec: spec, MAC: func(context.Context, string, string) (Authenticator, error) { return key, nil },
						Handler: handlerFunc(func(_ context.Context, r *Request) (Response, bool) {
							if r.Kind != KindPay {
								return Response{Code: "00"}, true
							}
							if handled.Add(1); r.PIN.Wiped() || r.PIN.Scheme != form.scheme || r.PIN.Layout != form.format {
								t.Errorf("the host has %v %v", r.PIN.Scheme, r.PIN.Layout)
							}
							heard <- struct{}{}
							return Response{Code: "00", Amount: r.Amount}, end == "answered"
						})})
					cfg := Config{Addr: addr, Spec: spec, MAC: key, Timeout: 20 * time.Second}
					if end == "not sent" {
						cfg.Dial = func(context.Context) (net.Conn, error) { return nil, fmt.Errorf("no route") }
					}
					c := dialTo(t, cfg)
					p, secret := randomPIN(t, form.scheme, form.format)
					if secret.copies(t) == 0 {
						t.Fatal("the search finds nothing")
					}
					pay := testPayment(1)
					pay.PIN = p
					if end == "malformed" {
						pay.ICC = make([]byte, maxICC+1)
					}
					ctx, cancel := context.WithCancel(bg())
					defer cancel()
					if end == "never answered" { // nobody waits for it after the host has it
						go func() {
							<-heard
							cancel()
						}()
					}
					_, err := c.Pay(ctx, pay)
					if (err == nil) != (end == "answered") || (handled.Load() == 1) != (end == "answered" || end == "never answered") {
						t.Fatalf("%v, handled %d", err, handled.Load())
					}
					if !p.Wiped() {
						t.Error("the caller's block is left")
					}
					c.Close()
					host.Close() // both have done with it
					if n := secret.copies(t); n != 0 {
						t.Errorf("%d copies are left", n)
					}
				})
			}
		}
	}
}

// TestNoBlockIsLeftByTLS looks in the memory of a client that has sent a PIN
// through TLS to another process, openssl, with the buffers of the TLS library
// thrown away before, so that it makes new ones.
func TestNoBlockIsLeftByTLS(t *testing.T) {
	if !calm(t) {
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	ours := newAuthority(t, t.TempDir(), "agency")
	addr, took := sink(t, ours)
	cfg, err := ClientTLS(ours.issue("kiosk"), "switch.example")
	if err != nil {
		t.Fatal(err)
	}
	for i, form := range []pin.Format{pin.Format0, pin.Format4, pin.Format0, pin.Format4} {
		connected := make(chan struct{}, 8)
		c := dialTo(t, Config{Timeout: 20 * time.Second, Dial: func(ctx context.Context) (net.Conn, error) {
			conn, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", addr)
			connected <- struct{}{}
			return conn, err
		}})
		<-connected
		p, secret := randomPIN(t, pin.AESDUKPT, form)
		pay := testPayment(uint32(i + 1))
		pay.PIN, pay.ICC, pay.Sale = p, make([]byte, 60*i), entry.SaleID(fmt.Sprintf("THROUGHTLS%d", i))
		for range 3 {
			runtime.GC()
		}
		ctx, cancel := context.WithCancel(bg())
		done := make(chan error, 1)
		go func() {
			_, err := c.Pay(ctx, pay)
			done <- err
		}()
		soon(t, "openssl has the payment", func() bool { return took(string(pay.Sale)) })
		cancel()
		if err := <-done; !errors.Is(err, ErrNoAnswer) {
			t.Fatal(err)
		}
		c.Close()
		if n := secret.copies(t); n != 0 {
			t.Errorf("format %d: %d copies are left", form, n)
		}
	}
}

// sink is a host behind TLS in a process of its own that takes everything and
// answers nothing. took says whether a text has come; a third process looks, for
// this one must not read what came.
func sink(t *testing.T, a *authority) (addr string, took func(string) bool) {
	t.Helper()
	f := a.issue("host")
	said := a.file("said")
	log, err := os.Create(said) // read before anything is sent, never after
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", f.Cert, "-key", f.Key, "-CAfile", f.CA, "-Verify", "1", "-tls1_3")
	cmd.Stdout = log
	in, err := cmd.StdinPipe() // at its end openssl would stop
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatalf("openssl (Debian package openssl): %v", err)
	}
	t.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait() })
	accepts := regexp.MustCompile(`ACCEPT (\S+)\n`)
	soon(t, "openssl listens", func() bool {
		b, err := os.ReadFile(said)
		if m := accepts.FindSubmatch(b); err == nil && m != nil {
			addr = string(m[1])
		}
		return addr != ""
	})
	return addr, func(text string) bool { return exec.Command("grep", "-aq", text, said).Run() == nil }
}

// calmly is in the environment of the process that looks.
const calmly = "BUKA_TEST_CALMLY"

// calm says whether this process is one in which the scheduler stops goroutines
// only where they call it, and that is what is shipped: with the race detector
// pools of buffers forget on purpose. In another one it runs the test in such a
// process.
func calm(t *testing.T) bool {
	t.Helper()
	if os.Getenv(calmly) != "" {
		return true
	}
	ctx, cancel := context.WithTimeout(bg(), 5*time.Minute)
	defer cancel()
	binary := os.Args[0]
	if raced {
		binary = filepath.Join(t.TempDir(), "switchlink.test")
		if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-race=false", "-o", binary, ".").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	cmd := exec.CommandContext(ctx, binary, "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), calmly+"=1", "GODEBUG=asyncpreemptoff=1")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// randomPIN is a block that only this value holds.
func randomPIN(t *testing.T, s pin.Scheme, f pin.Format) (*pin.Sealed, masked) {
	t.Helper()
	p, err := pin.NewSealed(s, f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rand.Read(p.Bytes()); err != nil {
		t.Fatal(err)
	}
	return p, maskOf(p.Bytes())
}

func addressOf(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }
