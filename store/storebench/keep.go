package storebench

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"buka/store"
)

// Chore is one thing that is done to a journal while it is appended to.
type Chore struct {
	What    string
	Took    time.Duration
	Longest time.Duration // that one append took meanwhile
	Usual   time.Duration // that an append took on the average
}

// Chores measures what keeping costs those who append: every entry is verified,
// backed up, archived but for `stay`, and the file compacted, while another
// goroutine appends one entry after the other. The journal at path must have a
// checkpoint and a mark.
func Chores(path string, stay uint64) ([]Chore, error) {
	s, _, err := store.Open(path, store.Options{})
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	var done []Chore
	for _, c := range []struct {
		what string
		do   func() error
	}{
		{"verify", func() error { return s.Verify(ctx, nil) }},
		{"backup", func() error { _, err := s.Backup(ctx, filepath.Join(filepath.Dir(path), "backup"), 1); return err }},
		{"archive", func() error { _, err := s.Archive(ctx, store.ArchivePolicy{Keep: stay}); return err }},
		{"compact", func() error { _, err := s.Compact(ctx); return err }},
	} {
		chore, err := measure(s, c.what, c.do)
		if err != nil {
			return done, errors.Join(err, s.Close())
		}
		done = append(done, chore)
	}
	return done, s.Close()
}

func measure(s *store.Store, what string, do func() error) (c Chore, err error) {
	c.What = what
	stop := make(chan struct{})
	var appended int
	var all time.Duration
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; failed == nil; i++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			began := time.Now()
			_, failed = s.Append(Body(i))
			took := time.Since(began)
			c.Longest, all, appended = max(c.Longest, took), all+took, appended+1
		}
	})
	began := time.Now()
	err = do()
	c.Took = time.Since(began)
	close(stop)
	wg.Wait()
	if appended > 0 {
		c.Usual = all / time.Duration(appended)
	}
	return c, errors.Join(err, failed)
}
