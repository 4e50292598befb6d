package fleetside

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"buka/internal/entry"
	"buka/internal/money"
)

// Detail is the page of one kiosk.
type Detail struct {
	Kiosk
	Lines []Line // newest first
	Sales []Sale // newest first
	Holes []Hole
}

// Line is one entry of the journal, without what only auditors may see.
type Line struct {
	Seq   uint64
	At    time.Time // kiosk clock
	Kind  entry.Kind
	Sale  entry.SaleID // empty: about the kiosk itself
	Claim string
	Hash  string // hex
}

// Sale is one passenger's attempt, as far as the journal is here.
type Sale struct {
	Rewrite
	Opened time.Time // kiosk clock
	Closed bool
	Owed   int
}

// Hole is a stretch of a journal that should be in the database and is not.
// The ingest cannot make one; a damaged or edited database can.
type Hole struct {
	Epoch    string // hex
	From, To uint64 // numbers of the missing entries, both included
}

// ErrNoKiosk says that nobody has configured or heard of a kiosk.
var ErrNoKiosk = errors.New("no such kiosk")

const (
	detailLines = 100
	detailSales = 50
)

// KioskDetail gives one kiosk with its newest entries and sales.
func (s *Side) KioskDetail(ctx context.Context, name string) (Detail, error) {
	d, err := s.detail(ctx, name)
	if err != nil {
		return Detail{}, fmt.Errorf("kiosk %s: %w", name, err)
	}
	return d, nil
}

func (s *Side) detail(ctx context.Context, name string) (Detail, error) {
	known, err := column[int](ctx, s.db, `SELECT 1 FROM fleet_kiosk WHERE kiosk = ?`, name)
	if err != nil {
		return Detail{}, err
	}
	if _, configured := s.cfg.Kiosks[name]; !configured && len(known) == 0 {
		return Detail{}, ErrNoKiosk
	}
	var d Detail
	if d.Kiosk, err = s.kiosk(ctx, name); err != nil {
		return d, err
	}
	epochs, err := s.epochs(ctx, name)
	if err != nil || len(epochs) == 0 {
		return d, err
	}
	newest := epochs[len(epochs)-1]
	if d.Lines, err = collect(ctx, s.db, scanLine, `SELECT seq, at_ms, kind, sale, hash FROM fleet_entry
		WHERE epoch_id = ? ORDER BY seq DESC LIMIT ?`, newest.id, detailLines); err != nil {
		return d, err
	}
	sales, err := collect(ctx, s.db, scanSale, `SELECT sale, last_seq, fold FROM fleet_sale
		WHERE epoch_id = ? ORDER BY last_seq DESC LIMIT ?`, newest.id, detailSales)
	if err != nil {
		return d, err
	}
	for _, r := range sales {
		d.Sales = append(d.Sales, Sale{
			Rewrite: r.rewrite(name, newest.name, false),
			Opened:  moment(r.fold.OpenedMS), Closed: r.fold.Closed, Owed: r.fold.owed(),
		})
	}
	d.Holes, err = s.Holes(ctx, name)
	return d, err
}

func scanLine(rows *sql.Rows) (l Line, err error) {
	var at int64
	var hash []byte
	err = rows.Scan(&l.Seq, &at, &l.Kind, &l.Sale, &hash)
	l.At, l.Claim, l.Hash = moment(at), l.Sale.Claim(), hex.EncodeToString(hash)
	return l, err
}

// Holes lists what is missing between the first entry and the last that was
// committed, in every epoch of a kiosk. Entries that the kiosk has not shipped
// yet are no hole; Kiosk.Unshipped counts those.
func (s *Side) Holes(ctx context.Context, kiosk string) ([]Hole, error) {
	epochs, err := s.epochs(ctx, kiosk)
	if err != nil {
		return nil, fmt.Errorf("holes in the journal of kiosk %s: %w", kiosk, err)
	}
	var holes []Hole
	for _, e := range epochs {
		found, err := collect(ctx, s.db, func(rows *sql.Rows) (Hole, error) {
			h := Hole{Epoch: e.name}
			err := rows.Scan(&h.From, &h.To)
			return h, err
		}, `SELECT before + 1, seq - 1 FROM (
				SELECT seq, lag(seq, 1, 0) OVER (ORDER BY seq) AS before FROM (
					SELECT seq FROM fleet_entry WHERE epoch_id = ? UNION SELECT ? + 1))
			WHERE seq > before + 1 ORDER BY seq LIMIT 100`, e.id, e.seq)
		if err != nil {
			return nil, fmt.Errorf("holes in the journal of kiosk %s: %w", kiosk, err)
		}
		holes = append(holes, found...)
	}
	return holes, nil
}

// Verify reads every stored entry of a kiosk again and checks numbers, hashes
// and chain. It gives how many entries hold; an error wraps ErrDamaged and
// names the first that does not.
func (s *Side) Verify(ctx context.Context, kiosk string) (uint64, error) {
	epochs, err := s.epochs(ctx, kiosk)
	if err != nil {
		return 0, fmt.Errorf("verify kiosk %s: %w", kiosk, err)
	}
	var good uint64
	for _, e := range epochs {
		n, err := s.verifyEpoch(ctx, e)
		good += n
		if err != nil {
			return good, fmt.Errorf("verify kiosk %s, epoch %s: %w", kiosk, e.name, err)
		}
	}
	return good, nil
}

// verifyEpoch reads while kiosks go on shipping: how much was committed is asked
// after the entries were read, never before.
func (s *Side) verifyEpoch(ctx context.Context, e epochRow) (uint64, error) {
	var seq uint64
	var prev entry.Hash
	for e.seq = 0; ; {
		page, err := entries(ctx, s.db, e.id, seq)
		if err != nil {
			return seq, err
		}
		if len(page) == 0 {
			if e.seq > seq { // committed before we looked, and not here
				break
			}
			if err := s.db.QueryRowContext(ctx, `SELECT seq FROM fleet_epoch WHERE id = ?`, e.id).Scan(&e.seq); err != nil {
				return seq, err
			}
			if e.seq <= seq {
				break
			}
			continue // it has come since
		}
		for _, row := range page {
			opened, hash, err := entry.Open(row.stored)
			if err == nil {
				err = opened.Follows(seq, prev)
			}
			if err == nil && (row.seq != opened.Seq || string(row.hash) != string(hash[:])) {
				err = errors.New("the row does not tell what its entry says")
			}
			if err != nil {
				return seq, fmt.Errorf("%w: after entry %d: %w", ErrDamaged, seq, err)
			}
			seq, prev = opened.Seq, hash
		}
	}
	if seq != e.seq {
		return seq, fmt.Errorf("%w: %d entries were committed, %d are here", ErrDamaged, e.seq, seq)
	}
	return seq, nil
}

// Total is the value of the open rewrites of a kiosk.
func (k Kiosk) Total() money.Fen {
	var sum money.Fen
	for _, r := range k.Open {
		sum += r.Amount
	}
	return sum
}
