package pboc

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// EF15 of a Beijing T-Union card, published with the project
// domosekai/cardemulator (Unlicense); pboc-purse sheet §1.2.
const beijingEF15 = "01011000FFFFFFFF0201031051700101709079842019080620401231" + "0000"

func TestInfo(t *testing.T) {
	b := unhex(t, beijingEF15)
	i, err := ParseInfo(b)
	if err != nil {
		t.Fatal(err)
	}
	if i.ASN.Number() != "3105170010170907984" || i.City() != "1000" || i.Type != PurseOnly || i.Expiry.String() != "20401231" {
		t.Errorf("%+v", i)
	}
	if !bytes.Equal(i.Bytes(), b) {
		t.Errorf("%X", i.Bytes())
	}
	day, err := i.Start.Day(time.UTC)
	if err != nil || !day.Equal(time.Date(2019, 8, 6, 0, 0, 0, 0, time.UTC)) {
		t.Error(day, err)
	}
	long, err := ParseInfo(append(bytes.Clone(b), 1, 2, 3))
	if err != nil || len(long.Additional) != 3 || len(long.Bytes()) != 33 {
		t.Error(long, err)
	}
	b[12] = 0xAB
	for _, bad := range [][]byte{nil, b[:29], b, make([]byte, 257)} {
		if _, err := ParseInfo(bad); !errors.Is(err, ErrFormat) {
			t.Error(len(bad), err)
		}
	}
}

func TestLogRecord(t *testing.T) {
	r := LogRecord{Number: 2, Overdraft: 0x010203, Amount: 5000, Type: PurseLoad,
		Terminal: Terminal{0x11, 0x22, 0x33, 0x44, 0x55, 0x66}, Date: Date{0x20, 0x26, 0x01, 0x15}, Time: TimeOfDay{0x09, 0x30, 0x15}}
	b := r.Bytes()
	if !bytes.Equal(b, unhex(t, "0002"+"010203"+"00001388"+"02"+"112233445566"+"20260115"+"093015")) {
		t.Errorf("%X", b)
	}
	if back, used, err := ParseLogRecord(b); err != nil || !used || back != r {
		t.Error(back, used, err)
	}
	for _, empty := range [][]byte{make([]byte, 23), bytes.Repeat([]byte{0xFF}, 23)} {
		if _, used, err := ParseLogRecord(empty); used || err != nil {
			t.Error(used, err)
		}
	}
	if _, _, err := ParseLogRecord(b[:22]); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

func TestASN(t *testing.T) {
	a, err := ParseASN("3105170010170907984")
	if err != nil || a.Number() != "3105170010170907984" {
		t.Fatal(a, err)
	}
	if x := a.X(); !bytes.Equal(x[:], unhex(t, "5170010170907984")) {
		t.Errorf("%X", x)
	}
	if full, err := ParseASN("13105170010170907984"); err != nil || len(full.Number()) != 20 {
		t.Error(full, err)
	}
	for _, bad := range []string{"", "31051700101709079841234", "31x"} {
		if _, err := ParseASN(bad); !errors.Is(err, ErrFormat) {
			t.Error(bad, err)
		}
	}
}

func TestStamp(t *testing.T) {
	zone := time.FixedZone("CST", 8*3600)
	at := time.Date(2026, 1, 15, 9, 30, 15, 0, zone)
	d, c := Stamp(at)
	if d.String() != "20260115" || c.String() != "093015" {
		t.Error(d, c)
	}
	if back, err := ParseStamp(d, c, zone); err != nil || !back.Equal(at) {
		t.Error(back, err)
	}
	for _, bad := range []Date{{}, {0x20, 0x26, 0x13, 0x01}, {0x20, 0x26, 0x02, 0x30}, {0xFF, 0xFF, 0xFF, 0xFF}} {
		if _, err := bad.Day(zone); !errors.Is(err, ErrFormat) {
			t.Error(bad, err)
		}
	}
	if _, err := ParseDate("20260230"); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if d, err := ParseDate("20401231"); err != nil || d.String() != "20401231" {
		t.Error(d, err)
	}
	if d, _ := Stamp(time.Date(12026, 1, 1, 0, 0, 0, 0, zone)); d != (Date{}) {
		t.Error(d)
	}
}

func FuzzInfo(f *testing.F) {
	f.Add(unhex(f, beijingEF15))
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := ParseInfo(b)
		if err != nil {
			return
		}
		if !bytes.Equal(i.Bytes(), b) {
			t.Fatalf("%X became %X", b, i.Bytes())
		}
		i.Start.Day(time.UTC)
		if _, err := ParseASN(i.ASN.Number()); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzLogRecord(f *testing.F) {
	f.Add(make([]byte, LogSize))
	f.Add(unhex(f, "00020000000000138802112233445566"+"20260115"+"093015"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, used, err := ParseLogRecord(b)
		if err == nil && used && !bytes.Equal(r.Bytes(), b) {
			t.Fatalf("%X became %X", b, r.Bytes())
		}
		ParseStamp(r.Date, r.Time, time.UTC)
	})
}

func FuzzBCD(f *testing.F) {
	f.Add([]byte{0x12, 0x3A})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeBCD(b)
		if err != nil {
			return
		}
		if back, err := EncodeBCD(s); err != nil || !bytes.Equal(back, b) {
			t.Fatalf("%X became %X, %v", b, back, err)
		}
	})
}
