package station

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"buka/store"
	"buka/topup"
)

const (
	roomMin    = 64 << 20 // bytes of free disk below which no sale is opened
	roomEvery  = 10 * time.Second
	firstDelay = time.Minute           // of the first backup: who has just come up has better to do
	tryAgain   = 15 * time.Minute      // after a backup, or a tidying, that failed
	pauseEvery = 4096                  // entries between two pauses of a verification
	pauseTime  = 20 * time.Millisecond // each: sales come first
	calmWait   = 5 * time.Minute       // for a passenger to finish before the journal is restored
)

// errDamaged ends a life of the service: the next one restores the journal.
var errDamaged = errors.New("the journal is damaged and is restored at the next start")

// keeper keeps the journal in order, one thing after the other, in one
// goroutine: room on the disk, verification, backups, archives, compaction. It
// never decides about money.
type keeper struct {
	s     *Station
	began time.Time // intervals are measured from here, monotonic: the wall clock may jump
	short bool      // there is no room for a sale
	sound bool      // no damage was found

	verifyAt, backupAt, tidyAt time.Duration // since began: when each is due

	mu   sync.Mutex
	kept Kept
}

func newKeeper(s *Station, restored *store.RestoreReport) *keeper {
	k := &keeper{s: s, began: time.Now(), sound: true, backupAt: firstDelay, tidyAt: firstDelay}
	k.kept.Restored = restored
	return k
}

