package pin

import "testing"

func FuzzDecode0(f *testing.F) {
	f.Add([]byte("\x04\x12\x74\xED\xCB\xA9\x87\x6F"), "4012345678909")
	f.Add([]byte("\x06\x12\x62\x2E\x6F\xFF\xFF\xFF"), "6212345678900000003")
	f.Fuzz(func(t *testing.T, raw []byte, pan string) {
		var c ClearBlock
		copy(c[:], raw)
		p, err := Decode0(c, pan)
		if err != nil {
			return
		}
		back, err := Encode0(p, pan)
		if err != nil || back != c {
			t.Fatalf("block is taken but encodes differently: %v", err)
		}
	})
}

func FuzzParseKSN(f *testing.F) {
	f.Add("9876543210E00001")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseKSN(s)
		if err != nil {
			return
		}
		if again, err := ParseKSN(k.String()); err != nil || again != k {
			t.Fatalf("%q: %v, %v", s, again, err)
		}
		if n, err := k.Next(); err == nil && (n.Counter() <= k.Counter() || !n.SameDevice(k)) {
			t.Fatalf("%v goes to %v", k, n)
		}
	})
}

func FuzzDecipher(f *testing.F) {
	f.Add([]byte("\xA9\x12\x15\x03\x91\xAB\x65\xA6\x7E\x52\x88\x3D\x81\xCE\x2D\x15"), "4111111111111111", byte(4))
	f.Add([]byte("\xEE\x4C\x99\x03\xF2\x12\xB3\xD5"), "6212345678900000003", byte(0))
	keys := map[bool]SecretKey{
		true:  secret(f, AES128, "AF8CB133A78F8DC2D1359F18527593FB"),
		false: secret(f, TDES2, "807A23AD32B36D457AE91FDF927570EA"),
	}
	f.Fuzz(func(t *testing.T, block []byte, pan string, kind byte) {
		format := Format(kind)
		key := keys[format == Format4]
		p, err := Decipher(key, format, block, pan)
		if err != nil {
			if p != (PIN{}) {
				t.Fatal("a PIN beside an error")
			}
			return
		}
		again, err := Encipher(key, format, p, pan)
		if err != nil {
			t.Fatal(err)
		}
		if q, err := Decipher(key, format, again, pan); err != nil || !q.Equal(p) {
			t.Fatalf("it does not come back: %v", err)
		}
	})
}

func FuzzReadPINField4(f *testing.F) {
	f.Add([]byte("\x44\x12\x34\xAA\xAA\xAA\xAA\xAA\x2F\x69\xAD\xDE\x2E\x9E\x7A\xCE"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var field [16]byte
		copy(field[:], raw)
		p, err := readPINField4(field)
		if err == nil && pinField4(p, [8]byte(field[8:])) != field {
			t.Fatal("a field is taken but made differently")
		}
	})
}

func FuzzParseAESKSN(f *testing.F) {
	f.Add("123456789012345600000001")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseAESKSN(s)
		if err != nil {
			return
		}
		if again, err := ParseAESKSN(k.String()); err != nil || again != k {
			t.Fatalf("%q: %v, %v", s, again, err)
		}
		if n, err := k.Next(); err == nil && (n.Counter() <= k.Counter() || !n.SameDevice(k)) {
			t.Fatalf("%v goes to %v", k, n)
		}
	})
}

func FuzzUnwrap(f *testing.F) {
	f.Add([]byte("12345678"), []byte{1, 2, 3, 4})
	master := secret(f, TDES2, "CA5D92598DCA48CE8A4C76361A9269E9")
	f.Fuzz(func(t *testing.T, cryptogram, check []byte) {
		k, err := Unwrap(master, WrappedKey{cryptogram, check})
		if err != nil && k != (SecretKey{}) {
			t.Fatal("a key beside an error")
		}
	})
}
