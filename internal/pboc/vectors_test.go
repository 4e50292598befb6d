package pboc

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

type vectors struct {
	Diversify []struct{ Name, Master, ASN, Key string }
	Fold      []struct{ Name, Key, Folded string }
	Load      []struct {
		Name, Key, TACKey, Random, Terminal, Date, Time string
		Type                                            Type
		OldBalance, Amount                              uint32
		Counter                                         uint16
		SessionKey, MAC1, MAC2, TAC                     string
	}
	Purchase []struct {
		Name, Key, TACKey, Random, Terminal, Date, Time string
		Type                                            Type
		Amount, Serial                                  uint32
		Counter                                         uint16
		SessionKey, MAC1, MAC2, TAC                     string
	}
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Load) < 2 || len(v.Purchase) < 2 || len(v.Diversify) < 3 {
		t.Fatal("vectors are missing")
	}
	return v
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func key(t *testing.T, s string) Key {
	t.Helper()
	k, err := ParseKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func same(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if want != "" && fmt.Sprintf("%X", got) != want {
		t.Errorf("%s: %X, want %s", what, got, want)
	}
}

func TestDiversifyVectors(t *testing.T) {
	v := readVectors(t)
	for _, c := range v.Diversify {
		asn, err := ParseASN(c.ASN)
		if err != nil {
			t.Fatal(err)
		}
		got := key(t, c.Master).Diversify(asn.X())
		same(t, c.Name, got[:], c.Key)
	}
	for _, c := range v.Fold {
		got := key(t, c.Key).fold()
		same(t, c.Name, got[:], c.Folded)
	}
}

func TestLoadVectors(t *testing.T) {
	for _, c := range readVectors(t).Load {
		l := Load{
			Type: c.Type, OldBalance: c.OldBalance, Counter: c.Counter, Amount: c.Amount,
			Random: Random(unhex(t, c.Random)), Terminal: Terminal(unhex(t, c.Terminal)),
			Date: Date(unhex(t, c.Date)), Time: TimeOfDay(unhex(t, c.Time)),
		}
		k := key(t, c.Key)
		s, m1, m2 := l.SessionKey(k), l.MAC1(k), l.MAC2(k)
		same(t, c.Name+" session key", s[:], c.SessionKey)
		same(t, c.Name+" MAC1", m1[:], c.MAC1)
		same(t, c.Name+" MAC2", m2[:], c.MAC2)
		if c.TAC != "" {
			tac := l.TAC(key(t, c.TACKey))
			same(t, c.Name+" TAC", tac[:], c.TAC)
		}
	}
}

func TestPurchaseVectors(t *testing.T) {
	for _, c := range readVectors(t).Purchase {
		p := Purchase{
			Type: c.Type, Counter: c.Counter, Amount: c.Amount, Serial: c.Serial,
			Random: Random(unhex(t, c.Random)), Terminal: Terminal(unhex(t, c.Terminal)),
			Date: Date(unhex(t, c.Date)), Time: TimeOfDay(unhex(t, c.Time)),
		}
		k := key(t, c.Key)
		s, m1, m2 := p.SessionKey(k), p.MAC1(k), p.MAC2(k)
		same(t, c.Name+" session key", s[:], c.SessionKey)
		same(t, c.Name+" MAC1", m1[:], c.MAC1)
		same(t, c.Name+" MAC2", m2[:], c.MAC2)
		if c.TAC != "" {
			tac := p.TAC(key(t, c.TACKey))
			same(t, c.Name+" TAC", tac[:], c.TAC)
		}
	}
}

func TestTwoLevels(t *testing.T) {
	k := key(t, "101112131415161718191A1B1C1D1E1F")
	asn, _ := ParseASN("3105170010170907984")
	issuer := [8]byte{0x01, 0x01, 0x10, 0x00, 0xFF, 0xFF, 0xFF, 0xFF}
	want := key(t, "6A30DA1F9139A2C23D6F275AECE1DC5A").Diversify(issuer)
	if k.DiversifyTwo(asn, issuer) != want {
		t.Error("the second level starts from the first")
	}
}

func TestKeysNeverPrint(t *testing.T) {
	k := key(t, "101112131415161718191A1B1C1D1E1F")
	s := SessionKey(k[:8])
	j, err := json.Marshal(map[string]any{"k": k, "s": s})
	if err != nil {
		t.Fatal(err)
	}
	shown := string(j)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		shown += fmt.Sprintf(verb, k) + fmt.Sprintf(verb, s) + fmt.Sprintf(verb, struct{ K *Key }{&k}) +
			fmt.Sprintf(verb, struct{ K Key }{k})
	}
	if strings.Contains(strings.ToUpper(shown), "101112") || strings.Contains(shown, "16 17") || strings.Contains(shown, "0x10") {
		t.Error(shown)
	}
	if _, err := ParseKey("10111213zz"); err != ErrKey || strings.Contains(err.Error(), "1011") {
		t.Error(err)
	}
}
