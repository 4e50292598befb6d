package config

import (
	"testing"
	"time"
)

func TestWindow(t *testing.T) {
	for text, holds := range map[string]map[string]bool{
		"02:00-05:00": {"01:59": false, "02:00": true, "04:59": true, "05:00": false, "23:00": false},
		"22:30-04:00": {"22:29": false, "22:30": true, "00:00": true, "03:59": true, "04:00": false, "12:00": false},
	} {
		var w Window
		if err := w.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		for at, want := range holds {
			clock, err := time.Parse("15:04", at)
			if err != nil {
				t.Fatal(err)
			}
			if w.Holds(clock) != want {
				t.Errorf("%s in %s: %v", at, text, !want)
			}
		}
	}
	for _, text := range []string{"", "2-5", "02:00", "02:00-02:00", "25:00-26:00", "02:00-05:00-06:00"} {
		if err := new(Window).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestBackupDirs(t *testing.T) {
	c := Default()
	if got := c.BackupDirs(); len(got) != 1 || got[0] != "data/backup" {
		t.Errorf("%v", got)
	}
	c.Journal.Backups = []string{"a", "b"}
	if got := c.BackupDirs(); len(got) != 2 {
		t.Errorf("%v", got)
	}
}
