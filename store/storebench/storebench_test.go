package storebench

import (
	"testing"
)

func BenchmarkAppend(b *testing.B) {
	ours, bare, err := AppendRatio(b.TempDir(), b.N)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(ours)/float64(bare), "×bare")
	b.ReportMetric(float64(ours.Microseconds())/float64(b.N), "µs/append")
}

func BenchmarkReopen(b *testing.B) {
	for b.Loop() {
		open, size, err := Reopen(b.TempDir(), 1_000_000, 10_000)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(open.Milliseconds()), "ms/open")
		b.ReportMetric(float64(size>>20), "MiB")
	}
}

// The helpers work; no test asserts a time.
func TestHelpers(t *testing.T) {
	if ours, bare, err := AppendRatio(t.TempDir(), 20); err != nil || ours <= 0 || bare <= 0 {
		t.Error(ours, bare, err)
	}
	if open, size, err := Reopen(t.TempDir(), 10_000, 100); err != nil || open <= 0 || size < 1<<20 {
		t.Error(open, size, err)
	}
}
