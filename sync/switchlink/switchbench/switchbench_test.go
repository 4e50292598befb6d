package switchbench

import "testing"

// TestMessages: both halves run, and take time.
func TestMessages(t *testing.T) {
	ours, bare, err := Messages(50)
	if err != nil || ours <= 0 || bare <= 0 {
		t.Error(ours, bare, err)
	}
}

func BenchmarkPayment(b *testing.B) {
	ours, bare, err := Messages(b.N)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(2*float64(b.N)/ours.Seconds(), "messages/s")
	b.ReportMetric(float64(ours)/float64(bare), "×codec")
}
