package virtualprinter

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// cut takes the paper off: it is a slip now.
func (p *Printer) cut() {
	blocks := p.paper
	p.paper = nil
	empty := !slices.ContainsFunc(blocks, func(b block) bool { return b.picture != nil || b.text() != "" })
	if empty {
		return
	}
	p.number++
	s := Slip{Number: p.number, At: time.Now()}
	var text []string
	for _, b := range blocks {
		if b.picture != nil && b.picture.says != "" {
			s.Codes = append(s.Codes, b.picture.says)
			continue
		}
		text = append(text, b.text())
	}
	s.Text = strings.Join(text, "\n")
	p.slips = slices.Insert(p.slips, 0, s)
	old := slices.Clone(p.slips[min(len(p.slips), p.cfg.Keep):])
	p.slips = p.slips[:min(len(p.slips), p.cfg.Keep)]
	if p.keep == nil {
		return
	}
	if err := p.keep(s, draw(blocks, p.cfg.Columns), old); err != nil {
		p.log.Error("virtual printer: a slip is not kept", "err", err)
	}
}

func picturePath(dir string, n uint64) string {
	return filepath.Join(dir, fmt.Sprintf("slip-%06d.svg", n))
}

func wordsPath(dir string, n uint64) string {
	return filepath.Join(dir, fmt.Sprintf("slip-%06d.json", n))
}

// toFolder writes picture and words, and removes those of old slips.
func (p *Printer) toFolder(s Slip, picture []byte, old []Slip) error {
	words, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	err = errors.Join(os.WriteFile(picturePath(p.cfg.Dir, s.Number), picture, 0o600), os.WriteFile(wordsPath(p.cfg.Dir, s.Number), words, 0o600))
	for _, o := range old {
		err = errors.Join(err, os.Remove(picturePath(p.cfg.Dir, o.Number)), os.Remove(wordsPath(p.cfg.Dir, o.Number)))
	}
	return err
}

// Picture is the SVG of a slip that is kept.
func (p *Printer) Picture(n uint64) ([]byte, error) {
	data, err := os.ReadFile(picturePath(p.cfg.Dir, n))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("slip %d is not kept: %w", n, fs.ErrNotExist)
	}
	return data, err
}

// loadSlips finds the slips of an earlier life, newest first.
func loadSlips(dir string, keep int) (list []Slip, last uint64, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "slip-*.json"))
	if err != nil {
		return nil, 0, err
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return nil, 0, err
		}
		var s Slip
		if json.Unmarshal(data, &s) != nil || s.Number == 0 || f != wordsPath(dir, s.Number) {
			continue // half a file of a process that was killed
		}
		list, last = append(list, s), max(last, s.Number)
	}
	slices.SortFunc(list, func(a, b Slip) int { return int(b.Number) - int(a.Number) })
	return list[:min(len(list), keep)], last, nil
}
