package virtualpad

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"buka/internal/pin"
)

// The files hold the last key serial number that may have been used, of each
// scheme.
const counterFile, aesCounterFile = "dukpt.json", "aes-dukpt.json"

// maxCounterFile bounds what is read back.
const maxCounterFile = 1024

// serialNumber is a key serial number of either DUKPT.
type serialNumber[K any] interface {
	comparable
	fmt.Stringer
	Counter() uint32
	SameDevice(K) bool
	Next() (K, error)
}

// counter is the pad's DUKPT counter on disk.
type counter[K serialNumber[K]] struct {
	path  string
	last  K    // marked as used
	spare bool // last was not given out yet
}

type counterState struct {
	LastKSN string `json:"last_ksn"`
}

// openCounter reads the counter, or begins one at start when there is no file.
func openCounter[K serialNumber[K]](path string, start K, parse func(string) (K, error)) (*counter[K], error) {
	c := &counter[K]{path: path, last: start}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the virtual PIN pad's counter: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxCounterFile))
	if err != nil {
		return nil, fmt.Errorf("read the virtual PIN pad's counter: %w", err)
	}
	last, err := decodeCounter(raw, parse)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: remove the file only together with the pad's initial key, for a key serial number must not come twice", path, err)
	}
	if !last.SameDevice(start) {
		return nil, fmt.Errorf("%s is of key serial number %v, the configuration says %v: give the pad another folder", path, last, start)
	}
	if last.Counter() > start.Counter() {
		c.last = last
	}
	return c, nil
}

// decodeCounter wants the number in the very form in which it was written.
func decodeCounter[K serialNumber[K]](raw []byte, parse func(string) (K, error)) (none K, _ error) {
	var s counterState
	if err := json.Unmarshal(raw, &s); err != nil {
		return none, fmt.Errorf("the virtual PIN pad's counter is damaged: %w", err)
	}
	k, err := parse(s.LastKSN)
	if err == nil && k.String() != s.LastKSN {
		err = pin.ErrKSN
	}
	if err != nil {
		return none, fmt.Errorf("the virtual PIN pad's counter is damaged: %w", err)
	}
	return k, nil
}

// reserve marks the next key serial number as used, so that take need not wait for
// the disk. One that is never taken is skipped by the next start.
func (c *counter[K]) reserve() error {
	if c.spare {
		return nil
	}
	next, err := c.last.Next()
	if err != nil {
		return err
	}
	raw, err := json.Marshal(counterState{LastKSN: next.String()})
	if err != nil {
		return err
	}
	if err := replaceFile(c.path, append(raw, '\n')); err != nil {
		return fmt.Errorf("save the virtual PIN pad's counter: %w", err)
	}
	c.last, c.spare = next, true
	return nil
}

// take gives the next key serial number, durably marked as used. After an error
// the number counts as used or not; either is safe, because it was not given
// out.
func (c *counter[K]) take() (none K, _ error) {
	if err := c.reserve(); err != nil {
		return none, err
	}
	c.spare = false
	return c.last, nil
}

// replaceFile swaps in new content so that a power cut leaves the old or the
// new, and returns when the new is on disk.
func replaceFile(path string, raw []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
