package emv

import (
	"context"
	"testing"

	"buka/cardio/apdu"
)

// TestTheCardIsToldWhatTheHostSaid: the second GENERATE AC asks for what the host
// has decided, with its code, or with Z3 where there was none (EMV Book 4 annex A6).
func TestTheCardIsToldWhatTheHostSaid(t *testing.T) {
	for _, c := range []struct {
		approved  bool
		arc, told string
		p1        byte
	}{{true, "00", "3030", 0x40}, {true, "11", "3131", 0x40}, {false, "51", "3531", 0x00}, {false, "", "5A33", 0x00}, {false, "5", "5A33", 0x00}} {
		p := paying(t, "1000", map[apdu.Tag]string{0x8D: "8A02"})
		said, asked := "", byte(0xFF)
		_, _ = p.Finish(context.Background(), program(func(cmd []byte) []byte {
			if cmd[1] == 0xAE {
				asked, said = cmd[2], hexOf(cmd[5:5+cmd[4]])
			}
			return []byte{0x69, 0x85}
		}), Answer{Approved: c.approved, ARC: c.arc})
		if asked != c.p1 || said != c.told {
			t.Errorf("%+v: GENERATE AC %02X with %s", c, asked, said)
		}
	}
}
