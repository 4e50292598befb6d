package pin

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func secret(t testing.TB, a Algorithm, hex string) SecretKey {
	t.Helper()
	k, err := ParseSecretKey(a, hex)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestFormat3Vectors(t *testing.T) {
	var v struct {
		Format3 []struct{ PIN, PAN, Fill, Block string }
	}
	load(t, "blocks.json", &v)
	for _, row := range v.Format3 {
		var random [16]byte
		for i, c := range unhex(t, row.Fill+"0")[:(len(row.Fill)+1)/2] {
			at := 2 + len(row.PIN) + 2*i
			random[at] = (c>>4-0xA)*43 + 1
			if at+1 < len(random) {
				random[at+1] = (c&0xF-0xA)*43 + 1
			}
		}
		b, err := encodeAs(Format3, mustPIN(t, row.PIN), row.PAN, random)
		if err != nil || b != ClearBlock(unhex(t, row.Block)) {
			t.Errorf("%X, %v; want %s", b[:], err, row.Block)
		}
		p, err := decodeAs(Format3, b, row.PAN)
		if err != nil || string(p.Reveal()) != row.PIN {
			t.Error(err)
		}
		if _, err := Decode0(b, row.PAN); !errors.Is(err, ErrBlock) {
			t.Errorf("a block of format 3 is read as format 0: %v", err)
		}
	}
}

func TestFormat4Vectors(t *testing.T) {
	var v struct {
		Format4 []struct {
			PIN, PAN, Random, Key, Block string
			PINField                     string `json:"pin_field"`
			PANField                     string `json:"pan_field"`
		}
	}
	load(t, "blocks.json", &v)
	for _, row := range v.Format4 {
		field := pinField4(mustPIN(t, row.PIN), [8]byte(unhex(t, row.Random)))
		if field != [16]byte(unhex(t, row.PINField)) {
			t.Errorf("PIN field %X", field[:])
		}
		account, err := accountField4(row.PAN)
		if err != nil || account != [16]byte(unhex(t, row.PANField)) {
			t.Errorf("PAN field %X, %v", account[:], err)
		}
		var fill [16]byte
		copy(fill[:], unhex(t, row.Random))
		key := secret(t, AES128, row.Key)
		b, err := encipher(key, Format4, mustPIN(t, row.PIN), row.PAN, fill)
		if err != nil || !bytes.Equal(b, unhex(t, row.Block)) {
			t.Errorf("block %X, %v", b, err)
		}
		p, err := Decipher(key, Format4, b, row.PAN)
		if err != nil || string(p.Reveal()) != row.PIN {
			t.Error(err)
		}
	}
}

func TestEncipheredVectors(t *testing.T) {
	var v struct {
		Enciphered []struct{ PIN, PAN, Key, Block string }
	}
	load(t, "blocks.json", &v)
	for _, row := range v.Enciphered {
		b, err := Encipher(secret(t, TDES2, row.Key), Format0, mustPIN(t, row.PIN), row.PAN)
		if err != nil || !bytes.Equal(b, unhex(t, row.Block)) {
			t.Errorf("%X, %v; want %s", b, err, row.Block)
		}
	}
}

// TestAccountField4 follows the rule for numbers shorter and longer than 12.
func TestAccountField4(t *testing.T) {
	for pan, want := range map[string]string{
		"12345678":            "00000123456780000000000000000000",
		"123456789012":        "01234567890120000000000000000000",
		"1234567890123":       "11234567890123000000000000000000",
		"1234567890123456789": "71234567890123456789000000000000",
	} {
		f, err := accountField4(pan)
		if err != nil || f != [16]byte(unhex(t, want)) {
			t.Errorf("%s: %X, %v", pan, f[:], err)
		}
	}
}

var allKeys = map[Format][]Algorithm{
	Format0: {DES, TDES2, TDES3}, Format3: {DES, TDES2, TDES3}, Format4: {AES128, AES192, AES256},
}

func TestFormatsRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f := rapid.SampledFrom([]Format{Format0, Format3, Format4}).Draw(r, "format")
		a := rapid.SampledFrom(allKeys[f]).Draw(r, "algorithm")
		raw := rapid.SliceOfN(rapid.Byte(), a.Size(), a.Size()).Draw(r, "key")
		key, err := NewSecretKey(a, raw)
		if err != nil {
			r.Fatal(err)
		}
		digits := rapid.StringMatching(`[0-9]{4,12}`).Draw(r, "pin")
		pan := rapid.StringMatching(`[0-9]{8,19}`).Draw(r, "pan")
		p, err := NewPIN([]byte(digits))
		if err != nil {
			r.Fatal(err)
		}
		b, err := Encipher(key, f, p, pan)
		if err != nil {
			r.Fatal(err)
		}
		back, err := Decipher(key, f, b, pan)
		if err != nil || !back.Equal(p) {
			r.Fatalf("%v", err)
		}
		if again, err := Encipher(key, f, p, pan); err != nil || bytes.Equal(again, b) != (f == Format0) && f != Format3 {
			r.Fatalf("format %d: the same block twice, or a fill that changes: %v", f, err)
		}
	})
}

