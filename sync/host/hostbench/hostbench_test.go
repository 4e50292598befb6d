package hostbench

import "testing"

// TestAuthorisations: what is measured is real payments.
func TestAuthorisations(t *testing.T) {
	ours, bare, err := Authorisations(t.Context(), t.TempDir(), 8)
	if err != nil || ours <= 0 || bare <= 0 {
		t.Fatal(ours, bare, err)
	}
	t.Log(ours/8, bare/8)
}
