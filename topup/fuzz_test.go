package topup_test

import (
	"testing"

	"buka/topup"
)

// A checkpoint that was damaged or made up is an error, never a panic, and
// what is accepted encodes to something that is accepted again.
func FuzzDecode(f *testing.F) {
	data, err := topup.New().Durable.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := topup.Decode(data)
		if err != nil {
			return
		}
		again, err := d.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := topup.Decode(again); err != nil {
			t.Fatal(err)
		}
	})
}
