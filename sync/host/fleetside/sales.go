package fleetside

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"buka/internal/entry"
)

// folder keeps the sales that one transaction touches.
type folder struct {
	tx      *sql.Tx
	epochID int64
	sales   map[entry.SaleID]*touched
	order   []entry.SaleID
}

type touched struct {
	fold saleFold
	last uint64
}

func newFolder(tx *sql.Tx, epochID int64) *folder {
	return &folder{tx: tx, epochID: epochID, sales: map[entry.SaleID]*touched{}}
}

// take folds one entry and says which sale it is about. An entry of a kind
// that this version does not know, or with a body that it cannot read, is
// about none: it is stored all the same, and folded by a version that can.
func (f *folder) take(ctx context.Context, e entry.Entry) (entry.SaleID, error) {
	body, err := e.Body()
	if err != nil {
		return "", nil
	}
	if b, ok := body.(entry.RestoreConfirmed); ok {
		for _, fact := range b.Sales {
			t, err := f.touch(ctx, fact.Sale)
			if err != nil {
				return "", err
			}
			t.fold, t.last = t.fold.corrected(e.AtMS, fact), e.Seq
		}
		return "", nil
	}
	about, ok := body.(interface{ About() entry.SaleID })
	if !ok || about.About() == "" {
		return "", nil
	}
	id := about.About()
	t, err := f.touch(ctx, id)
	if err != nil {
		return "", err
	}
	t.fold, t.last = t.fold.step(e.AtMS, body), e.Seq
	return id, nil
}

// touch gives a sale that will be saved.
func (f *folder) touch(ctx context.Context, id entry.SaleID) (t *touched, err error) {
	if t = f.sales[id]; t == nil {
		if t, err = f.load(ctx, id); err != nil {
			return nil, err
		}
		f.sales[id] = t
		f.order = append(f.order, id)
	}
	return t, nil
}

func (f *folder) load(ctx context.Context, id entry.SaleID) (*touched, error) {
	var raw []byte
	err := f.tx.QueryRowContext(ctx, `SELECT fold FROM fleet_sale WHERE epoch_id = ? AND sale = ?`, f.epochID, string(id)).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return &touched{}, nil
	}
	if err != nil {
		return nil, err
	}
	t := &touched{}
	return t, entry.Unmarshal(raw, &t.fold)
}

func (f *folder) save(ctx context.Context) error {
	for _, id := range f.order {
		t := f.sales[id]
		raw, err := entry.Marshal(t.fold)
		if err != nil {
			return err
		}
		if _, err := f.tx.ExecContext(ctx, `INSERT INTO fleet_sale (epoch_id, sale, open, owed, last_seq, fold) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (epoch_id, sale) DO UPDATE SET open = excluded.open, owed = excluded.owed, last_seq = excluded.last_seq, fold = excluded.fold`,
			f.epochID, string(id), t.fold.open(), t.fold.owed(), t.last, raw); err != nil {
			return err
		}
	}
	f.sales, f.order = map[entry.SaleID]*touched{}, nil
	return nil
}

// refoldOld makes the sales of every epoch anew that another version folded.
func (s *Side) refoldOld(ctx context.Context) error {
	ids, err := column[int64](ctx, s.db, `SELECT id FROM fleet_epoch WHERE fold_version <> ?`, foldVersion)
	if err != nil {
		return fmt.Errorf("look for old folds: %w", err)
	}
	for _, id := range ids {
		if err := s.refold(ctx, id); err != nil {
			return fmt.Errorf("fold epoch %d anew: %w", id, err)
		}
	}
	return nil
}

// refold makes fleet_sale of one epoch from its entries, in one transaction, and
// raises the alarms that are not there.
func (s *Side) refold(ctx context.Context, id int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM fleet_sale WHERE epoch_id = ?`, id); err != nil {
			return err
		}
		if err := refoldEntries(ctx, tx, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE fleet_epoch SET fold_version = ? WHERE id = ?`, foldVersion, id)
		return err
	})
}

func refoldEntries(ctx context.Context, tx *sql.Tx, id int64) error {
	sales := newFolder(tx, id)
	for after := uint64(0); ; {
		page, err := entries(ctx, tx, id, after)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, row := range page {
			e, _, err := entry.Open(row.stored)
			if err != nil {
				return fmt.Errorf("entry %d: %w", row.seq, err)
			}
			if _, err := sales.take(ctx, e); err != nil {
				return err
			}
			if err := raise(ctx, tx, id, e, row.hash); err != nil {
				return err
			}
			after = row.seq
		}
		if err := sales.save(ctx); err != nil {
			return err
		}
	}
}
