package device_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"buka/internal/pin"
	"buka/kiosk/device"
	"buka/kiosk/device/virtualpad"
)

// padProcess names the mode of a pad that runs in a process of its own, so that
// nothing it knows is in the memory that is searched.
const padProcess = "BUKA_TEST_PAD"

// rarePIN and rarePAN are of this test alone, for other tests of this process
// keep blocks to look for.
const rarePIN, rarePAN = "83610947", "6217001234567890127"

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(padProcess)); err == nil {
		runPad(n)
		return
	}
	os.Exit(m.Run())
}

// runPad is a pad and its customer until standard input ends.
func runPad(n int) {
	dir, err := os.MkdirTemp("", "pad")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ksn, err := pin.ParseKSN("9876543210E00000")
	if err != nil {
		panic(err)
	}
	c := modes(&testing.B{})[n].pad
	c.Dir, c.IK, c.KSN, c.Logger = dir, pin.InitialKey(bdk, ksn), ksn, slog.New(slog.NewTextHandler(io.Discard, nil))
	p, err := virtualpad.Open(c)
	if err != nil {
		panic(err)
	}
	defer p.Close()
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	fmt.Println(p.SlavePath())
	for p.Type(ctx, rarePIN) == nil {
		p.Wait(ctx, func(s virtualpad.Snapshot) bool { return !s.Waiting })
	}
}

// TestNoBlockStaysInMemory reads the whole memory of this process for the block
// that it has just given out and wiped, as bytes and as the digits of the line.
func TestNoBlockStaysInMemory(t *testing.T) {
	for n, m := range modes(t) {
		if n%3 != 0 && m.cfg.Scheme != pin.MasterSession {
			continue // the packet makes no difference to what becomes of the answer
		}
		t.Run(m.name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", padProcess, n))
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			defer in.Close()
			port, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			c := m.cfg
			c.Port, c.Logger = strings.TrimSpace(port), slog.New(slog.NewTextHandler(io.Discard, nil))
			d := device.New(c)
			defer d.Close()
			waitFor(t, "the pad", func() bool { ok, _, _ := d.State(); return ok })
			for range 2 {
				r, err := d.EnterPIN(context.Background(), device.Request{PAN: rarePAN, Amount: 5000, Key: m.key})
				if err != nil {
					t.Fatal(err)
				}
				what := masked(r.PIN)
				if raw, _ := search(t, what); raw == 0 {
					t.Fatal("the search does not find the block while it is there")
				}
				r.PIN.Wipe()
				raw, digits := search(t, what)
				for try := 0; raw+digits != 0 && try < 5; try++ {
					time.Sleep(200 * time.Millisecond) // a pad that repeats itself, for our ACK was late
					raw, digits = search(t, what)
				}
				if raw+digits != 0 {
					t.Errorf("after Wipe the block is in memory %d times, its digits %d times", raw, digits)
				}
				runtime.KeepAlive(r)
			}
		})
	}
}

const mask = 0xA5

// masked is a block under a mask, so that the search does not find itself.
func masked(s *pin.Sealed) []byte {
	out := make([]byte, len(s.Bytes()))
	for i := range out {
		out[i] = s.Bytes()[i] ^ mask
	}
	return out
}

// search counts a block in every writable mapping of this process.
func search(t *testing.T, what []byte) (raw, digits int) {
	t.Helper()
	const chunk = 1 << 20
	buf, err := unix.Mmap(-1, 0, chunk, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(buf)
	own := uint64(uintptr(unsafe.Pointer(&buf[0])))
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	overlap := 2*len(what) - 1
	total := 0
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		var perms string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &perms); err != nil || !strings.HasPrefix(perms, "rw") {
			continue
		}
		for at := from; at < to; at += chunk - uint64(overlap) {
			n := min(to-at, chunk)
			if at < own+chunk && own < at+n {
				continue // what was read before
			}
			got, _ := mem.ReadAt(buf[:n], int64(at))
			total += got
			raw += count(buf[:got], what, false)
			digits += count(buf[:got], what, true)
			if n < chunk {
				break
			}
		}
	}
	if total < 1<<20 {
		t.Fatalf("only %d bytes of memory were searched", total)
	}
	return raw, digits
}

// count finds a masked pattern without ever unmasking it in memory.
func count(in, what []byte, hex bool) (n int) {
	const digits = "0123456789ABCDEF"
	size := len(what)
	at := func(i int) byte { return what[i] ^ mask }
	if hex {
		size *= 2
		at = func(i int) byte { return digits[(what[i/2]^mask)>>(4*(1-i%2))&0xF] }
	}
	for {
		i := bytes.IndexByte(in, at(0))
		if i < 0 || i+size > len(in) {
			return n
		}
		j := 0
		for j < size && in[i+j] == at(j) {
			j++
		}
		if j == size {
			n++
		}
		in = in[i+1:]
	}
}
