package journalcmd

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"buka/store"
)

func newBackup(w *where) *cobra.Command {
	var to []string
	keep := 8
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Copy the journal and its archives to other directories, and read the copies back",
		Long: `Copies the journal with its archives to each directory, reads the copy back
whole (every page, every entry, the chain) and only then gives it its name. A
running kiosk goes on meanwhile. Of older backups there the newest stay.`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringSliceVar(&to, "to", nil, "`DIR` for the backup; may be repeated")
	cmd.Flags().IntVar(&keep, "keep", keep, "newest backups that stay in each directory")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if len(to) == 0 || keep < 1 {
			return errors.New("where to? give --to DIR, and --keep 1 or more")
		}
		snap, err := w.open()
		if err != nil {
			return err
		}
		defer snap.Close()
		var failed error
		for _, dir := range to { // one that fails does not keep the others from being written
			rep, err := snap.Backup(cmd.Context(), dir, keep)
			if err != nil {
				failed = errors.Join(failed, err)
				continue
			}
			if err := sayBackup(cmd.OutOrStdout(), rep, w.json); err != nil {
				return err
			}
		}
		return failed
	}
	return cmd
}

func sayBackup(to io.Writer, rep store.BackupReport, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(to).Encode(map[string]any{"path": rep.Path, "entries": rep.Seq, "last": rep.Hash.String(), "same": rep.Same,
			"bytes": rep.Bytes, "archives": rep.Archives, "removed": rep.Removed})
	}
	what := "written and read back"
	if rep.Same {
		what = "already there, and read again"
	}
	_, err := fmt.Fprintf(to, "%s: %d entries, last %s, %s; %d archives copied, %d old backups removed\n", rep.Path, rep.Seq, rep.Hash, what, rep.Archives, rep.Removed)
	return err
}

// mending is what restore and repair share.
type mending struct {
	from   []string
	kiosk  string
	force  bool
	commit bool
}

func newRestore(w *where) *cobra.Command {
	m := &mending{}
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Put a journal together from backups and from what the damaged one still holds",
		Long: `Takes the newest backup that verifies, adds every entry of the archives and of
the damaged file that follows from it in the chain, and begins a new epoch. The
damaged file is kept whole below "damaged". The kiosk acts on nothing that is
open until its host has confirmed it.

The kiosk must be stopped. Without --yes it only says what it would do. A kiosk
does the same by itself at its start, unless journal.restore is off.`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringSliceVar(&m.from, "from", nil, "`DIR` of backups, or one backup; may be repeated")
	f.StringVar(&m.kiosk, "kiosk", "", "`ID` of the kiosk, if journal.id is gone too")
	f.BoolVar(&m.force, "force", false, "also if the journal verifies as it is: only to begin a new epoch")
	f.BoolVar(&m.commit, "yes", false, "do it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if len(m.from) == 0 {
			return errors.New("from where? give --from DIR with backups; without any, see kiosk journal repair")
		}
		return w.mend(cmd, m, "restored by hand", "--yes")
	}
	return cmd
}

func newRepair(w *where) *cobra.Command {
	m := &mending{}
	cmd := &cobra.Command{
		Use:   "repair",
		Short: "Keep what verifies of a damaged journal, and lose the rest",
		Long: `Looks at every page of a damaged journal and keeps the longest chain of entries,
from the first one (or the archives) on, in a new file under a new epoch. What
comes after it is lost here; the damaged file is kept whole below "damaged".
With a backup, kiosk journal restore keeps more.

The kiosk must be stopped. Without --accept-loss it only says what would be lost.`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&m.kiosk, "kiosk", "", "`ID` of the kiosk, if journal.id is gone too")
	f.BoolVar(&m.commit, "accept-loss", false, "do it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return w.mend(cmd, m, "repaired by hand", "--accept-loss") }
	return cmd
}

// mend plans or carries out.
func (w *where) mend(cmd *cobra.Command, m *mending, why, flag string) error {
	if w.dir == "" || w.file != "" {
		return errors.New("which journal? give --data DIR of the kiosk")
	}
	o := store.RestoreOptions{Options: store.Options{Kiosk: m.kiosk, LockWait: time.Second}, Backups: m.from, Why: why, Force: m.force}
	path := store.Path(w.dir)
	act := store.PlanRestore
	if m.commit {
		act = store.Restore
	}
	rep, err := act(cmd.Context(), path, o)
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%w: stop the kiosk first", err)
	}
	if err != nil {
		return err
	}
	if err := sayMended(cmd.OutOrStdout(), rep, m.commit, w.json); err != nil {
		return err
	}
	if !m.commit {
		return fmt.Errorf("nothing was changed: add %s to do it", flag)
	}
	return nil
}

func sayMended(to io.Writer, r store.RestoreReport, done, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(to).Encode(map[string]any{"done": done, "from": r.From, "fromSeq": r.FromSeq, "lastSeq": r.LastSeq, "last": r.LastHash.String(),
			"saidSeq": r.Mark, "highestSeq": r.Highest, "lost": r.Lost, "kiosk": r.Kiosk, "aside": r.Aside, "passed": r.Passed})
	}
	for _, p := range r.Passed {
		fmt.Fprintf(to, "not used: %s\n", p)
	}
	verb := "would be"
	if done {
		verb = "were"
	}
	fmt.Fprintf(to, "entries 1 to %d %s kept (backup: %s, up to entry %d)\n", r.LastSeq, verb, cmp.Or(r.From, "none"), r.FromSeq)
	fmt.Fprintln(to, lostWords(r))
	if done {
		fmt.Fprintf(to, "the damaged journal is kept in %s/%s\n", store.AsideName, cmp.Or(r.Aside, "nothing: its file was gone"))
		fmt.Fprintf(to, "kiosk %s begins a new epoch; nothing open is acted on until its host has confirmed it\n", r.Kiosk)
	}
	return nil
}

// lostWords says exactly what is not kept.
func lostWords(r store.RestoreReport) string {
	seen := max(r.Mark, r.Highest)
	switch {
	case !r.Lost:
		return "nothing is lost"
	case seen > r.LastSeq:
		return fmt.Sprintf("lost: entries %d to %d, at the least; the host may have them", r.LastSeq+1, seen)
	}
	return fmt.Sprintf("lost: whatever came after entry %d; the file does not say whether anything did", r.LastSeq)
}
