package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// needle is one way in which a secret could be written down.
type needle struct {
	what  string // without the secret itself
	bytes []byte
}

// text gives the ways of writing digits: as characters, the same in UTF-16,
// and what Base64 makes of them.
func text(what, digits string) []needle {
	wide := make([]byte, 0, 2*len(digits))
	for _, c := range []byte(digits) {
		wide = append(wide, c, 0)
	}
	return append(inBase64(what, []byte(digits)), needle{what + " as text", []byte(digits)}, needle{what + " as UTF-16", wide})
}

// raw gives the ways of writing bytes: as they are, in hex, in Base64, and as
// a JSON list of numbers.
func raw(what string, b []byte) []needle {
	list := strings.Trim(strings.ReplaceAll(fmt.Sprint(b), " ", ","), "[]")
	return append(inBase64(what, b),
		needle{what + " as bytes", b}, needle{what + " in hex", []byte(hex.EncodeToString(b))},
		needle{what + " in upper-case hex", []byte(strings.ToUpper(hex.EncodeToString(b)))},
		needle{what + " in spaced hex", fmt.Appendf(nil, "% x", b)},
		needle{what + " as numbers", []byte(list)}, needle{what + " as spaced numbers", []byte(strings.ReplaceAll(list, ",", " "))})
}

// inBase64 gives the middle part that Base64 has in common wherever the bytes
// begin in a group of three.
func inBase64(what string, b []byte) []needle {
	var list []needle
	for shift := range 3 {
		padded := append(make([]byte, shift), b...)
		whole := len(padded) / 3 * 3
		s := base64.StdEncoding.EncodeToString(padded[:whole])
		s = s[[]int{0, 2, 3}[shift]:]
		if len(s) >= 8 { // shorter ones occur by chance
			list = append(list, needle{fmt.Sprintf("%s in Base64, shifted by %d", what, shift), []byte(s)})
		}
	}
	return list
}

// packed gives the ways of writing a card number in BCD: from the first digit,
// and half a byte later, as behind an odd field.
func packed(what, pan string) []needle {
	var list []needle
	if even, err := hex.DecodeString(pan + strings.Repeat("f", len(pan)%2)); err == nil {
		list = append(list, raw(what+" in BCD", even)...)
	}
	inner := pan[1:] // the first and the last half byte belong to neighbours
	inner = inner[:len(inner)/2*2]
	if odd, err := hex.DecodeString(inner); err == nil {
		list = append(list, needle{what + " in BCD, half a byte off", odd})
	}
	return list
}

// forPAN are the ways of a card number, alone and in a track 2.
func forPAN(pan, expiry string) []needle {
	what := "card number ending " + pan[len(pan)-4:]
	list := append(text(what, pan), packed(what, pan)...)
	for _, sep := range []string{"=", "D", "d"} {
		list = append(list, needle{what + " in track 2", []byte(pan + sep + expiry)})
	}
	if track, err := hex.DecodeString(pan + "d" + expiry + strings.Repeat("f", (len(pan)+1+len(expiry))%2)); err == nil {
		list = append(list, raw(what+" in packed track 2", track)...)
	}
	return list
}

// within gives what of the needles is in some data.
func within(data []byte, needles []needle) []string {
	var found []string
	for _, n := range needles {
		if bytes.Contains(data, n.bytes) {
			found = append(found, n.what)
		}
	}
	return found
}

// search looks through every file below a folder, but for the folders whose
// paths below it are exempt, and through the names of the files.
func search(root string, exempt []string, needles []needle) (found []string, files int, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a database at work puts files away
		}
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path) // below root, always
		for _, e := range exempt {
			if d.IsDir() && rel == e {
				return filepath.SkipDir
			}
		}
		if !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		files++
		for _, what := range within(append([]byte(rel+"\n"), data...), needles) {
			found = append(found, fmt.Sprintf("%s: %s", rel, what))
		}
		return nil
	})
	return found, files, err
}
