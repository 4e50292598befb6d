package fleetlink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"buka/internal/entry"
	"buka/sync/fleetlink/fleetmsg"
)

// RefusedError is an answer of the host that is not an acknowledgement.
type RefusedError struct {
	Code   fleetmsg.Code
	Detail string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the fleet host answered %q: %s", e.Code, e.Detail)
}

func refusal(r fleetmsg.Reply) error { return &RefusedError{Code: r.Code, Detail: r.Detail} }

func answeredAtAll(err error) bool {
	var refused *RefusedError
	var conflict *Conflict
	return errors.As(err, &refused) || errors.As(err, &conflict) || errors.Is(err, errOurs)
}

// errOurs marks failures on this side of the link.
var errOurs = errors.New("journal cannot be shipped")

// ship sends one batch, or asks the host where it is, and acts on the answer.
func (l *Link) ship(ctx context.Context) {
	l.nextShip = never
	batch, opened, err := l.next()
	if err != nil {
		l.retry(ctx, fmt.Errorf("%w: %w", errOurs, err))
		return
	}
	if len(opened) == 0 && l.asking == askNothing {
		return
	}
	data, err := batch.Encode()
	if err != nil {
		l.retry(ctx, fmt.Errorf("%w: %w", errOurs, err))
		return
	}
	r, err := l.ask(ctx, fleetmsg.JournalSubject(l.cfg.Kiosk), data)
	if err != nil {
		l.retry(ctx, err)
		return
	}
	l.answered(r)
	l.pull(ctx, r.Rewrites)
	before := l.at
	if !l.settle(r, opened) {
		return
	}
	l.nextShip = time.Now() // the next turn finds out whether there is more
	switch {
	case r.Code == fleetmsg.CodeGap && l.gaps < 2:
		l.gaps++ // our place has moved to the host's: go on from there
	case r.Code == fleetmsg.CodeOK && len(opened) > 0 && r.Seq >= opened[len(opened)-1].Entry.Seq:
		l.failures, l.gaps = 0, 0
		l.change(func(s *State) { s.Batches++ })
	case r.Code == fleetmsg.CodeOK && (l.asking == askPlace || l.asking == askBroken && l.at != before):
		l.asking = askNothing
	case l.asking == askBroken:
		l.asking = askNothing
		l.retry(ctx, fmt.Errorf("%w: the entries after %d do not follow from it; run `kiosk journal verify`", errOurs, l.at.seq))
	default:
		l.retry(ctx, fmt.Errorf("the fleet host answered %q at entry %d and does not get on", r.Code, r.Seq))
	}
}

// next gives the batch that is due: the entries after our place, or none.
func (l *Link) next() (fleetmsg.Batch, []fleetmsg.Opened, error) {
	batch := fleetmsg.Batch{Kiosk: l.cfg.Kiosk, Epoch: l.cfg.Epoch, First: 1}
	tail, tailHash := l.journal.Tail()
	if !l.placed {
		l.findMark()
	}
	if l.at.seq > tail || l.at.seq == tail && l.at.hash != tailHash {
		l.asking = askPlace // a mark from another journal: only the host knows
	}
	if l.asking != askNothing || l.at.seq == tail {
		return batch, nil, nil
	}
	batch.First, batch.Prev = l.at.seq+1, l.at.hash
	stored, err := l.journal.Read(batch.First, fleetmsg.MaxEntries, fleetmsg.BatchBytes)
	if err != nil {
		return batch, nil, fmt.Errorf("read from entry %d: %w", batch.First, err)
	}
	if batch.Entries, err = bound(batch.First, stored); err != nil {
		return batch, nil, err
	}
	opened, err := fleetmsg.Chain(batch.First, batch.Prev, batch.Entries)
	if errors.Is(err, fleetmsg.ErrBroken) && l.failures == 0 {
		l.asking = askBroken
		return fleetmsg.Batch{Kiosk: l.cfg.Kiosk, Epoch: l.cfg.Epoch, First: 1}, nil, nil
	}
	return batch, opened, err
}

// findMark takes our place from the journal's mark; without one the host says.
func (l *Link) findMark() {
	seq, hash, err := l.journal.Mark()
	if err != nil {
		l.cfg.Log.Warn("fleet link: the mark cannot be read; the host is asked", "error", err)
		seq, hash, l.asking = 0, entry.Hash{}, askPlace
	}
	l.at, l.placed = place{seq, hash}, true
	l.saved = l.at
	l.change(func(s *State) { s.Mark = seq })
}

// saveMark gives our place to the journal. Should it fail, the place in memory
// is still what we go on from.
func (l *Link) saveMark() {
	l.nextSave = never
	if l.at == l.saved {
		return
	}
	if err := l.journal.SetMark(l.at.seq, l.at.hash); err != nil {
		l.cfg.Log.Warn("fleet link: the mark was not saved", "error", err, "entry", l.at.seq)
	}
	l.saved = l.at
}

