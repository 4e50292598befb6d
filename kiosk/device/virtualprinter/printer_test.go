package virtualprinter

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"buka/kiosk/device/escpos"
	"buka/kiosk/device/virtualline"
)

func open(t *testing.T, cfg Config) *Printer {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	p, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// feed hands bytes to the printer as its line does.
func (p *Printer) feed(b []byte) { p.do(func() { p.arrive(b) }) }

// TestBytesOfOthers: the printer understands what other programs send, whole
// and byte by byte.
func TestBytesOfOthers(t *testing.T) {
	var all []struct {
		Source, Hex           string
		Lines, Codes, Unknown []string
	}
	data, err := os.ReadFile("testdata/foreign.json")
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil || len(all) == 0 {
		t.Fatal(err)
	}
	for _, c := range all {
		raw, err := hex.DecodeString(c.Hex)
		if err != nil {
			t.Fatal(err)
		}
		for _, piece := range []int{len(raw), 1, 7} {
			p := open(t, Config{})
			for b := range slices.Chunk(raw, piece) {
				p.feed(b)
			}
			s := p.Snapshot().Slips
			if len(s) != 1 {
				t.Fatalf("%s: %d slips", c.Source, len(s))
			}
			var got []string
			for _, l := range strings.Split(s[0].Text, "\n") {
				if l != "" {
					got = append(got, l)
				}
			}
			if !slices.Equal(got, c.Lines) || !slices.Equal(s[0].Codes, c.Codes) && len(s[0].Codes)+len(c.Codes) > 0 {
				t.Errorf("%s, %d bytes at a time: %q, codes %q", c.Source, piece, got, s[0].Codes)
			}
			if odd := p.Unknown(); !slices.Equal(odd, c.Unknown) && len(odd)+len(c.Unknown) > 0 {
				t.Errorf("%s: unknown %q", c.Source, odd)
			}
		}
	}
}

var sample = escpos.Slip{
	escpos.Text{Say: "不卡 Buka", Align: escpos.Centre, Bold: true, Large: true}, escpos.Rule{},
	escpos.Pair{Name: "金额 Amount", Value: "￥50.00", Bold: true}, escpos.QR{Data: "ABCD-EFGH"}, escpos.Feed{Lines: 2},
	escpos.Text{Say: `<&"`, Align: escpos.Right},
}

// TestPicture: well-formed, and nothing on it lies beside the paper.
func TestPicture(t *testing.T) {
	for _, paper := range []escpos.Paper{{Cut: true}, {Cut: true, Dots: true}, {Cut: true, Columns: 32}} {
		columns := max(paper.Columns, 48)
		if paper.Columns > 0 {
			columns = paper.Columns
		}
		p := open(t, Config{Columns: columns, Buffer: 64 << 10})
		p.feed(escpos.Encode(sample, paper))
		svg, err := p.Picture(1)
		if err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(bytes.NewReader(svg))
		texts, dots := 0, 0
		for {
			tok, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "text" {
				texts++
				at := map[string]int{}
				for _, a := range e.Attr {
					n := 0
					for _, c := range a.Value {
						n = n*10 + int(c-'0')
					}
					at[a.Name.Local] = n
				}
				if at["x"] < 24 || at["x"]+at["textLength"] > 24+columns*cellWide {
					t.Errorf("%+v: a word at %d, %d wide", paper, at["x"], at["textLength"])
				}
			} else if ok && e.Name.Local == "path" {
				dots++
			}
		}
		if texts < 6 || dots != 1 {
			t.Errorf("%+v: %d words, %d pictures", paper, texts, dots)
		}
		if odd := p.Unknown(); len(odd) > 0 {
			t.Errorf("unknown: %q", odd)
		}
	}
}

// TestKeeps: the newest slips stay, over a restart too.
func TestKeeps(t *testing.T) {
	dir := t.TempDir()
	p := open(t, Config{Dir: dir, Keep: 3})
	for range 5 {
		p.feed(escpos.Encode(sample, escpos.Paper{Cut: true}))
	}
	p.Close()
	p = open(t, Config{Dir: dir, Keep: 3})
	s := p.Snapshot().Slips
	if len(s) != 3 || s[0].Number != 5 || s[2].Number != 3 {
		t.Fatalf("%+v", s)
	}
	if _, err := p.Picture(2); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the picture of a slip that is gone:", err)
	}
	p.feed(escpos.Encode(sample, escpos.Paper{Cut: true}))
	if s := p.Snapshot().Slips; len(s) != 3 || s[0].Number != 6 {
		t.Fatalf("%+v", s)
	}
}

