package fleetside

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"buka/internal/entry"
	"buka/sync/fleetlink/fleetmsg"
)

// onBatch takes one batch and answers after the commit.
func (s *Side) onBatch(kiosk string, data []byte) fleetmsg.Reply {
	b, opened, err := fleetmsg.DecodeBatch(data)
	if err == nil && b.Kiosk != kiosk {
		err = fmt.Errorf("a batch of kiosk %s under the name of %s", b.Kiosk, kiosk)
	}
	if err == nil {
		err = ownJournal(kiosk, opened)
	}
	if err != nil {
		s.log.Warn("fleet side: batch refused", "kiosk", kiosk, "error", err)
		return refuse(err)
	}
	ctx, cancel := context.WithTimeout(s.ctx, dbTimeout)
	defer cancel()
	r, added, err := s.commit(ctx, b, opened)
	if err != nil {
		return s.later("commit a batch", kiosk, err)
	}
	if r.Rewrites, err = s.listVersion(ctx); err != nil {
		r.Rewrites = 0 // what was committed stays so; the next heartbeat tells
	}
	if r.Code == fleetmsg.CodeFork {
		s.log.Error("fleet side: conflict", "kiosk", kiosk, "entry", r.ForkSeq, "detail", r.Detail)
	}
	if r.Code == fleetmsg.CodeOK {
		s.caughtUp(b, r.Seq)
	}
	if added > 0 || r.Code == fleetmsg.CodeFork {
		s.watch.notify()
	}
	return r
}

// ownJournal refuses a journal that says of itself that it is another kiosk's.
func ownJournal(kiosk string, opened []fleetmsg.Opened) error {
	for _, o := range opened {
		if o.Entry.Kind != entry.KEpochBegun {
			continue
		}
		body, err := o.Entry.Body()
		if err != nil {
			return err
		}
		if begun, ok := body.(entry.EpochBegun); ok && begun.Kiosk != kiosk {
			return fmt.Errorf("entry %d begins the journal of kiosk %q, not of %q", o.Entry.Seq, begun.Kiosk, kiosk)
		}
	}
	return nil
}

// head is how far the committed copy of one epoch goes.
type head struct {
	id   int64 // of fleet_epoch; 0: the epoch is not known yet
	seq  uint64
	hash entry.Hash
}

func (h head) reply(code fleetmsg.Code) fleetmsg.Reply {
	return fleetmsg.Reply{Code: code, Known: true, Seq: h.seq, Hash: h.hash}
}

// commit decides about one batch inside one transaction and says how many
// entries it added.
func (s *Side) commit(ctx context.Context, b fleetmsg.Batch, opened []fleetmsg.Opened) (r fleetmsg.Reply, added int, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		r, added, err = decide(ctx, tx, b, opened)
		if err != nil {
			return err
		}
		return s.passed(ctx, tx, b, opened[len(opened)-added:])
	})
	if err != nil {
		return fleetmsg.Reply{}, 0, err
	}
	return r, added, nil
}

// passed tells which sales have closed or were handed over, in the transaction
// that stores it.
func (s *Side) passed(ctx context.Context, tx *sql.Tx, b fleetmsg.Batch, added []fleetmsg.Opened) error {
	for _, o := range added {
		if o.Entry.Kind != entry.KSaleClosed && o.Entry.Kind != entry.KHandedOver {
			continue
		}
		body, err := o.Entry.Body()
		if err != nil {
			continue // of a newer version: nothing is done on a guess
		}
		switch body := body.(type) {
		case entry.HandedOver:
			if s.cfg.Ledger != nil {
				err = s.handedOver(ctx, tx, b, o.Entry.Seq, body)
			}
		case entry.SaleClosed:
			if s.cfg.Passed != nil {
				err = s.cfg.Passed(ctx, tx, body.Sale)
			}
		}
		if err != nil {
			return fmt.Errorf("entry %d: %w", o.Entry.Seq, err)
		}
	}
	return nil
}

