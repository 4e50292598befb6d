package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"buka/store"
	"buka/store/storebench"
)

// keeping measures what the keeping of a journal of a million entries costs
// those who append to it, and what it leaves on the disk.
func keeping(dir string) error {
	path := store.Path(filepath.Join(dir, "full"))
	before, err := os.Stat(path)
	if err != nil {
		return err
	}
	chores, err := storebench.Chores(path, 50_000)
	if err != nil {
		return err
	}
	for _, c := range chores {
		fmt.Printf("%-34s %-12s an append meanwhile: %s, the longest %s\n", "  "+c.What+" of it", c.Took.Round(10*time.Millisecond),
			c.Usual.Round(10*time.Microsecond), c.Longest.Round(100*time.Microsecond))
	}
	after, err := os.Stat(path)
	if err != nil {
		return err
	}
	var archived int64
	files, err := os.ReadDir(filepath.Join(dir, "full", store.ArchiveName))
	if err != nil {
		return err
	}
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			archived += info.Size()
		}
	}
	fmt.Printf("%-34s %-12s %d MB after; %d MB of archives\n", "  its file", fmt.Sprintf("%d MB", before.Size()/1e6), after.Size()/1e6, archived/1e6)
	return nil
}
