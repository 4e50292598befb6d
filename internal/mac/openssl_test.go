package mac

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"os/exec"
	"testing"
)

// openssl enciphers whole blocks with the foreign tool: DES-EDE of two keys,
// which is single DES when both are equal.
func openssl(t *testing.T, mode string, key, in []byte) []byte {
	t.Helper()
	args := []string{"enc", "-e", mode, "-nopad", "-nosalt", "-K", hex.EncodeToString(key)}
	if mode == "-des-ede-cbc" {
		args = append(args, "-iv", "0000000000000000")
	}
	cmd := exec.Command("openssl", args...)
	cmd.Stdin = bytes.NewReader(in)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil || len(out) != len(in) {
		t.Fatalf("openssl, which this test needs (apt-get install openssl): %v %s", err, &complaint)
	}
	return out
}

// TestAgainstOpenSSL makes all three codes anew from openssl's ciphers.
func TestAgainstOpenSSL(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	bytesOf := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		return b
	}
	for _, n := range []int{1, 7, 8, 9, 16, 91, 224, 1000} {
		key, message := bytesOf(16), bytesOf(n)
		left := append(bytes.Clone(key[:8]), key[:8]...)
		padded := append(bytes.Clone(message), make([]byte, (8-n%8)%8)...)

		chain := openssl(t, "-des-ede-cbc", left, padded)
		last := len(chain) - 8
		check(t, X99, key[:8], message, chain[last:])

		before := make([]byte, 8)
		if last > 0 {
			before = chain[last-8 : last]
		}
		check(t, X919, key, message, openssl(t, "-des-ede", key, xor(padded[last:], before)))

		sum := make([]byte, 8)
		for at := 0; at < len(padded); at += 8 {
			sum = xor(sum, padded[at:at+8])
		}
		for _, k := range [][]byte{key[:8], key} {
			full := k
			if len(k) == 8 {
				full = left
			}
			h := bytes.ToUpper([]byte(hex.EncodeToString(sum)))
			e := openssl(t, "-des-ede", full, xor(openssl(t, "-des-ede", full, h[:8]), h[8:]))
			check(t, UnionPayECB, k, message, bytes.ToUpper([]byte(hex.EncodeToString(e)))[:8])
		}
	}
}

func check(t *testing.T, a Algorithm, key, message, want []byte) {
	t.Helper()
	if got, err := Sum(a, key, message); err != nil || !bytes.Equal(got[:], want) {
		t.Errorf("%v over %d bytes: %X, %v; openssl has %X", a, len(message), got, err, want)
	}
}

func xor(a, b []byte) []byte {
	out := bytes.Clone(a)
	for i := range out {
		out[i] ^= b[i]
	}
	return out
}
