package station

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"buka/internal/entry"
	"buka/kiosk/receipt"
	"buka/ui"
)

// slipBook remembers which slips were sent to the printer: the newest, in a
// file. It is written before a slip is sent. What it cannot write it remembers
// for this life of the service.
type slipBook struct {
	path string
	log  *slog.Logger
	list []printed // newest last
}

// printed is one slip.
type printed struct {
	Sale   entry.SaleID   `json:"sale"`
	Ending receipt.Ending `json:"ending"`
	UpTo   uint64         `json:"upTo"` // the last entry that it is made of
	Lang   string         `json:"lang"`
	AtMS   int64          `json:"atMs"`
	State  ui.SlipState   `json:"state"`
	Again  ui.SlipState   `json:"again,omitempty"`
}

type slipKey struct {
	sale entry.SaleID
	end  receipt.Ending
}

func (p printed) key() slipKey { return slipKey{p.Sale, p.Ending} }

const (
	slipsFile = "slips.json"
	slipsMost = 64
)

// openSlipBook reads what an earlier life has printed. A slip whose end that
// life did not write down may or may not be on paper.
func openSlipBook(dir string, log *slog.Logger) slipBook {
	b := slipBook{path: filepath.Join(dir, slipsFile), log: log}
	data, err := os.ReadFile(b.path)
	if err == nil {
		err = json.Unmarshal(data, &b.list)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("which slips were printed is not known: one may be printed again", "err", err)
		b.list = nil
	}
	b.list = b.list[max(0, len(b.list)-slipsMost):]
	for i := range b.list {
		for _, s := range []*ui.SlipState{&b.list[i].State, &b.list[i].Again} {
			if *s == ui.SlipPrinting {
				*s = ui.SlipUnknown
			}
		}
	}
	return b
}

// begin notes a slip that is about to be printed; false if it was before.
func (b *slipBook) begin(p printed) bool {
	for _, old := range b.list {
		if old.key() == p.key() {
			return false
		}
	}
	p.State = ui.SlipPrinting
	b.list = append(b.list, p)
	b.list = b.list[max(0, len(b.list)-slipsMost):]
	b.write()
	return true
}

// end notes what came of it.
func (b *slipBook) end(k slipKey, s ui.SlipState) {
	for i := range b.list {
		if b.list[i].key() == k {
			b.list[i].State = s
		}
	}
	b.write()
}

// again notes a reprint of a sale's last slip.
func (b *slipBook) again(sale entry.SaleID, s ui.SlipState) {
	for i := len(b.list) - 1; i >= 0; i-- {
		if b.list[i].Sale == sale {
			b.list[i].Again = s
			b.write()
			return
		}
	}
}

// last is the newest slip of a sale.
func (b *slipBook) last(sale entry.SaleID) (printed, bool) {
	for i := len(b.list) - 1; i >= 0; i-- {
		if b.list[i].Sale == sale {
			return b.list[i], true
		}
	}
	return printed{}, false
}

// newest is the last slip of all.
func (b *slipBook) newest() (printed, bool) {
	if len(b.list) == 0 {
		return printed{}, false
	}
	return b.list[len(b.list)-1], true
}

// write replaces the file, durably.
func (b *slipBook) write() {
	data, err := json.MarshalIndent(b.list, "", " ")
	if err == nil {
		err = replaceFile(b.path, data)
	}
	if err != nil {
		b.log.Warn("it is not written down which slip was printed", "err", err)
	}
}

// replaceFile writes a file so that after a power cut it has the old or the new
// content.
func replaceFile(path string, data []byte) (err error) {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
