package doctor

import (
	"strings"
	"testing"

	"buka/kiosk/config"
	"buka/kiosk/device/virtualprinter"
)

// TestPrinter: what the doctor says is what is wrong with the printer.
func TestPrinter(t *testing.T) {
	v, err := virtualprinter.Open(virtualprinter.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	cfg := config.Default()
	cfg.Printer.Port = v.Path()
	for _, c := range []struct {
		do   func()
		ok   bool
		says string
	}{
		{func() {}, true, "can print"},
		{func() { v.Paper(true, false) }, true, "printer-paper-low"},
		{func() { v.Paper(true, true) }, false, "printer-paper-out"},
		{func() { v.Paper(false, false); v.Cover(true) }, false, "printer-cover-open"},
		{func() { v.Cover(false); v.Jam(true) }, false, "printer-jam"},
		{func() { _ = v.Unplug() }, false, v.Path()},
	} {
		c.do()
		if f := printer(cfg); f.OK != c.ok || !strings.Contains(f.Says, c.says) || !f.OK && f.Do == "" {
			t.Errorf("%q: %+v", c.says, f)
		}
	}
}
