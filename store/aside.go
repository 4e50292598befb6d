package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// whyName is the file in each directory of damaged files that says why they
// are there.
const whyName = "why.json"

// whyAside is what it holds.
type whyAside struct {
	At  time.Time `json:"at"` // by the kiosk's clock, which may be wrong
	Was string    `json:"was"`
	Why string    `json:"why"`
}

// asideDir makes a fresh directory beside the journal for files that are put
// aside. Nothing in it is ever touched again by this program. Its name counts,
// because a clock may stand still or jump.
func asideDir(journal, why string, now time.Time) (string, error) {
	root := filepath.Join(filepath.Dir(journal), AsideName)
	if err := makeDir(root); err != nil {
		return "", err
	}
	for n := 1; n < 1<<20; n++ {
		dir := filepath.Join(root, fmt.Sprintf("%04d-%s", n, now.UTC().Format("20060102T150405Z")))
		taken, err := filepath.Glob(filepath.Join(root, fmt.Sprintf("%04d-*", n)))
		if err != nil {
			return "", err
		}
		if len(taken) > 0 {
			continue
		}
		if err := os.Mkdir(dir, 0o700); errors.Is(err, fs.ErrExist) {
			continue
		} else if err != nil {
			return "", err
		}
		b, err := json.MarshalIndent(whyAside{At: now.UTC(), Was: filepath.Base(journal), Why: why}, "", "  ")
		if err == nil {
			err = writeFile(filepath.Join(dir, whyName), append(b, '\n'))
		}
		return dir, errors.Join(err, syncDir(root))
	}
	return "", fmt.Errorf("%s is full: move its content to another place", root)
}

// setAside moves one file out of the way for good and gives the name of the
// directory that has it now.
func setAside(journal, path, why string) (string, error) {
	dir, err := asideDir(journal, why, time.Now())
	if err != nil {
		return "", fmt.Errorf("put %s aside: %w", filepath.Base(path), err)
	}
	if err := os.Rename(path, filepath.Join(dir, filepath.Base(path))); err != nil {
		return "", fmt.Errorf("put %s aside: %w", filepath.Base(path), err)
	}
	return filepath.Base(dir), errors.Join(syncDir(dir), syncDir(filepath.Dir(path)))
}

// linkAside gives a file a second name in a fresh directory, so that something
// else can take its first name in one step and no moment has neither. Where the
// disk has no links the file is moved.
func linkAside(journal, why string, now time.Time) (string, error) {
	dir, err := asideDir(journal, why, now)
	if err != nil {
		return "", fmt.Errorf("put the journal aside: %w", err)
	}
	to := filepath.Join(dir, filepath.Base(journal))
	if err := os.Link(journal, to); err != nil {
		if err := os.Rename(journal, to); err != nil {
			return "", fmt.Errorf("put the journal aside: %w", err)
		}
	}
	return filepath.Base(dir), errors.Join(syncDir(dir), syncDir(filepath.Dir(journal)))
}
