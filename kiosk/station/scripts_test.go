package station

import (
	"fmt"
	"testing"

	"buka/cardio/apdu"
	"buka/cardio/virtual"
	"buka/internal/cryptogram"
	"buka/topup"
)

// TestAScriptsResultGoesOneWay: in a message of its own if the card agrees, with the
// reversal if it does not; what came of it is told once, and truly.
func TestAScriptsResultGoesOneWay(t *testing.T) {
	for _, x := range []struct {
		regrets, forged bool
		want            string // DF31
	}{{false, false, "2001020304"}, {false, true, "1101020304"}, {true, false, "2001020304"}, {true, true, "1101020304"}} {
		c := newCounter(t)
		c.insert(c.card(virtual.BankOptions{Contact: true, Regrets: x.regrets}))
		if why, _ := c.collect(); why != "" {
			t.Fatal(why)
		}
		c.answer = func(icc []byte) (topup.Paid, []byte) {
			a, chip := c.says("00", icc)
			return a, append(chip, c.issuerScript(icc, x.forged)...)
		}
		if paid := c.pays(7); paid.Refused != x.regrets {
			t.Fatalf("%+v: %+v", x, paid)
		}
		c.tender.tellIssuer(t.Context())
		if _, err := c.tender.Reverse(t.Context(), topup.Sale{PayBatch: 1, PaySTAN: 7}, "06", false); err != nil {
			t.Fatal(err)
		}
		said := c.took
		if !x.regrets {
			if len(c.told) != 1 || c.told[0].stan != 7 || len(c.tender.results) != 0 {
				t.Fatalf("%+v: told %+v", x, c.told)
			}
			said = c.told[0].icc
		} else if len(c.told) > 0 {
			t.Errorf("%+v: the reversal tells it, and so does %+v", x, c.told)
		}
		if got := fmt.Sprintf("%X", c.tag(said, 0xDF31)); got != x.want {
			t.Errorf("%+v: DF31 %s, want %s", x, got, x.want)
		}
	}
}

// issuerScript is template 72 with the unblocking of a PIN; a forged one has a wrong
// MAC.
func (c *counter) issuerScript(icc []byte, forged bool) []byte {
	c.t.Helper()
	key, err := cryptogram.CardKey(virtual.TestIssuerKey, c.number, 1)
	if err != nil {
		c.t.Fatal(err)
	}
	header := []byte{0x84, 0x24, 0x00, 0x00, 0x04}
	command := append(header, virtual.ScriptMAC(key, c.tag(icc, 0x9F36), c.tag(icc, 0x9F26), header, nil)...)
	if forged {
		command[len(command)-1] ^= 1
	}
	one, err := apdu.Encode(0x86, command)
	if err != nil {
		c.t.Fatal(err)
	}
	script, err := apdu.Encode(0x72, []byte{0x9F, 0x18, 4, 1, 2, 3, 4}, one)
	if err != nil {
		c.t.Fatal(err)
	}
	return script
}
