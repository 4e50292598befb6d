// Package journalcmd is `kiosk journal`: it lists, shows, verifies, exports and
// backs up the journal of a kiosk, live or copied, and restores or repairs that
// of a stopped one, for people and for scripts.
//
// Looking only ever reads, from a private copy, so it never gets in the way of a
// running kiosk and never changes what it looks at. Restore and repair need a
// flag to change anything, and delete nothing. Transit card numbers are
// printed whole: the output is as confidential as the journal.
package journalcmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"buka/store"
)

// where names the journal that a command looks at.
type where struct {
	dir, file string
	json      bool
}

// New gives the command `journal` with its subcommands. Errors are returned,
// not printed; they are sentences that say what to do.
func New() *cobra.Command {
	w := &where{}
	cmd := &cobra.Command{
		Use:           "journal",
		Short:         "Look at the journal of a kiosk, live or copied; back it up, restore it",
		Long:          "Look at the journal of a kiosk, live or copied; back it up, restore it.\nA running kiosk hands out a copy; otherwise the file is copied under its lock.\nOnly restore and repair change anything, of a stopped kiosk, and only with a flag.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&w.dir, "data", "", "data `DIR` of the kiosk")
	flags.StringVar(&w.file, "file", "", "journal `FILE`, for example a copy")
	flags.BoolVar(&w.json, "json", false, "print JSON, one object a line")
	cmd.AddCommand(newList(w), newShow(w), newVerify(w), newExport(w), newBackup(w), newRestore(w), newRepair(w))
	return cmd
}

func (w *where) open() (*store.Snapshot, error) {
	switch {
	case (w.dir == "") == (w.file == ""):
		return nil, errors.New("which journal? give --data DIR of a kiosk, or --file FILE")
	case w.dir != "":
		return open(store.Path(w.dir))
	}
	return open(w.file)
}

func open(path string) (*store.Snapshot, error) {
	snap, err := store.OpenSnapshot(path)
	if errors.Is(err, store.ErrAbsent) {
		return nil, fmt.Errorf("%w; check the path", err)
	}
	return snap, err
}