// bound cuts what was read to what one batch may hold. A single entry may be
// larger than a batch usually is; it goes alone.
func bound(first uint64, stored [][]byte) ([][]byte, error) {
	if len(stored) == 0 {
		return nil, fmt.Errorf("entry %d is not there", first)
	}
	if len(stored[0]) > fleetmsg.MaxEntry {
		return nil, fmt.Errorf("entry %d has %d bytes, more than the %d that can be shipped", first, len(stored[0]), fleetmsg.MaxEntry)
	}
	sum, n := len(stored[0]), 1
	for n < len(stored) && n < fleetmsg.MaxEntries && sum+len(stored[n]) <= fleetmsg.BatchBytes {
		sum += len(stored[n])
		n++
	}
	return stored[:n], nil
}

// settle moves our place to where the host says it is, if our chain agrees,
// and says whether it did. If not, what happens next is already planned.
func (l *Link) settle(r fleetmsg.Reply, opened []fleetmsg.Opened) bool {
	switch r.Code {
	case fleetmsg.CodeRefused, fleetmsg.CodeRetry:
		l.retry(context.Background(), refusal(r))
		return false
	case fleetmsg.CodeFork:
		ours, _ := l.hashAt(r.ForkSeq, opened)
		l.conflict(&Conflict{Seq: r.ForkSeq, Ours: ours, Theirs: r.ForkHash, Why: "the host holds another entry under this number"})
		return false
	}
	tail, _ := l.journal.Tail()
	if r.Seq > tail {
		l.conflict(&Conflict{Seq: r.Seq, Theirs: r.Hash, Why: fmt.Sprintf("the host holds %d entries, this journal has %d", r.Seq, tail)})
		return false
	}
	ours, err := l.hashAt(r.Seq, opened)
	if err != nil {
		l.retry(context.Background(), fmt.Errorf("%w: %w", errOurs, err))
		return false
	}
	if ours != r.Hash {
		l.conflict(&Conflict{Seq: r.Seq, Ours: ours, Theirs: r.Hash, Why: "the host's copy has another hash there"})
		return false
	}
	l.move(place{r.Seq, r.Hash}, tail)
	return true
}

func (l *Link) move(to place, tail uint64) {
	if to.seq < l.at.seq {
		l.cfg.Log.Warn("fleet link: the host has lost entries that it had; they are shipped again", "host", to.seq, "mark", l.at.seq)
	}
	l.at = to
	if l.at != l.saved {
		l.nextSave = earlier(l.nextSave, time.Now().Add(l.cfg.MarkEvery))
	}
	healed := l.State().Conflict != nil
	l.change(func(s *State) {
		s.Mark, s.Conflict = to.seq, nil
		if healed {
			s.Err = ""
		}
		if to.seq == tail {
			l.synced(s)
		}
	})
	if healed {
		l.cfg.Log.Info("fleet link: host and journal agree again", "entry", to.seq)
		l.failures = 0
	}
}

// hashAt gives the hash of one of our own entries.
func (l *Link) hashAt(seq uint64, opened []fleetmsg.Opened) (entry.Hash, error) {
	switch {
	case seq == 0:
		return entry.Hash{}, nil
	case len(opened) > 0 && seq >= opened[0].Entry.Seq && seq <= opened[len(opened)-1].Entry.Seq:
		return opened[seq-opened[0].Entry.Seq].Hash, nil
	}
	stored, err := l.journal.Read(seq, 1, fleetmsg.BatchBytes)
	if err != nil {
		return entry.Hash{}, fmt.Errorf("read entry %d: %w", seq, err)
	}
	if len(stored) == 0 {
		return entry.Hash{}, fmt.Errorf("entry %d is not there", seq)
	}
	e, hash, err := entry.Open(stored[0])
	if err == nil && e.Seq != seq {
		err = fmt.Errorf("entry %d stands where %d belongs", e.Seq, seq)
	}
	return hash, err
}

func (l *Link) conflict(c *Conflict) {
	if l.State().Conflict == nil {
		l.cfg.Log.Error("fleet link: conflict", "entry", c.Seq, "ours", c.Ours, "theirs", c.Theirs, "why", c.Why)
	}
	l.change(func(s *State) { s.Conflict, s.Err = c, c.Error(); s.Failures++ })
	l.failures = max(l.failures, 20) // ask again now and then: people may have settled it
	l.nextShip = time.Now().Add(backoff(l.cfg.BackoffMin, l.cfg.BackoffMax, l.failures))
}

// retry plans the same batch again after a back-off.
func (l *Link) retry(ctx context.Context, err error) {
	l.failures++
	l.nextShip = time.Now().Add(backoff(l.cfg.BackoffMin, l.cfg.BackoffMax, l.failures))
	l.failed(ctx, err)
}