func TestFormatGoesWithKey(t *testing.T) {
	p := mustPIN(t, "1234")
	for _, f := range []Format{Format0, 1, 2, Format3, Format4, 5, 255} {
		for _, a := range []Algorithm{DES, TDES2, TDES3, AES128, AES192, AES256} {
			key, err := NewSecretKey(a, make([]byte, a.Size()))
			if err != nil {
				t.Fatal(err)
			}
			_, err = Encipher(key, f, p, "4012345678909")
			_, err2 := Decipher(key, f, make([]byte, f.Size()), "4012345678909")
			if want := f.Size() == 0 || (f == Format4) != a.aes(); want != errors.Is(err, ErrFormat) || want != errors.Is(err2, ErrFormat) {
				t.Errorf("format %d under algorithm %04X: %v, %v", f, uint16(a), err, err2)
			}
		}
	}
	key := secret(t, AES128, "AF8CB133A78F8DC2D1359F18527593FB")
	if _, err := Encipher(key, Format4, PIN{}, "4012345678909"); !errors.Is(err, ErrPIN) {
		t.Error(err)
	}
	if _, err := Encipher(key, Format4, p, "1"); !errors.Is(err, ErrPAN) {
		t.Error(err)
	}
	for _, n := range []int{0, 8, 15, 17} {
		if _, err := Decipher(key, Format4, make([]byte, n), "4012345678909"); !errors.Is(err, ErrBlock) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestReadPINField4Refuses(t *testing.T) {
	for name, field := range map[string]string{
		"control 0": "041234AAAAAAAAAA", "control 3": "341234AAAAAAAAAA", "3 digits": "43123AAAAAAAAAAA",
		"13 digits": "4D1234567890123A", "digit B": "44123BAAAAAAAAAA", "fill F": "441234FFFFFFFFFF", "fill not A": "441234AAAAAAAAA0",
	} {
		if _, err := readPINField4([16]byte(append(unhex(t, field), make([]byte, 8)...))); !errors.Is(err, ErrBlock) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTranslate goes from a terminal's zone to the issuer's, through every pair.
func TestTranslate(t *testing.T) {
	p, pan := mustPIN(t, "739182"), "6225880000000001"
	zones := []Zone{
		{secret(t, TDES2, "807A23AD32B36D457AE91FDF927570EA"), Format0},
		{secret(t, TDES3, "EA8B3F37EB9B15831167EF2977FD8762D9B5913F35766F6A"), Format3},
		{secret(t, AES256, "8C1AB7BEE973829E30242E0BBBDD4946D540C98FC1B5BDCF94790001A23FD502"), Format4},
	}
	for _, from := range zones {
		b, err := Encipher(from.Key, from.Format, p, pan)
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range zones {
			out, err := Translate(from, to, b, pan)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := Decipher(to.Key, to.Format, out, pan); err != nil || !back.Equal(p) {
				t.Errorf("%d to %d: %v", from.Format, to.Format, err)
			}
			wrong := Zone{to.Key, Format4 - to.Format}
			if to.Format == Format3 {
				wrong.Format = 1
			}
			if _, err := Translate(from, wrong, b, pan); !errors.Is(err, ErrFormat) {
				t.Errorf("to format %d: %v", wrong.Format, err)
			}
		}
		// Another account number does not pass.
		if out, err := Translate(from, zones[0], b, "6214567891234567"); err == nil {
			if back, err := Decipher(zones[0].Key, Format0, out, "6214567891234567"); err == nil && back.Equal(p) {
				t.Errorf("format %d: the PAN was changed on the way", from.Format)
			}
		}
	}
}
