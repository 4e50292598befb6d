package fleetlink

import (
	"fmt"
	"time"

	"buka/internal/entry"
)

// State of the link, for pages, logs and metrics.
type State struct {
	Up         bool      // the last request was really answered, and the connection stands
	LastAnswer time.Time // of any request
	LastSync   time.Time // when the host last had all that the journal held
	Tail       uint64    // last entry of the journal
	Mark       uint64    // last entry that the host has committed
	Unshipped  uint64    // entries in between
	Conflict   *Conflict // host and journal disagree: a case for people
	Err        string    // why the last request came to nothing; for people
	Batches    uint64    // batches that the host has acknowledged since the start
	Failures   uint64    // requests without a good answer since the start
	ClockMS    int64     // host clock minus ours at the last answer, about
}

// Conflict says that the host holds another entry than we do, or more entries
// than we do. The link overwrites neither; people find out which is right (two
// machines under one name, a journal restored without a new epoch).
type Conflict struct {
	Seq    uint64     // where
	Ours   entry.Hash // zero: we have no such entry
	Theirs entry.Hash
	Why    string
}

func (c *Conflict) Error() string {
	return fmt.Sprintf("the host's journal of this kiosk differs from ours at entry %d: %s. Nothing is overwritten; compare the two journals before anything else", c.Seq, c.Why)
}

func (s State) sameNews(o State) bool {
	return s.Up == o.Up && s.Tail == o.Tail && s.Mark == o.Mark && s.Err == o.Err && (s.Conflict == nil) == (o.Conflict == nil)
}

// State gives the link's state as it is now.
func (l *Link) State() State {
	tail, _ := l.journal.Tail()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.with(tail)
}

func (s State) with(tail uint64) State {
	s.Tail, s.Unshipped = tail, 0
	if tail > s.Mark {
		s.Unshipped = tail - s.Mark
	}
	return s
}

// change applies fn to the state and tells the listener if it is news.
func (l *Link) change(fn func(*State)) {
	tail, _ := l.journal.Tail()
	l.mu.Lock()
	fn(&l.state)
	l.state = l.state.with(tail)
	now, news := l.state, !l.state.sameNews(l.told)
	l.told = now
	l.mu.Unlock()
	if news && l.cfg.OnState != nil {
		l.cfg.OnState(now)
	}
}
