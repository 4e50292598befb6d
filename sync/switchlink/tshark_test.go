package switchlink

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"buka/internal/entry"
	"buka/internal/mac"
)

// capture keeps what crosses a connection, as packets of a pcap file (raw IPv4,
// libpcap link type 101).
type capture struct {
	mu   sync.Mutex
	file bytes.Buffer
	seq  [2]uint32 // bytes sent by kiosk and host
}

const (
	capturedKiosk = 40000
	capturedHost  = 8583
)

func newCapture() *capture {
	c := &capture{}
	head := []uint32{0xA1B2C3D4, 2 | 4<<16, 0, 0, 65535, 101}
	for _, v := range head {
		c.file.Write(binary.LittleEndian.AppendUint32(nil, v))
	}
	return c
}

// packet writes one TCP segment; checksums are 0, which tshark does not check.
func (c *capture) packet(fromHost bool, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	src, dst, side := capturedKiosk, capturedHost, 0
	if fromHost {
		src, dst, side = dst, src, 1
	}
	n := 20 + 20 + len(data)
	ip := make([]byte, 40, n)
	ip[0], ip[8], ip[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(ip[2:], uint16(n))
	copy(ip[12:], []byte{127, 0, 0, 1, 127, 0, 0, 1})
	tcp := ip[20:]
	binary.BigEndian.PutUint16(tcp[0:], uint16(src))
	binary.BigEndian.PutUint16(tcp[2:], uint16(dst))
	binary.BigEndian.PutUint32(tcp[4:], 1+c.seq[side])
	binary.BigEndian.PutUint32(tcp[8:], 1+c.seq[1-side])
	tcp[12], tcp[13] = 5<<4, 0x18 // PSH, ACK
	binary.BigEndian.PutUint16(tcp[14:], 65535)
	c.seq[side] += uint32(len(data))
	for _, v := range []uint32{uint32(c.file.Len()), 0, uint32(n), uint32(n)} {
		c.file.Write(binary.LittleEndian.AppendUint32(nil, v))
	}
	c.file.Write(ip)
	c.file.Write(data)
}

// tapped is a connection of the kiosk that is recorded.
type tapped struct {
	net.Conn
	to *capture
}

func (t tapped) Write(b []byte) (int, error) {
	n, err := t.Conn.Write(b)
	t.to.packet(false, b[:n])
	return n, err
}

func (t tapped) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	if n > 0 {
		t.to.packet(true, b[:n])
	}
	return n, err
}

// TestTsharkReadsTheASCIILink lets Wireshark's own ISO 8583 dissector read every
// kind of message and its answer, with MACs.
func TestTsharkReadsTheASCIILink(t *testing.T) {
	k := testKey{mac.X919, unhex(t, "0123456789ABCDEFFEDCBA9876543210")}
	_, addr := serve(t, ServerConfig{Spec: ASCII87(),
		MAC: func(context.Context, string, string) (Authenticator, error) { return k, nil },
		Handler: handlerFunc(func(_ context.Context, r *Request) (Response, bool) {
			return Response{Code: "00", At: time.Now(), Amount: r.Amount, Batch: 7, LastSTAN: 9, RRN: "260115000001", Auth: "000017",
				MAC2: []byte{1, 2, 3, 4}, Stamp: "20260115093015", Counter: entry.Counter{Value: r.Probe.Slot}, Keys: bytes.Repeat([]byte{0x5A}, 40)}, true
		})})
	tap := newCapture()
	c := dialTo(t, Config{Spec: ASCII87(), MAC: k, Timeout: 20 * time.Second, Dial: func(ctx context.Context) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		return tapped{conn, tap}, err
	}})
	for i, kind := range []Kind{KindSignOn, KindEcho, KindEligible, KindAuthorise, KindVerifyTAC, KindVerifyCounter, KindQuery, KindPay, KindReverse, KindConfirm, KindVoid, KindRefund,
		KindSettle, KindUpload, KindScript} {
		r := wholeRequest(kind, uint32(i+1))
		if _, err := c.ask(bg(), r); err != nil {
			t.Fatalf("%v: %v", kind, err)
		}
	}
	file := filepath.Join(t.TempDir(), "link.pcap")
	tap.mu.Lock()
	err := os.WriteFile(file, tap.file.Bytes(), 0o600)
	tap.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-r", file, "-d", "tcp.port==8583,iso8583", "-o", "iso8583.len_endian:Big endian"}
	seen := tshark(t, append(args, "-T", "fields", "-e", "iso8583.mti", "-Y", "iso8583")...)
	for kind := range kindNames {
		for _, mti := range []string{ASCII87().MTI(kind), ASCII87().AnswerMTI(kind)} {
			if !strings.Contains(seen, mti) {
				t.Errorf("tshark saw no %s", mti)
			}
		}
	}
	if bad := tshark(t, append(args, "-Y", "_ws.malformed || _ws.expert.severity >= 6291456 || data")...); bad != "" {
		t.Errorf("tshark cannot read\n%s\n%s", bad, tshark(t, append(args, "-V", "-Y", "_ws.malformed || _ws.expert.severity >= 6291456 || data")...))
	}
}

func tshark(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(bg(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark (Debian package tshark): %v", err)
	}
	return strings.TrimSpace(string(out))
}