// run works until ctx ends. end stops the station, when the journal has to be
// restored.
func (k *keeper) run(ctx context.Context, end context.CancelCauseFunc) {
	for _, dir := range k.s.cfg.BackupDirs() {
		if list, err := store.Backups(dir); err == nil && len(list) > 0 { // of an earlier life
			k.backedUp(dir, store.BackupReport{Backup: list[len(list)-1]}, nil)
		}
	}
	tick := time.NewTicker(roomEvery)
	defer tick.Stop()
	for first := true; ; {
		k.room(ctx)
		now := time.Since(k.began)
		if now >= k.verifyAt {
			if err := k.verify(ctx, first); errors.Is(err, errDamaged) {
				k.calm(ctx)
				end(err)
				return
			}
			first = false
		}
		if k.sound && now >= k.backupAt {
			k.backUp(ctx)
		}
		if k.sound && now >= k.tidyAt && k.s.cfg.Journal.Quiet.Holds(k.s.now().Local()) && k.idle() {
			k.tidy(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// room says whether a sale may be opened: there must be space for the worst of
// it, and of those that are open, and some more for everybody else on the disk.
func (k *keeper) room(ctx context.Context) {
	free, err := k.s.journal.Room()
	if err == nil {
		err = k.s.journal.secure(2)
	}
	if short := err != nil || free < roomMin; short != k.short && ctx.Err() == nil {
		k.short = short
		k.s.log.Warn("room for the journal", "bytes", free, "short", short, "err", err)
		if k.sound {
			k.s.post(topup.DeviceChanged{Name: "journal", OK: !short, Why: "disk-full"})
		}
	}
}

// idle says that nobody is being served.
func (k *keeper) idle() bool {
	state, failed := k.s.engine.State()
	for _, c := range []topup.Console{state.Live.Front, state.Live.Desk} {
		if c.Session != 0 || c.Phase != topup.Idle && c.Phase != "" {
			return false
		}
	}
	return failed == nil
}

// calm waits until no sale can begin any more and nobody is being served, for a
// while.
func (k *keeper) calm(ctx context.Context) {
	closed := func() bool { state, _ := k.s.engine.State(); return state.Live.Devices["journal"] != "" }
	for deadline := time.Now().Add(calmWait); !(closed() && k.idle()) && time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// verify reads the whole journal and folds it again. Damage that a restore can
// mend ends this life of the service; damage to an archive is mended from a
// backup, or said; anything else keeps sales from being opened.
func (k *keeper) verify(ctx context.Context, first bool) error {
	began := time.Now()
	want := k.s.journal.checkpointed
	if first {
		want = func() (topup.Durable, uint64, error) { return k.s.start, k.s.startAt, nil }
	}
	entries, err := k.s.journal.check(ctx, k.s.cfg.BackupDirs(), want, gently(ctx))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	took := time.Since(began)
	k.verifyAt = time.Since(k.began) + time.Duration(k.s.cfg.Journal.VerifyEvery)
	state, _ := k.s.engine.State()
	k.s.journal.forget(state.Durable.Sales)
	k.tell(func(s *Kept) {
		s.Verified = Verified{At: k.s.parts.Clock(), Entries: entries, Took: took, Err: words(err)}
	})
	if err == nil {
		k.s.log.Info("the whole journal was verified", "entries", entries, "took", took.Round(time.Millisecond))
		return nil
	}
	if ofArchive(err) {
		k.s.log.Error("an archive of the journal is damaged or gone; sales go on", "err", err)
		return err
	}
	return k.damaged(err)
}

// damaged stops the selling, and asks for a restore at the next start.
func (k *keeper) damaged(err error) error {
	k.s.log.Error("the journal is damaged: no sale is opened", "err", err)
	k.sound = false
	k.s.post(topup.DeviceChanged{Name: "journal", OK: false, Why: "journal-failed"})
	if !store.Restorable(err) || !k.s.cfg.Journal.Restore {
		return err
	}
	if noted := store.Suspect(store.Path(k.s.cfg.Data), err); noted != nil {
		k.s.log.Error("the journal cannot be marked for a restore", "err", noted)
		return err
	}
	return fmt.Errorf("%w: %w", errDamaged, err)
}

// gently lets others work between two parts, and ends with ctx.
func gently(ctx context.Context) func() error {
	return func() error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pauseTime):
			return nil
		}
	}
}

// backUp copies the journal to each directory. One that fails does not keep
// the others from being written.
func (k *keeper) backUp(ctx context.Context) {
	every := time.Duration(k.s.cfg.Journal.BackupEvery)
	next := every
	for _, dir := range k.s.cfg.BackupDirs() {
		if k.recent(dir, every) {
			continue
		}
		rep, err := k.s.journal.Backup(ctx, dir, k.s.cfg.Journal.BackupKeep)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			next = min(every, tryAgain)
			k.s.log.Error("the journal was not backed up", "err", err)
		} else {
			k.s.log.Info("the journal was backed up", "to", rep.Path, "entries", rep.Seq, "took", rep.Took.Round(time.Millisecond))
		}
		k.backedUp(dir, rep, err)
	}
	k.backupAt = time.Since(k.began) + next
}

// recent says whether a directory has a backup that is young enough; only
// asked at the start. A clock that went back makes it old.
func (k *keeper) recent(dir string, every time.Duration) bool {
	if time.Since(k.began) > 2*firstDelay {
		return false
	}
	list, err := store.Backups(dir)
	if err != nil || len(list) == 0 {
		return false
	}
	age := time.Since(list[len(list)-1].At)
	return age >= 0 && age < every
}

// tidy archives, and compacts when half of the file is free.
func (k *keeper) tidy(ctx context.Context) {
	j := k.s.cfg.Journal
	next := time.Duration(j.VerifyEvery)
	moved, err := k.s.journal.Archive(ctx, store.ArchivePolicy{Age: time.Duration(j.ArchiveAfter), Keep: uint64(j.ArchiveKeep), Least: archiveLeast})
	var compacted store.CompactReport
	if st, e := k.s.journal.Stats(); err == nil && e == nil && st.FreeRatio > 0.5 && st.UsedBytes > compactLeast {
		compacted, err = k.s.journal.Compact(ctx)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		next = tryAgain
		k.s.log.Warn("the journal was not tidied", "err", err)
	} else if moved > 0 || compacted.Took > 0 {
		k.s.log.Info("the journal was tidied", "archived", moved, "before", compacted.Before, "after", compacted.After, "blocked", compacted.Blocked)
	}
	k.tidyAt = time.Since(k.began) + next
	k.tell(func(s *Kept) {
		s.Tidied = Tidied{At: k.s.parts.Clock(), Archived: moved, Compact: compacted}
		if !errors.Is(err, store.ErrBusy) { // it is tried again soon
			s.Tidied.Err = words(err)
		}
	})
}

const (
	archiveLeast = 4096     // entries: fewer are not worth a file
	compactLeast = 16 << 20 // bytes: a smaller file is not worth the writing
)

func words(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
