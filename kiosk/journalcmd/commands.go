package journalcmd

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"github.com/spf13/cobra"
)

func newList(w *where) *cobra.Command {
	p := &pick{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Print one line for each entry: number, UTC time, kind, claim number, facts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			snap, err := w.open()
			if err != nil {
				return err
			}
			defer snap.Close()
			out := bufio.NewWriter(cmd.OutOrStdout())
			err = p.each(snap, false, func(l line) error {
				if w.json {
					return l.json(out)
				}
				return l.text(out)
			})
			return errors.Join(err, out.Flush())
		},
	}
	p.flags(cmd)
	return cmd
}

func newShow(w *where) *cobra.Command {
	return &cobra.Command{
		Use:   "show SEQ",
		Short: "Print one whole entry with its hash and the hash that it follows",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			seq, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil || seq == 0 {
				return fmt.Errorf("%q is not the number of an entry", args[0])
			}
			snap, err := w.open()
			if err != nil {
				return err
			}
			defer snap.Close()
			if tail, _ := snap.Tail(); seq > tail {
				return fmt.Errorf("there is no entry %d: the last one is %d", seq, tail)
			}
			e, raw, hash, err := snap.Entry(seq)
			if err != nil {
				return err
			}
			l := newLine(e, hash).whole(e, raw)
			if w.json {
				return l.json(cmd.OutOrStdout())
			}
			return l.page(cmd.OutOrStdout(), len(raw))
		},
	}
}

// page prints an entry over several lines.
func (l line) page(to io.Writer, size int) error {
	body, err := json.MarshalIndent(l.Body, "      ", "  ")
	if err != nil {
		return fmt.Errorf("entry %d: %w", l.Seq, err)
	}
	fmt.Fprintf(to, "entry %d (%d bytes)\ntime  %s\nkind  %s\n", l.Seq, size, l.At, printable(string(l.Kind)))
	if l.Sale != "" {
		fmt.Fprintf(to, "sale  %s (claim number %s)\n", printable(string(l.Sale)), printable(l.Claim))
	}
	_, err = fmt.Fprintf(to, "says  %s\n      %s\nprev  %s\nhash  %s\n", printable(facts(l.Body)), body, l.Prev, l.Hash)
	return err
}

func newVerify(w *where) *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Read every page and every entry and say whether all is as it was written",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			said, err := w.verify(cmd)
			if w.json {
				said.OK = err == nil
				if err != nil {
					said.Error = err.Error()
				}
				return errors.Join(err, json.NewEncoder(cmd.OutOrStdout()).Encode(said))
			}
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "journal ok: %d entries, epoch %s, kiosk %s, last %s\n", said.Entries, said.Epoch, said.Kiosk, said.Last)
			}
			return err
		},
	}
}

// verdict is what verify says with --json.
type verdict struct {
	OK      bool   `json:"ok"`
	Entries uint64 `json:"entries,omitempty"`
	Epoch   string `json:"epoch,omitempty"`
	Kiosk   string `json:"kiosk,omitempty"`
	Last    string `json:"last,omitempty"` // hash of the last entry
	Error   string `json:"error,omitempty"`
}

func (w *where) verify(cmd *cobra.Command) (verdict, error) {
	snap, err := w.open()
	if err != nil {
		return verdict{}, err
	}
	defer snap.Close()
	if err := snap.Verify(cmd.Context(), nil); err != nil {
		return verdict{}, err
	}
	begun, err := snap.Begun()
	if err != nil {
		return verdict{}, err
	}
	seq, hash := snap.Tail()
	return verdict{Entries: seq, Epoch: begun.Epoch.String(), Kiosk: begun.Kiosk, Last: hash.String()}, nil
}

func newExport(w *where) *cobra.Command {
	p := &pick{}
	to := ""
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the entries as JSON, one object a line, with their stored bytes in hex",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			snap, err := w.open()
			if err != nil {
				return err
			}
			defer snap.Close()
			if to == "" || to == "-" {
				_, err := export(snap, p, cmd.OutOrStdout())
				return err
			}
			n, err := exportFile(snap, p, to)
			if err == nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d entries written to %s\n", n, to)
			}
			return err
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVarP(&to, "out", "o", "", "write to this new `FILE` instead of the standard output")
	return cmd
}

func export(r reader, p *pick, to io.Writer) (n int, err error) {
	out := bufio.NewWriter(to)
	err = p.each(r, true, func(l line) error {
		n++
		return l.json(out)
	})
	return n, errors.Join(err, out.Flush())
}

// exportFile never writes over a file: it may be the last copy of something.
// What could be read of a damaged journal stays in it.
func exportFile(r reader, p *pick, path string) (n int, err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return 0, fmt.Errorf("%s is there already: choose another name", path)
	}
	if err != nil {
		return 0, err
	}
	n, err = export(r, p, file)
	return n, errors.Join(err, file.Sync(), file.Close())
}
