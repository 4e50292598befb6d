package virtualprinter

import "github.com/skip2/go-qrcode"

// Commands whose length is in themselves.

// escLonger knows ESC * (bit image) and ESC D (tabs).
func (p *Printer) escLonger(b []byte) (n int, mine bool) {
	switch b[1] {
	case '*':
		if len(b) < 5 {
			return 0, true
		}
		n = (int(b[3]) | int(b[4])<<8)
		if b[2] >= 32 {
			n *= 3
		}
		n += 5
	case 'D':
		for i := 2; i < len(b); i++ {
			if b[i] == 0 {
				return i + 1, true
			}
			if i > 34 {
				return i, true
			}
		}
		return 0, true
	default:
		return 0, false
	}
	if len(b) < n {
		return 0, true
	}
	return n, true
}

// gsLonger knows GS V (cut), GS ( (with a length), GS v 0 (picture) and GS k
// (bar code).
func (p *Printer) gsLonger(b []byte) (n int, mine bool) {
	switch b[1] {
	case 'V':
		return p.cutCommand(b), true
	case '(':
		if len(b) < 5 {
			return 0, true
		}
		n = 5 + (int(b[3]) | int(b[4])<<8)
		if len(b) < n {
			return 0, true
		}
		p.extended(b[2], b[5:n])
		return n, true
	case 'v':
		if len(b) < 8 {
			return 0, true
		}
		row, high := int(b[4])|int(b[5])<<8, int(b[6])|int(b[7])<<8
		if n = 8 + row*high; len(b) < n {
			if n > p.cfg.Buffer && len(b) >= p.cfg.Buffer {
				p.odd("a picture of %d bytes: more than the buffer", n)
				return len(b), true
			}
			return 0, true
		}
		p.raster(b[3], row, high, append([]byte(nil), b[8:n]...))
		return n, true
	case 'k':
		return barCode(b), true
	}
	return 0, false
}

// barCode skips one: no slip of ours has any.
func barCode(b []byte) int {
	if len(b) < 4 {
		return 0
	}
	if b[2] >= 65 {
		if n := 4 + int(b[3]); len(b) >= n {
			return n
		}
		return 0
	}
	for i := 3; i < len(b); i++ {
		if b[i] == 0 {
			return i + 1
		}
	}
	return 0
}

// cutCommand is GS V m, and GS V m n with m from 65 on.
func (p *Printer) cutCommand(b []byte) int {
	n := 3
	if len(b) >= 3 && b[2] >= 65 {
		n = 4
	}
	if len(b) < n {
		return 0
	}
	if p.faults.jamAtCut {
		p.faults.jamAtCut = false
		p.jam = true
		p.tellStatus(false)
		return n
	}
	p.cut()
	return n
}

// qrCode is what GS ( k has stored.
type qrCode struct {
	size  int // dots a module
	level byte
	data  string
}

var levels = map[byte]qrcode.RecoveryLevel{'0': qrcode.Low, '1': qrcode.Medium, '2': qrcode.High, '3': qrcode.Highest}

// extended is GS ( x with its parameters.
func (p *Printer) extended(x byte, a []byte) {
	if x != 'k' {
		p.odd("command GS ( %c", x)
		return
	}
	if len(a) < 3 || a[0] != '1' {
		p.odd("two-dimensional code %X", a)
		return
	}
	switch a[1] {
	case 'A':
	case 'C':
		p.qr.size = min(max(int(a[2]), 1), 16)
	case 'E':
		p.qr.level = a[2]
	case 'P':
		p.qr.data = string(a[3:])
	case 'Q':
		p.printQR()
	default:
		p.odd("QR function %c", a[1])
	}
}

func (p *Printer) printQR() {
	level, known := levels[p.qr.level]
	if !known {
		level = qrcode.Low
	}
	code, err := qrcode.New(p.qr.data, level)
	if err != nil {
		p.odd("a QR code that cannot be drawn: %v", err)
		return
	}
	code.DisableBorder = true
	m, size := code.Bitmap(), p.qr.size
	p.print(block{align: p.mode.align, feed: len(m)*size + 8, picture: &picture{
		wide: len(m) * size, high: len(m) * size, says: p.qr.data, black: func(x, y int) bool { return m[y/size][x/size] },
	}})
}

// raster is GS v 0: eight dots a byte, the leftmost in the highest bit.
func (p *Printer) raster(m byte, row, high int, data []byte) {
	zoomX, zoomY := 1+int(m&1), 1+int(m>>1&1)
	if row == 0 || high == 0 {
		return
	}
	p.print(block{align: p.mode.align, feed: high*zoomY + 8, picture: &picture{
		wide: row * 8 * zoomX, high: high * zoomY,
		black: func(x, y int) bool {
			x, y = x/zoomX, y/zoomY
			return data[y*row+x/8]&(0x80>>(x%8)) != 0
		},
	}})
}
