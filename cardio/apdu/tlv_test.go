package apdu

import (
	"bytes"
	"errors"
	"testing"
)

// The SELECT answer of a Beijing T-Union card, published with the project
// domosekai/cardemulator (Unlicense); pboc-purse sheet §1.1 and §1.2.
const tunionFCI = "6F318408A000000632010105A5259F0801029F0C1E" +
	"01011000FFFFFFFF0201031051700101709079842019080620401231" + "0000"

func TestFindInFCI(t *testing.T) {
	fci := unhex(t, tunionFCI)
	ef15, err := Find(fci, 0x6F, 0xA5, 0x9F0C)
	if err != nil || len(ef15) != 30 || !bytes.Equal(ef15[10:20], unhex(t, "03105170010170907984")) {
		t.Fatalf("%X %v", ef15, err)
	}
	if v, err := Search(fci, 0x9F08); err != nil || !bytes.Equal(v, []byte{2}) {
		t.Errorf("%X %v", v, err)
	}
	if _, err := Find(fci, 0x6F, 0xA5, 0x50); !errors.Is(err, ErrNoTag) {
		t.Error(err)
	}
	if _, err := Search(fci, 0x50); !errors.Is(err, ErrNoTag) {
		t.Error(err)
	}
}

func TestFindAllOfPPSE(t *testing.T) {
	app := func(aid string) []byte {
		a, _ := Encode(0x4F, unhex(t, aid))
		e, _ := Encode(0x61, a)
		return e
	}
	bf0c, _ := Encode(0xBF0C, app("A000000632010105"), app("A000000333010101"))
	a5, _ := Encode(0xA5, bf0c)
	fci, _ := Encode(0x6F, a5)
	aids, err := FindAll(fci, 0x6F, 0xA5, 0xBF0C, 0x61, 0x4F)
	if err != nil || len(aids) != 2 || aids[1][3] != 3 {
		t.Fatalf("%X %v", aids, err)
	}
}

func TestMalformedTLV(t *testing.T) {
	for _, h := range []string{"84", "8402A0", "9F", "9F8C", "9F808001", "8480", "8481", "848201", "8483000001AA", "5F"} {
		if l, err := ParseTLVs(unhex(t, h)); !errors.Is(err, ErrTLV) {
			t.Errorf("%s: %v %v", h, l, err)
		}
	}
	if l, err := ParseTLVs(unhex(t, "00008401AA0000")); err != nil || len(l) != 1 {
		t.Error("padding", l, err)
	}
	// A garbled neighbour hides nothing.
	if v, err := Search(unhex(t, "6F07A503BFFFFF8401AA"[0:18]), 0x84); err == nil {
		t.Errorf("cut: %X", v)
	}
	if v, err := Search(unhex(t, "6F08A5039F0C05 8401AA"), 0x84); err != nil || v[0] != 0xAA {
		t.Errorf("%X %v", v, err)
	}
}

func TestDOL(t *testing.T) {
	// The PDOL that EMV contactless cards usually send (emv sheet §4.2).
	list, err := ParseDOL(unhex(t, "9F6604 9F0206 9F0306 9F1A02 9505 5F2A02 9A03 9C01 9F3704"))
	if err != nil || len(list) != 9 {
		t.Fatal(list, err)
	}
	got := FillDOL(list, map[Tag][]byte{0x9F66: {0x34, 0x80, 0, 0x80}, 0x9F02: {0x50, 0}, 0x9F1A: {0, 1, 0x56}, 0x9F37: {1, 2}})
	want := unhex(t, "34800080 000000005000 000000000000 0156 0000000000 0000 000000 00 01020000")
	if !bytes.Equal(got, want) {
		t.Errorf("%X\n%X", got, want)
	}
	list, err = ParseDOL(unhex(t, "5A0A 5A04 9F0203 9F3702 500A"))
	if err != nil {
		t.Fatal(err)
	}
	got = FillDOL(list, map[Tag][]byte{0x5A: unhex(t, "6225880000000001"), 0x9F02: {0, 0, 0, 0, 0x50, 0}, 0x9F37: {1, 2, 3, 4}, 0x50: []byte("Visa")})
	if want := unhex(t, "6225880000000001FFFF 62258800 005000 0102 56697361000000000000"); !bytes.Equal(got, want) {
		t.Errorf("%X\n%X", got, want)
	}
	for _, h := range []string{"9F", "9F66", "9F37FF", "9F808080"} {
		if _, err := ParseDOL(unhex(t, h)); !errors.Is(err, ErrTLV) {
			t.Error(h, err)
		}
	}
}

func TestEncodeLengths(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 255, 256, 65535} {
		b, err := Encode(0x9F0C, make([]byte, n))
		if err != nil {
			t.Fatal(err)
		}
		if n > 60000 {
			b = b[:maxTLVBytes]
			if _, err := ParseTLVs(b); !errors.Is(err, ErrTLV) {
				t.Error(err)
			}
			continue
		}
		l, err := ParseTLVs(b)
		if err != nil || len(l) != 1 || len(l[0].Value) != n {
			t.Error(n, err)
		}
	}
	if _, err := Encode(0x84, make([]byte, 65536)); !errors.Is(err, ErrTLV) {
		t.Error(err)
	}
}

func FuzzTLV(f *testing.F) {
	f.Add(unhex(f, tunionFCI))
	f.Add(unhex(f, "6F3BA539BF0C36"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ParseTLVs(b)
		if err != nil {
			return
		}
		for _, o := range list {
			e, err := Encode(o.Tag, o.Value)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParseTLVs(e)
			if err != nil || len(again) != 1 || again[0].Tag != o.Tag || !bytes.Equal(again[0].Value, o.Value) {
				t.Fatalf("%v %X: %v", o.Tag, e, err)
			}
		}
		Search(b, 0x9F0C)
		FindAll(b, 0x6F, 0xA5, 0xBF0C, 0x61, 0x4F)
	})
}

func FuzzDOL(f *testing.F) {
	f.Add(unhex(f, "9F66049F0206"), []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, b, v []byte) {
		list, err := ParseDOL(b)
		if err != nil {
			return
		}
		values := map[Tag][]byte{}
		for _, e := range list {
			values[e.Tag] = v
		}
		if n := len(FillDOL(list, values)); n > maxDOLBytes {
			t.Fatal(n)
		}
	})
}
