package escpos

// Align is where a line stands.
type Align uint8

const (
	Left Align = iota
	Centre
	Right
)

// Element is one part of a slip: a [Text], [Pair], [Rule], [QR] or [Feed].
type Element interface{ element() }

type (
	// Text is a paragraph; it is broken into lines where it has to be.
	Text struct {
		Say   string
		Align Align
		Bold  bool
		Large bool // twice as wide and twice as high
	}
	// Pair is a name on the left and its value on the right of the same line,
	// or of the next if both do not fit on one.
	Pair struct {
		Name, Value string
		Bold        bool
	}
	// Rule is a line across the slip.
	Rule struct{}
	// QR is a QR code in the middle, error correction M.
	QR struct{ Data string }
	// Feed is empty lines.
	Feed struct{ Lines uint8 }
)

func (Text) element() {}
func (Pair) element() {}
func (Rule) element() {}
func (QR) element()   {}
func (Feed) element() {}

// Slip is what is printed on one piece of paper.
type Slip []Element

// Bounds of a slip: what is beyond them is left out.
const (
	MaxElements = 200
	MaxText     = 1000 // characters of one text
	MaxQR       = 700  // bytes in one QR code
	MaxBytes    = 64 << 10
)

// Charset is what a printer can print.
type Charset string

const (
	GB18030 Charset = "gb18030" // ASCII, and Chinese in two bytes (GBK, the two-byte part of GB 18030)
	ASCII   Charset = "ascii"
)

// Paper is what a printer prints on and how.
type Paper struct {
	Columns int     // ASCII characters a line: 48 on 80 mm, 32 on 58 mm; 48 if 0
	Charset Charset // GB18030 if empty
	Dots    bool    // the QR code is sent as dots (GS v 0), for printers without GS ( k
	Cut     bool    // there is a cutter
}

func (p Paper) columns() int {
	if p.Columns <= 0 {
		return 48
	}
	return min(max(p.Columns, 16), 64)
}