func decide(ctx context.Context, tx *sql.Tx, b fleetmsg.Batch, opened []fleetmsg.Opened) (fleetmsg.Reply, int, error) {
	if err := lock(ctx, tx, b.Kiosk); err != nil {
		return fleetmsg.Reply{}, 0, err
	}
	at, err := findHead(ctx, tx, b.Kiosk, b.Epoch)
	if err != nil {
		return fleetmsg.Reply{}, 0, err
	}
	r, fresh, err := place(ctx, tx, at, b, opened)
	if err != nil {
		return r, 0, err
	}
	if r.Code == fleetmsg.CodeFork {
		what := fmt.Sprintf("entry %d of epoch %s differs from what is stored: %s", r.ForkSeq, hex.EncodeToString(b.Epoch), r.Detail)
		return r, 0, setConflict(ctx, tx, b.Kiosk, what)
	}
	if len(fresh) == 0 {
		return r, 0, nil
	}
	at, err = add(ctx, tx, at, b, fresh)
	return at.reply(fleetmsg.CodeOK), len(fresh), err
}

// lock makes this transaction the only writer about one kiosk. Its first
// statement writes, so the database never has to upgrade a reader.
func lock(ctx context.Context, tx *sql.Tx, kiosk string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO fleet_kiosk (kiosk, turn) VALUES (?, 1)
		ON CONFLICT (kiosk) DO UPDATE SET turn = turn + 1`, kiosk)
	return err
}

type querier interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

func findHead(ctx context.Context, q querier, kiosk string, epoch entry.Hex) (head, error) {
	var h head
	var hash []byte
	err := q.QueryRowContext(ctx, `SELECT id, seq, hash FROM fleet_epoch WHERE kiosk = ? AND epoch = ?`,
		kiosk, []byte(epoch)).Scan(&h.id, &h.seq, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return head{}, nil
	}
	copy(h.hash[:], hash)
	return h, err
}

// place compares a batch with what is stored and gives the entries to add.
// Both are chains: if they agree at one number, they agree at all before it.
func place(ctx context.Context, tx *sql.Tx, at head, b fleetmsg.Batch, opened []fleetmsg.Opened) (fleetmsg.Reply, []fleetmsg.Opened, error) {
	if len(opened) == 0 {
		return at.reply(fleetmsg.CodeOK), nil, nil
	}
	last := opened[len(opened)-1].Entry.Seq
	switch {
	case b.First > at.seq+1:
		return at.reply(fleetmsg.CodeGap), nil, nil
	case b.First == at.seq+1:
		if b.Prev != at.hash {
			return forked(at, at.seq, at.hash), nil, nil
		}
	default:
		seq := min(last, at.seq)
		hash, err := storedHash(ctx, tx, at.id, seq)
		if err != nil {
			return fleetmsg.Reply{}, nil, err
		}
		if hash != opened[seq-b.First].Hash {
			return firstFork(ctx, tx, at, b.First, opened)
		}
	}
	if last <= at.seq {
		return at.reply(fleetmsg.CodeOK), nil, nil
	}
	return fleetmsg.Reply{}, opened[at.seq+1-b.First:], nil
}

func forked(at head, seq uint64, hash entry.Hash) fleetmsg.Reply {
	r := at.reply(fleetmsg.CodeFork)
	r.ForkSeq, r.ForkHash = seq, hash
	r.Detail = "two journals under one kiosk name and epoch; nothing was stored"
	return r
}

// firstFork finds the first number at which batch and database differ.
func firstFork(ctx context.Context, tx *sql.Tx, at head, first uint64, opened []fleetmsg.Opened) (fleetmsg.Reply, []fleetmsg.Opened, error) {
	for _, o := range opened {
		hash, err := storedHash(ctx, tx, at.id, o.Entry.Seq)
		if err != nil {
			return fleetmsg.Reply{}, nil, err
		}
		if hash != o.Hash {
			return forked(at, o.Entry.Seq, hash), nil, nil
		}
	}
	return fleetmsg.Reply{}, nil, fmt.Errorf("entries from %d on differ and do not differ", first)
}

func storedHash(ctx context.Context, tx *sql.Tx, epochID int64, seq uint64) (entry.Hash, error) {
	var hash []byte
	err := tx.QueryRowContext(ctx, `SELECT hash FROM fleet_entry WHERE epoch_id = ? AND seq = ?`, epochID, seq).Scan(&hash)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && len(hash) != len(entry.Hash{}):
		return entry.Hash{}, fmt.Errorf("stored entry %d: %w", seq, ErrDamaged)
	case err != nil:
		return entry.Hash{}, err
	}
	return entry.Hash(hash), nil
}

// ErrDamaged says that the host's copy of a journal does not hold together.
// The kiosk's journal is not touched by it.
var ErrDamaged = errors.New("the host's copy of the journal is damaged; restore the host's database and let the kiosk ship again")

// add stores entries that follow from at, and what they mean for their sales.
func add(ctx context.Context, tx *sql.Tx, at head, b fleetmsg.Batch, fresh []fleetmsg.Opened) (head, error) {
	now := time.Now().UnixMilli()
	if at.id == 0 {
		res, err := tx.ExecContext(ctx, `INSERT INTO fleet_epoch (kiosk, epoch, began_ms, hash, fold_version) VALUES (?, ?, ?, ?, ?)`,
			b.Kiosk, []byte(b.Epoch), now, at.hash[:], foldVersion)
		if err != nil {
			return at, err
		}
		if at.id, err = res.LastInsertId(); err != nil {
			return at, err
		}
	} else if err := warnOldEpoch(ctx, tx, at.id, b); err != nil {
		return at, err
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO fleet_entry (epoch_id, seq, hash, kind, sale, at_ms, stored) VALUES (?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return at, err
	}
	defer insert.Close()
	sales := newFolder(tx, at.id)
	for _, o := range fresh {
		if o.Entry.Follows(at.seq, at.hash) != nil {
			return at, errors.New("a batch that was not verified reached the database")
		}
		sale, err := sales.take(ctx, o.Entry)
		if err != nil {
			return at, err
		}
		if _, err := insert.ExecContext(ctx, at.id, o.Entry.Seq, o.Hash[:], string(o.Entry.Kind), string(sale), o.Entry.AtMS, o.Stored); err != nil {
			return at, err
		}
		if err := raise(ctx, tx, at.id, o.Entry, o.Hash[:]); err != nil {
			return at, err
		}
		at.seq, at.hash = o.Entry.Seq, o.Hash
	}
	if err := sales.save(ctx); err != nil {
		return at, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE fleet_epoch SET seq = ?, hash = ? WHERE id = ?`, at.seq, at.hash[:], at.id)
	return at, err
}

