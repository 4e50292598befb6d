package switchlink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"buka/internal/mac"
	"buka/internal/pin"
)

func tdes(t interface{ Fatal(...any) }, b []byte) pin.SecretKey {
	k, err := pin.TDESKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestSignOnKeys opens a sign-on that was printed by others.
func TestSignOnKeys(t *testing.T) {
	var v struct{ Master, DE62, PINKey, MACKey string }
	raw, err := os.ReadFile("testdata/signon-keys.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	de62 := unhex(t, v.DE62)
	r := NewRing(mac.UnionPayECB, tdes(t, unhex(t, v.Master)))
	if _, err := r.MAC([]byte("x")); !errors.Is(err, ErrNoKeys) || r.Ready() {
		t.Errorf("before a sign-on: %v", err)
	}
	if err := r.Take(de62); err != nil {
		t.Fatal(err)
	}
	if !r.pik.Equal(tdes(t, unhex(t, v.PINKey))) || !r.mak.Equal(tdes(t, unhex(t, v.MACKey))) {
		t.Error("other keys")
	}
	want, _ := mac.Sum(mac.UnionPayECB, unhex(t, v.MACKey), []byte("a message"))
	if got, err := r.MAC([]byte("a message")); err != nil || got != want {
		t.Errorf("%X, %v", got, err)
	}
	if w := r.PINKey(); !bytes.Equal(w.Cryptogram, de62[:16]) || !bytes.Equal(w.Check, de62[16:20]) {
		t.Errorf("the PIN pad's key: %v", w)
	}
	// A host that puts the check value right behind a short MAC key.
	short := append(append(bytes.Clone(de62[:28]), de62[36:]...), make([]byte, 8)...)
	if err := r.Take(short); err != nil || !r.mak.Equal(tdes(t, unhex(t, v.MACKey))) {
		t.Errorf("the check value behind the key: %v", err)
	}
	for at := range de62 { // every byte counts but where zeros fill the room
		bad := bytes.Clone(de62)
		bad[at] ^= 0x40
		if err := r.Take(bad); !errors.Is(err, ErrKeys) {
			t.Errorf("byte %d may be changed: %v", at, err)
		}
	}
	if got, err := r.MAC([]byte("a message")); err != nil || got != want {
		t.Errorf("bad keys drove out the good: %X, %v", got, err)
	}
	for _, n := range []int{0, 8, 23, 41, 120} {
		if err := r.Take(make([]byte, n)); !errors.Is(err, ErrKeys) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	r.Clear()
	if _, err := r.MAC(nil); !errors.Is(err, ErrNoKeys) {
		t.Error("keys are left")
	}
}

// TestKeyLayouts seals and opens keys of every layout.
func TestKeyLayouts(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		lengths := rapid.SampledFrom([][3]int{{8, 8, 0}, {16, 8, 0}, {16, 16, 0}, {16, 8, 16}, {16, 16, 16}, {24, 24, 0}, {24, 16, 24}, {24, 24, 24}}).Draw(r, "lengths")
		master := tdes(r, genBytes(r, 16, "master"))
		pik, mak := tdes(r, genBytes(r, lengths[0], "pik")), tdes(r, genBytes(r, lengths[1], "mak"))
		var tdk *pin.SecretKey
		if lengths[2] > 0 {
			k := tdes(r, genBytes(r, lengths[2], "tdk"))
			tdk = &k
		}
		host, kiosk := NewRing(mac.UnionPayECB, master), NewRing(mac.UnionPayECB, master)
		de62, err := host.Issue(pik, mak, tdk)
		if err != nil {
			r.Fatal(err)
		}
		if _, ok := keyLayouts[len(de62)]; !ok {
			r.Fatalf("%d bytes", len(de62))
		}
		if err := kiosk.Take(de62); err != nil {
			r.Fatal(err)
		}
		if !kiosk.pik.Equal(pik) || !kiosk.mak.Equal(mak) || tdk != nil && !kiosk.tdk.Equal(*tdk) {
			r.Fatal("other keys")
		}
		one, err1 := host.MAC([]byte("message"))
		two, err2 := kiosk.MAC([]byte("message"))
		if one != two || err1 != nil || err2 != nil {
			r.Fatal("the ends differ", err1, err2)
		}
	})
}

// TestRingOfPIN: both ends of master/session have one PIN key.
func TestRingOfPIN(t *testing.T) {
	r := NewRing(mac.X919, tdes(t, unhex(t, "0123456789ABCDEFFEDCBA9876543210")))
	if _, err := r.OpenPIN(&pin.Sealed{}, ""); !errors.Is(err, ErrNoKeys) {
		t.Error(err)
	}
	// The computed set of the PIN sheet: PIN 123456, block EE4C9903F212B3D5.
	pik := tdes(t, unhex(t, "807A23AD32B36D457AE91FDF927570EA"))
	if _, err := r.Issue(pik, pik, nil); err != nil {
		t.Fatal(err)
	}
	p := sealed(pin.MasterSession, pin.Format0, unhex(t, "EE4C9903F212B3D5"), 0)
	got, err := r.OpenPIN(p, "6212345678900000003")
	if want, _ := pin.NewPIN([]byte("123456")); err != nil || !got.Equal(want) {
		t.Error(err)
	}
	x99 := NewRing(mac.X99, pik)
	if _, err := x99.Issue(pik, pik, nil); err == nil {
		t.Error("X9.9 has a key of 16 bytes")
	}
	if _, err := r.Issue(tdes(t, make([]byte, 8)), pik, nil); !errors.Is(err, ErrKeys) {
		t.Errorf("a MAC key longer than the PIN key: %v", err)
	}
}

// TestRingTellsNothing prints a ring in every way.
func TestRingTellsNothing(t *testing.T) {
	r := NewRing(mac.X919, tdes(t, unhex(t, "0123456789ABCDEFFEDCBA9876543210")))
	if _, err := r.Issue(tdes(t, unhex(t, "807A23AD32B36D457AE91FDF927570EA")), tdes(t, unhex(t, "807A23AD32B36D457AE91FDF927570EA")), nil); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "ring", r, "config", Config{Keys: r})
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "ring", r)
	fmt.Fprintf(&b, "%v %+v %#v %s %x %d %+v", r, r, r, r, r, r, Config{Keys: r})
	j, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ToUpper(b.String() + string(j))
	for _, secret := range []string{"0123456789ABCDEF", "807A23AD", "[1 35 69", "128 122 35", "[{{"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows in %s", secret, text)
		}
	}
}

