package pin

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// TestNothingTells prints, logs and marshals every secret in every way that the
// house uses and looks for its bytes.
func TestNothingTells(t *testing.T) {
	p := mustPIN(t, "739182")
	c, err := Encode0(p, "4012345678909")
	if err != nil {
		t.Fatal(err)
	}
	key := Key{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	b := EncryptBlock(key, c)
	aes, err := NewSecretKey(AES128, key[:])
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := NewSealed(TDESDUKPT, Format0)
	if err != nil {
		t.Fatal(err)
	}
	copy(sealed.Bytes(), b[:])
	type all struct {
		P PIN
		C ClearBlock
		B Block
		K Key
		A SecretKey
		S *Sealed
	}
	v := all{p, c, b, key, aes, sealed}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%08b", "% x"} {
		fmt.Fprintf(&out, verb+"\n", v)
		fmt.Fprintf(&out, verb+"\n", &v)
		fmt.Fprintf(&out, verb+verb+verb+verb+verb+verb+"\n", p, c, b, key, aes, sealed)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("x", "p", p, "c", c, "b", b, "k", key, "a", aes, "s", sealed, "all", v, "ptr", &b)
	}
	if err := json.NewEncoder(&out).Encode(v); err != nil {
		t.Fatal(err)
	}

	text := strings.ToUpper(out.String())
	for _, bad := range []string{
		"739182", "7 3 9 1 8 2", "373339313832",
		fmt.Sprintf("%X", c[:]), fmt.Sprintf("%X", b[:]), fmt.Sprintf("%X", key[:]),
		fmt.Sprintf("%d", b[:])[1:], fmt.Sprintf("% X", b[:]), "1 2 3 4", "0X1, 0X2",
	} {
		if strings.Contains(text, bad) {
			t.Errorf("%s shows in:\n%s", bad, out.String())
		}
	}

	for _, s := range []encoding.BinaryMarshaler{p, c, b, key, aes, sealed} {
		if _, err := s.MarshalBinary(); !errors.Is(err, ErrSecret) {
			t.Errorf("%T marshals: %v", s, err)
		}
	}
	if _, err := cbor.Marshal(v); err == nil {
		t.Error("CBOR took a secret")
	}
	p.Zero()
	c.Zero()
	b.Zero()
	key.Zero()
	aes.Zero()
	if aes != (SecretKey{}) {
		t.Error("Zero leaves something of a key")
	}
	if p != (PIN{}) || c != (ClearBlock{}) || b != (Block{}) || key != (Key{}) {
		t.Error("Zero leaves something")
	}
}
