package scenario

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"sync"

	"buka/kiosk/lab"
)

// forger spoils the MAC of one answer on the switch link.
type forger struct {
	mu   sync.Mutex
	mti  string // four digits; "": honest
	done bool
}

// mtiAt is where the MTI of a UnionPay frame stands: length, TPDU, header.
const mtiAt = 2 + 5 + 6

func (f *forger) arm(mti string) error {
	if b, err := hex.DecodeString(mti); err != nil || len(b) != 2 {
		return fmt.Errorf("host wrong-mac 0210: %w", ErrSyntax)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mti, f.done = mti, false
	return nil
}

// armed is the MTI that it still waits for.
func (f *forger) armed() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done {
		return ""
	}
	return f.mti
}

// carry is the postman of a world of scripts. DE64 stands at the end.
func (f *forger) carry(out bool, frame []byte) []lab.Delivery {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !out && !f.done && f.mti != "" && len(frame) > mtiAt+2 && hex.EncodeToString(frame[mtiAt:mtiAt+2]) == f.mti {
		f.done = true
		frame = bytes.Clone(frame)
		frame[len(frame)-1] ^= 1
	}
	return []lab.Delivery{{Frame: frame}}
}
