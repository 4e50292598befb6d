package switchlink

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"buka/internal/mac"
)

// TestLogsOfALink has both ends log everything that they ever log, with answers
// that are late, doubled, unreadable or sealed by another key, and looks in the
// logs for what only the wire may hold, in every way of writing it.
func TestLogsOfALink(t *testing.T) {
	log := &safeLog{}
	all := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	key := testKey{mac.X919, unhex(t, "0123456789ABCDEFFEDCBA9876543210")}
	other := testKey{mac.X919, unhex(t, "FEDCBA98765432100123456789ABCDEF")}
	secrets := map[string][]byte{
		"the card's number": []byte("6225880000000001"), "track 2": []byte("0001D3012"), "the block": unhexed("1B9C1845EB993A7A"),
		"chip data": unhexed("9F260811223344556677"), "the issuer's": unhexed("910A8877665544332211"), "working keys": []byte("KEYSKEYSKEYSKEYSKEYSKEYS"),
		"totals": []byte("000000005000001"), "the MAC key": key.key[:8], "the serial number": unhexed("FFFF9876543210E0"),
	}
	var hostKey atomic.Pointer[testKey]
	hostKey.Store(&key)
	_, addr := serve(t, ServerConfig{Logger: all, MAC: func(context.Context, string, string) (Authenticator, error) { return *hostKey.Load(), nil },
		Handler: handlerFunc(func(_ context.Context, r *Request) (Response, bool) {
			if r.STAN == 13 && r.Kind != KindEcho {
				panic(fmt.Sprint("a handler that prints ", r.Kind))
			}
			return Response{Code: "00", At: time.Now(), Amount: r.Amount + 1, Batch: 7, ICC: unhexed("910A8877665544332211"),
				Keys: []byte("KEYSKEYSKEYSKEYSKEYSKEYS")}, true
		})})
	c := dialTo(t, Config{Addr: addr, MAC: key, Timeout: 500 * time.Millisecond, Logger: all})
	for _, keys := range []testKey{key, other} {
		hostKey.Store(&keys)
		for k := range kindNames {
			c.ask(bg(), wholeRequest(k, 12))
		}
		c.ask(bg(), wholeRequest(KindPay, 13))
	}
	h := newRawHost(t)
	d := dialTo(t, Config{Addr: h.ln.Addr().String(), Timeout: 20 * time.Second, Logger: all})
	for _, k := range []Kind{KindPay, KindSignOn, KindSettle} {
		done := make(chan error, 1)
		go func() { _, err := d.ask(bg(), wholeRequest(k, 20)); done <- err }()
		in := h.next()
		for range 2 { // the second is late
			in.answer(t, Response{Code: "00", At: time.Now(), Amount: 1, Batch: 7, ICC: unhexed("910A8877665544332211"), Keys: []byte("KEYSKEYSKEYSKEYSKEYSKEYS")},
				func(m *Message) { m.set(38, "000017") })
		}
		<-done
	}
	soon(t, "both have logged", func() bool {
		return log.has("an answer to no request") && log.has("MAC is wrong") && log.has("a bad answer") && log.has("broke its handler")
	})
	text := strings.ToLower(log.text())
	for name, b := range secrets {
		list := strings.Trim(fmt.Sprint(b), "[]")
		for _, form := range []string{string(b), hex.EncodeToString(b), base64.StdEncoding.EncodeToString(b)[:len(b)], list, strings.ReplaceAll(list, " ", ", ")} {
			if strings.Contains(text, strings.ToLower(form)) {
				t.Errorf("%s is in the log as %q", name, form)
			}
		}
	}
}
