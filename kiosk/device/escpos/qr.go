package escpos

import "github.com/skip2/go-qrcode"

// module is the width of one module of a QR code, in dots. At 203 dots per inch
// 6 dots are 0.75 mm: any telephone reads that.
const module = 6

// dotsAcross is what 58 mm paper can carry.
const dotsAcross = 384

// qr sends the data and has the printer draw the code (GS ( k, functions 165,
// 167, 169, 180 and 181), or draws it itself. What is too long is left out: half
// of it would say something else.
func (e *encoder) qr(data string) {
	if data == "" || len(data) > MaxQR {
		return
	}
	if e.paper.Dots {
		e.dots(data)
		return
	}
	size := byte(module)
	if len(data) > 120 {
		size = 4 // the code has more modules, the paper no more dots
	}
	n := len(data) + 3
	e.put(gs, '(', 'k', 4, 0, '1', 'A', '2', 0) // model 2
	e.put(gs, '(', 'k', 3, 0, '1', 'C', size)
	e.put(gs, '(', 'k', 3, 0, '1', 'E', '1') // error correction M
	e.put(gs, '(', 'k', byte(n), byte(n>>8), '1', 'P', '0')
	e.out = append(e.out, data...)
	e.put(gs, '(', 'k', 3, 0, '1', 'Q', '0')
	e.put(lf)
}

// dots draws the code as a picture (GS v 0), a byte for eight dots, the leftmost
// in the highest bit.
func (e *encoder) dots(data string) {
	code, err := qrcode.New(data, qrcode.Medium)
	if err != nil {
		return // longer than any QR code
	}
	code.DisableBorder = true
	m := code.Bitmap()
	scale := min(module, dotsAcross/len(m))
	if scale < 2 {
		return
	}
	side := len(m) * scale
	row := (side + 7) / 8
	e.put(gs, 'v', '0', 0, byte(row), byte(row>>8), byte(side), byte(side>>8))
	for y := range side {
		line := make([]byte, row)
		for x := range side {
			if m[y/scale][x/scale] {
				line[x/8] |= 0x80 >> (x % 8)
			}
		}
		e.out = append(e.out, line...)
	}
	e.put(lf)
}
