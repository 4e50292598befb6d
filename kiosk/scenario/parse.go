// Package scenario is the acceptance language of Buka (docs/scenarios.md): one
// command a line, run against the whole system. Devices are virtual; everything
// else is the code of `kiosk run`.
//
// A script fails at the first line that does not hold; the error names the
// line. A fault that was armed and never struck fails the script too.
package scenario

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of a script.
const (
	MaxLines = 10_000
	MaxLine  = 4096
)

// Line is one command.
type Line struct {
	Number int
	Text   string
	Words  []string          // without options
	Opts   map[string]string // key=value; a bare word after the name is no option
}

// ErrSyntax is in the chain of every error about the text of a script.
var ErrSyntax = errors.New("not a line of the scenario language: see docs/scenarios.md")

// Parse reads a script.
func Parse(r io.Reader) ([]Line, error) {
	var lines []Line
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, MaxLine), MaxLine)
	for n := 1; sc.Scan(); n++ {
		if n > MaxLines {
			return nil, fmt.Errorf("line %d: more than %d lines: %w", n, MaxLines, ErrSyntax)
		}
		text, _, _ := strings.Cut(sc.Text(), "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		l := Line{Number: n, Text: strings.TrimSpace(text), Opts: map[string]string{}}
		for _, w := range words {
			k, v, ok := strings.Cut(w, "=")
			if !ok {
				l.Words = append(l.Words, w)
				continue
			}
			if k == "" {
				return nil, fmt.Errorf("line %d: %q: %w", n, w, ErrSyntax)
			}
			if _, twice := l.Opts[k]; twice {
				return nil, fmt.Errorf("line %d: %s is given twice: %w", n, k, ErrSyntax)
			}
			l.Opts[k] = v
		}
		if len(l.Words) == 0 {
			return nil, fmt.Errorf("line %d: options without a command: %w", n, ErrSyntax)
		}
		lines = append(lines, l)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read script: %w", err)
	}
	return lines, nil
}

// takes checks which options a line has.
func (l Line) takes(known ...string) error {
	for k := range l.Opts {
		found := false
		for _, n := range known {
			found = found || n == k
		}
		if !found {
			return fmt.Errorf("%s has no option %s (it has: %s): %w", l.Words[0], k, strings.Join(known, " "), ErrSyntax)
		}
	}
	return nil
}

// word gives the nth word, "" if there is none.
func (l Line) word(n int) string {
	if n < len(l.Words) {
		return l.Words[n]
	}
	return ""
}

// rest joins the words from n on.
func (l Line) rest(n int) string {
	if n >= len(l.Words) {
		return ""
	}
	return strings.Join(l.Words[n:], " ")
}