// TestRealTime: a question is answered out of turn, a command of the same bytes
// within others is none, and clearing drops what waits but not what is printed.
func TestRealTime(t *testing.T) {
	p := open(t, Config{})
	p.Paper(true, true)
	p.feed([]byte("never\n"))
	p.feed([]byte{0x10})
	p.feed([]byte{0x04})
	p.feed([]byte{0x01})
	if n := p.Snapshot().Waiting; n != 6 {
		t.Errorf("%d bytes wait", n)
	}
	p.feed([]byte{0x10, 0x14, 8, 1, 3, 20, 1, 6, 2, 8})
	if n := p.Snapshot().Waiting; n != 0 {
		t.Errorf("%d bytes wait after they were cleared", n)
	}
	p.Paper(false, false)
	p.feed([]byte("yes\n\x1dV\x00"))
	if s := p.Snapshot().Slips; len(s) != 1 || s[0].Text != "yes" {
		t.Errorf("%+v", s)
	}
}

// FuzzCommands: whatever arrives, in whatever pieces, the printer goes on.
func FuzzCommands(f *testing.F) {
	f.Add(escpos.Encode(sample, escpos.Paper{Cut: true}), uint8(3))
	f.Add(escpos.Encode(sample, escpos.Paper{Dots: true}), uint8(1))
	f.Add([]byte{0x1D, 'v', '0', 0, 0xFF, 0xFF, 0xFF, 0xFF, 1}, uint8(9))
	f.Add([]byte{0x1D, '(', 'k', 0xFF, 0xFF, '1', 'P', '0', 0x10, 0x04, 0x02}, uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		p := &Printer{wired: &virtualline.Device{}, cfg: Config{Columns: 48, Keep: 2, Buffer: 4096}}
		p.log = discard
		p.reset()
		for b := range slices.Chunk(data, int(piece)+1) {
			p.arrive(b)
			if len(p.arrival.buffer) > p.cfg.Buffer || len(p.paper) > maxBlocks || len(p.slips) > 2 {
				t.Fatal("a bound was passed")
			}
		}
		draw(p.paper, p.cfg.Columns)
		p.cut()
	})
}

var discard = slog.New(slog.DiscardHandler)

// FuzzText: no text of a slip is ever a command: the printer prints one slip,
// knows every command in it, and what it reads is what was to be printed, but
// for what it has no character for.
func FuzzText(f *testing.F) {
	f.Add("金额 Amount", "￥50.00", uint8(48), false)
	f.Add("\x1b@\x10\x04\x01\x1dV\x00", "\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08", uint8(16), true)
	f.Fuzz(func(t *testing.T, name, value string, columns uint8, ascii bool) {
		paper := escpos.Paper{Columns: int(columns), Cut: true}
		if ascii {
			paper.Charset = escpos.ASCII
		}
		p := &Printer{wired: &virtualline.Device{}, cfg: Config{Columns: 48, Keep: 2, Buffer: 1 << 20}, log: discard}
		p.reset()
		p.arrive(escpos.Encode(escpos.Slip{escpos.Text{Say: "first"}, escpos.Text{Say: value, Large: true}, escpos.Pair{Name: name, Value: value}, escpos.Text{Say: "last"}}, paper))
		if len(p.unknown) > 0 {
			t.Fatalf("commands: %q", p.unknown)
		}
		if len(p.slips) != 1 || !strings.HasPrefix(p.slips[0].Text, "first\n") || !strings.HasSuffix(strings.TrimRight(p.slips[0].Text, "\n"), "\nlast") {
			t.Fatalf("%d slips: %+v", len(p.slips), p.slips)
		}
		for _, b := range p.slips {
			for _, l := range strings.Split(b.Text, "\n") {
				if n := len([]rune(l)); n > 64 {
					t.Fatalf("a line of %d characters", n)
				}
			}
		}
	})
}
