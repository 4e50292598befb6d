package login

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"unicode"
)

const maxFile = 1 << 20 // bytes

// accounts is the file of names and hashes, kept in memory and on disk alike.
type accounts struct {
	file string
	mu   sync.Mutex
	m    map[string]string // name → argon2id hash
	at   fs.FileInfo       // of the file when it was last read
}

type accountsFile struct {
	Accounts []account `json:"accounts"`
}

type account struct {
	Name string `json:"name"`
	Hash string `json:"argon2id"`
}

// openAccounts reads the file; fresh means that there was none.
func openAccounts(file string) (a *accounts, fresh bool, err error) {
	a = &accounts{file: file, m: map[string]string{}}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return a, true, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("accounts: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, false, fmt.Errorf("accounts: %s may be read by others: run chmod 600 on it", file)
	}
	if info.Size() > maxFile {
		return nil, false, fmt.Errorf("accounts: %s has %d bytes, more than %d", file, info.Size(), maxFile)
	}
	a.at = info
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, false, fmt.Errorf("accounts: %w", err)
	}
	var f accountsFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, false, fmt.Errorf("accounts: %s: %w: restore it, or move it away to get a new first password", file, err)
	}
	for _, acc := range f.Accounts {
		if !validName(acc.Name) || acc.Hash == "" {
			return nil, false, fmt.Errorf("accounts: %s: account %q is damaged", file, acc.Name)
		}
		a.m[acc.Name] = acc.Hash
	}
	return a, false, nil
}

func validName(name string) bool {
	if name == "" || len(name) > 64 {
		return false
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// refresh reads the file again if another process has changed it, and gives the
// names whose password is another one now or which are gone. A file that cannot
// be read changes nothing.
func (a *accounts) refresh() (changed []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	info, err := os.Stat(a.file)
	if err != nil || a.at != nil && os.SameFile(info, a.at) && info.ModTime().Equal(a.at.ModTime()) && info.Size() == a.at.Size() {
		return nil
	}
	now, _, err := openAccounts(a.file)
	if err != nil {
		return nil
	}
	for name, hash := range a.m {
		if now.m[name] != hash {
			changed = append(changed, name)
		}
	}
	a.m, a.at = now.m, now.at
	return changed
}

func (a *accounts) hash(name string) (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	h, ok := a.m[name]
	return h, ok
}

func (a *accounts) names() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.m))
}

// set changes one account, or removes it if hash is empty, on disk first.
func (a *accounts) set(name, hash string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := maps.Clone(a.m)
	if hash == "" {
		delete(next, name)
	} else {
		next[name] = hash
	}
	if err := write(a.file, next); err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	a.m, a.at = next, nil // the next look reads what is there
	return nil
}

// write replaces the file in one step.
func write(file string, m map[string]string) error {
	var f accountsFile
	for _, name := range slices.Sorted(maps.Keys(m)) {
		f.Accounts = append(f.Accounts, account{name, m[name]})
	}
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".accounts-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(append(data, '\n'))
	if err == nil {
		err = tmp.Sync()
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
