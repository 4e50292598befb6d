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
