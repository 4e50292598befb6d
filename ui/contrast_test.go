package ui

import (
	"io/fs"
	"math"
	"regexp"
	"strconv"
	"testing"
)

var colour = regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`)

// luminance of a colour, WCAG 2.2.
func luminance(hex string) float64 {
	n, _ := strconv.ParseUint(hex, 16, 32)
	part := func(shift uint) float64 {
		c := float64(n>>shift&255) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}

// Every pair of ink and paper that the pages use has at least 4.5:1.
func TestContrast(t *testing.T) {
	css, err := fs.ReadFile(builtin, "static/base.css")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]string{}
	for _, m := range colour.FindAllStringSubmatch(string(css), -1) {
		named[m[1]] = m[2]
	}
	for _, pair := range [][2]string{{"ink", "paper"}, {"ink", "sheet"}, {"soft", "paper"}, {"soft", "sheet"}, {"brand", "sheet"}, {"brand", "brand-light"},
		{"on-brand", "brand"}, {"on-brand", "brand-deep"}, {"brand-deep", "brand-light"}, {"good", "sheet"}, {"care", "care-paper"}, {"care", "paper"},
		{"bad", "bad-paper"}, {"focus", "paper"}} {
		a, b := named[pair[0]], named[pair[1]]
		if a == "" || b == "" {
			t.Fatalf("%v: no such colour", pair)
		}
		x, y := luminance(a), luminance(b)
		if ratio := (max(x, y) + 0.05) / (min(x, y) + 0.05); ratio < 4.5 {
			t.Errorf("%s on %s: %.2f", pair[0], pair[1], ratio)
		}
	}
}