// warnOldEpoch marks a kiosk whose earlier epoch goes on after a later one has
// begun: two machines, or an old store put back. The entries are kept, since
// no truth is lost by storing it, and people are told.
func warnOldEpoch(ctx context.Context, tx *sql.Tx, id int64, b fleetmsg.Batch) error {
	var newest int64
	if err := tx.QueryRowContext(ctx, `SELECT max(id) FROM fleet_epoch WHERE kiosk = ?`, b.Kiosk).Scan(&newest); err != nil {
		return err
	}
	if newest == id {
		return nil
	}
	return setConflict(ctx, tx, b.Kiosk, "epoch "+hex.EncodeToString(b.Epoch)+" goes on although a later one has begun: two machines under one name, or an old store put back")
}

func setConflict(ctx context.Context, tx *sql.Tx, kiosk, what string) error {
	now := time.Now().UnixMilli()
	res, err := tx.ExecContext(ctx, `UPDATE fleet_kiosk SET conflict = ?, conflict_since_ms = ? WHERE kiosk = ? AND conflict = ''`,
		what, now, kiosk)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 { // marked already: one alarm
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO fleet_alarm (kiosk, kind, detail, at_ms) VALUES (?, ?, ?, ?)`, kiosk, string(AlarmJournal), fleetmsg.Clip(what), now)
	return err
}

// ClearConflict takes back the mark of a conflict, once people have settled
// it. A conflict that goes on is marked again by the next batch.
func (s *Side) ClearConflict(ctx context.Context, kiosk string) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE fleet_kiosk SET conflict = '', conflict_since_ms = 0 WHERE kiosk = ?`, kiosk)
		return err
	})
	if err != nil {
		return fmt.Errorf("clear the conflict of kiosk %s: %w", kiosk, err)
	}
	s.watch.notify()
	return nil
}
