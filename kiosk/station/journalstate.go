package station

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"buka/store"
	"buka/sync/fleetlink/fleetmsg"
)

// Kept is how the journal is kept: for the operator's page, doctor and scripts.
// Times are by the kiosk's clock.
type Kept struct {
	Verified Verified
	Backups  []BackedUp           // one for each directory
	Tidied   Tidied               // archives and compaction
	Restored *store.RestoreReport // at this start; nil: it was not needed
}

// Verified is the last verification of the whole journal.
type Verified struct {
	At      time.Time // zero: not yet
	Entries uint64
	Took    time.Duration
	Err     string // what it found
}

// BackedUp is the newest backup in one directory, and the last try.
type BackedUp struct {
	Dir  string
	At   time.Time // of the newest backup; zero: none
	Seq  uint64    // its last entry
	Path string
	Err  string // of the last try
}

// Tidied is the last time that the journal was archived and compacted.
type Tidied struct {
	At       time.Time
	Archived uint64 // entries that moved to archives
	Compact  store.CompactReport
	Err      string
}

// Kept gives how the journal is kept.
func (s *Station) Kept() Kept {
	s.keeper.mu.Lock()
	defer s.keeper.mu.Unlock()
	kept := s.keeper.kept
	kept.Backups = slices.Clone(kept.Backups)
	return kept
}

// tell changes what is known and has the host told.
func (k *keeper) tell(change func(*Kept)) {
	k.mu.Lock()
	change(&k.kept)
	k.mu.Unlock()
	if k.s.fleet != nil {
		k.s.fleet.Changed()
	}
}

func (k *keeper) backedUp(dir string, rep store.BackupReport, err error) {
	k.tell(func(s *Kept) {
		i := slices.IndexFunc(s.Backups, func(b BackedUp) bool { return b.Dir == dir })
		if i < 0 {
			i, s.Backups = len(s.Backups), append(slices.Clip(s.Backups), BackedUp{Dir: dir})
		}
		s.Backups[i].Err = words(err)
		if err == nil {
			s.Backups[i].At, s.Backups[i].Seq, s.Backups[i].Path = rep.At, rep.Seq, rep.Path
		}
	})
}

// told is what the fleet host is told about the journal's keeping.
func (k *keeper) told() *fleetmsg.Kept {
	k.mu.Lock()
	defer k.mu.Unlock()
	v := k.kept.Verified
	out := &fleetmsg.Kept{VerifiedMS: millis(v.At), VerifiedSeq: v.Entries, VerifyTook: v.Took.Milliseconds(), VerifyErr: v.Err, TidyErr: k.kept.Tidied.Err}
	if len(k.kept.Backups) > 0 {
		oldest := slices.MinFunc(k.kept.Backups, func(a, b BackedUp) int { return cmp.Compare(a.Seq, b.Seq) })
		out.BackupMS, out.BackupSeq = millis(oldest.At), oldest.Seq
	}
	for _, b := range k.kept.Backups {
		if b.Err != "" {
			out.BackupErr = b.Err
		}
	}
	if st, err := k.s.journal.Stats(); err == nil {
		out.Archived, out.Bytes, out.FreePercent = st.Archived, st.FileBytes, int(100*st.FreeRatio)
	}
	if r := k.kept.Restored; r != nil {
		out.Restored = fmt.Sprintf("%d entries, from %s; kept aside: %s", r.LastSeq, cmp.Or(r.From, "no backup"), cmp.Or(r.Aside, "nothing"))
	}
	return out
}
