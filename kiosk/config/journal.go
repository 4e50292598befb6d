package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// Window is a part of each day, in the kiosk's local time, such as
// "02:00-05:00". It may reach over midnight.
type Window struct{ From, To time.Duration } // since midnight

// UnmarshalText reads HH:MM-HH:MM.
func (w *Window) UnmarshalText(text []byte) error {
	from, to, ok := strings.Cut(string(text), "-")
	a, err1 := clockTime(from)
	b, err2 := clockTime(to)
	if !ok || err1 != nil || err2 != nil || a == b {
		return fmt.Errorf("%q is no part of a day such as \"02:00-05:00\"", text)
	}
	*w = Window{a, b}
	return nil
}

func clockTime(s string) (time.Duration, error) {
	t, err := time.Parse("15:04", strings.TrimSpace(s))
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err
}

// Holds says whether a time is in the window, by the clock of its location.
func (w Window) Holds(t time.Time) bool {
	at := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	if w.From < w.To {
		return w.From <= at && at < w.To
	}
	return at >= w.From || at < w.To
}

// BackupDirs are the directories that the journal is backed up to: those that
// are configured, or else one beside the journal, which helps against a damaged
// file, not against a dead disk.
func (c Config) BackupDirs() []string {
	if len(c.Journal.Backups) > 0 {
		return c.Journal.Backups
	}
	return []string{filepath.Join(c.Data, "backup")}
}

func (c *Config) checkJournal() *Error {
	bad := func(key, what string, a ...any) *Error { return &Error{0, key, fmt.Sprintf(what, a...)} }
	j := c.Journal
	switch {
	case len(j.Backups) > 4:
		return bad("journal.backups", "at most four directories are wanted")
	case j.BackupEvery < Duration(time.Minute):
		return bad("journal.backup_every", "at least 1m is wanted")
	case j.BackupKeep < 1 || j.BackupKeep > 1000:
		return bad("journal.backup_keep", "1 to 1000 is wanted")
	case j.VerifyEvery < Duration(time.Minute):
		return bad("journal.verify_every", "at least 1m is wanted")
	case j.ArchiveKeep < 1000:
		return bad("journal.archive_keep", "at least 1000 is wanted")
	}
	seen := map[string]bool{filepath.Clean(c.Data): true}
	for _, dir := range j.Backups {
		if dir == "" || seen[filepath.Clean(dir)] {
			return bad("journal.backups", "%q: a directory of its own is wanted for each, not `data`", dir)
		}
		seen[filepath.Clean(dir)] = true
	}
	return nil
}