// FuzzKeys: no key block breaks the ring, and none but a good one changes it.
func FuzzKeys(f *testing.F) {
	f.Add(unhexed("6701EAD6A9AD51E51AA406E2C27FCFA98D0A74B8B651F9E9BACE9AE10000000000000000AB7153CA"))
	for n := range keyLayouts {
		f.Add(make([]byte, n))
	}
	master := unhexed("CA5D92598DCA48CE8A4C76361A9269E9")
	f.Fuzz(func(t *testing.T, de62 []byte) {
		r := NewRing(mac.UnionPayECB, tdes(t, master))
		if err := r.Take(de62); err != nil {
			if !errors.Is(err, ErrKeys) || r.Ready() {
				t.Fatal(err, r.Ready())
			}
			return
		}
		if k := r.pik.CheckValue(); !bytes.Contains(de62, k[:]) {
			t.Fatal("a key whose check value is not there")
		}
	})
}

// TestPINKeyWithoutTheMasterKey: the PIN key of every layout, in a room of its length
// and in a longer one, is told apart as by a ring that has the master key.
func TestPINKeyWithoutTheMasterKey(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		master := tdes(r, genBytes(r, 16, "master"))
		total := rapid.SampledFrom([]int{24, 40, 56, 60, 84}).Draw(r, "length")
		rooms := keyLayouts[total]
		var sizes []int
		for _, n := range []int{8, 16, 24} {
			if n <= rooms[0] {
				sizes = append(sizes, n)
			}
		}
		size := rapid.SampledFrom(sizes).Draw(r, "size")
		behind := rapid.Bool().Draw(r, "check value right behind the key")
		want, err := pin.Wrap(master, tdes(r, genBytes(r, size, "pik")))
		if err != nil {
			r.Fatal(err)
		}
		room := rooms[0]
		de62 := append(bytes.Clone(want.Cryptogram), make([]byte, room-size)...)
		if behind {
			de62 = append(append(bytes.Clone(want.Cryptogram), want.Check...), make([]byte, room-size)...)
		} else {
			de62 = append(de62, want.Check...)
		}
		for _, room := range rooms[1:] {
			w, err := pin.Wrap(master, tdes(r, genBytes(r, room, "key")))
			if err != nil {
				r.Fatal(err)
			}
			de62 = append(append(de62, w.Cryptogram...), w.Check...)
		}
		got, ok := WrappedPINKey(de62)
		if !ok || !bytes.Equal(got.Cryptogram, want.Cryptogram) || !bytes.Equal(got.Check, want.Check) {
			r.Fatalf("%d of %d bytes: %v", size, len(de62), got)
		}
		ring := NewRing(mac.UnionPayECB, master)
		if err := ring.Take(de62); err != nil {
			r.Fatal(err)
		}
		if w := ring.PINKey(); !bytes.Equal(w.Cryptogram, got.Cryptogram) || !bytes.Equal(w.Check, got.Check) {
			r.Fatal("a ring finds another")
		}
	})
	for _, n := range []int{0, 8, 23, 41, 120} {
		if _, ok := WrappedPINKey(make([]byte, n)); ok {
			t.Errorf("%d bytes", n)
		}
	}
}
