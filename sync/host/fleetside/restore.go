package fleetside

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"buka/internal/entry"
	"buka/sync/fleetlink/fleetmsg"
)

// Ledger is what payment host and load authority know beside the journals. Each
// call is part of the transaction that it is given, where it is given one.
type Ledger interface {
	// HandedOver makes a rewrite the host's. past: the entry is from before a
	// restore.
	HandedOver(ctx context.Context, tx *sql.Tx, kiosk string, b entry.HandedOver, past bool) error
	// Restored says what is known of the open sales of a restored journal, and
	// takes what it has forgotten.
	Restored(ctx context.Context, tx *sql.Tx, q fleetmsg.RestoreQuery, journal func(entry.SaleID) (Known, error)) (entry.RestoreConfirmed, error)
	// Version of the list of open rewrites.
	Version(ctx context.Context) (uint64, error)
	// Open rewrites that any kiosk may finish.
	Open(ctx context.Context) (version uint64, list []fleetmsg.Rewrite, err error)
}

// Known is what the journals say of one sale of a kiosk that was restored.
type Known struct {
	Here   bool // the restored journal knows it
	Closed bool // some epoch has closed it
	Back   bool // an earlier epoch owed its money back
}

// onRestore answers a kiosk whose journal was restored, once the whole of it is
// here.
func (s *Side) onRestore(kiosk string, data []byte) encoder {
	q, err := fleetmsg.DecodeRestoreQuery(data)
	if err == nil && q.Kiosk != kiosk {
		err = fmt.Errorf("a question of kiosk %s under the name of %s", q.Kiosk, kiosk)
	}
	if err != nil {
		s.log.Warn("fleet side: a question about a restore refused", "kiosk", kiosk, "error", err)
		return fleetmsg.RestoreAnswer{Code: fleetmsg.CodeRefused, Detail: err.Error()}
	}
	ctx, cancel := context.WithTimeout(s.ctx, dbTimeout)
	defer cancel()
	var a fleetmsg.RestoreAnswer
	err = s.write(ctx, func(tx *sql.Tx) error {
		a, err = s.restored(ctx, tx, q)
		return err
	})
	if err != nil {
		r := s.later("answer about a restore", kiosk, err)
		return fleetmsg.RestoreAnswer{Code: r.Code, Detail: r.Detail}
	}
	s.watch.notify()
	return a
}

func (s *Side) restored(ctx context.Context, tx *sql.Tx, q fleetmsg.RestoreQuery) (a fleetmsg.RestoreAnswer, err error) {
	if s.cfg.Ledger == nil {
		return fleetmsg.RestoreAnswer{Code: fleetmsg.CodeRefused, Detail: "this host has no ledgers to ask"}, nil
	}
	if err := lock(ctx, tx, q.Kiosk); err != nil {
		return a, err
	}
	at, err := findHead(ctx, tx, q.Kiosk, q.Epoch)
	if err != nil {
		return a, err
	}
	if at.seq < q.TailSeq {
		return fleetmsg.RestoreAnswer{Code: fleetmsg.CodeRetry, Detail: "the restored journal has not come whole yet"}, nil
	}
	hash, err := storedHash(ctx, tx, at.id, q.TailSeq)
	if err != nil {
		return a, err
	}
	if hash != q.TailHash {
		return fleetmsg.RestoreAnswer{Code: fleetmsg.CodeRefused, Detail: "the host holds another entry under the last number of this journal"}, nil
	}
	a.Code = fleetmsg.CodeOK
	a.Facts, err = s.cfg.Ledger.Restored(ctx, tx, q, func(sale entry.SaleID) (Known, error) {
		return knownSale(ctx, tx, q.Kiosk, at.id, sale)
	})
	return a, err
}

// knownSale folds what every epoch of a kiosk says of one sale.
func knownSale(ctx context.Context, tx *sql.Tx, kiosk string, here int64, sale entry.SaleID) (k Known, err error) {
	type row struct {
		epoch int64
		fold  saleFold
	}
	rows, err := collect(ctx, tx, func(rows *sql.Rows) (r row, err error) {
		var raw []byte
		if err = rows.Scan(&r.epoch, &raw); err == nil {
			err = entry.Unmarshal(raw, &r.fold)
		}
		return r, err
	}, `SELECT s.epoch_id, s.fold FROM fleet_epoch e JOIN fleet_sale s ON s.epoch_id = e.id AND s.sale = ? WHERE e.kiosk = ? ORDER BY e.id`,
		string(sale), kiosk)
	for _, r := range rows {
		k.Here = k.Here || r.epoch == here
		k.Closed = k.Closed || r.fold.Closed && !r.fold.Given
		if r.epoch != here {
			k.Back = r.fold.Reversal || r.fold.Refund
		}
	}
	return k, err
}

// listVersion is that of the open rewrites of the host; 0: it has none to give.
func (s *Side) listVersion(ctx context.Context) (uint64, error) {
	if s.cfg.Ledger == nil {
		return 0, nil
	}
	return s.cfg.Ledger.Version(ctx)
}

// onRewrites gives the open rewrites of the host.
func (s *Side) onRewrites(kiosk string, _ []byte) encoder {
	if s.cfg.Ledger == nil {
		return fleetmsg.RewriteList{Code: fleetmsg.CodeOK}
	}
	ctx, cancel := context.WithTimeout(s.ctx, dbTimeout)
	defer cancel()
	version, list, err := s.cfg.Ledger.Open(ctx)
	if err != nil {
		return fleetmsg.RewriteList{Code: s.later("list the rewrites", kiosk, err).Code}
	}
	return fleetmsg.RewriteList{Code: fleetmsg.CodeOK, List: version, Open: list}
}

// handedOver tells the ledger of a rewrite that a journal gives to the host.
func (s *Side) handedOver(ctx context.Context, tx *sql.Tx, b fleetmsg.Batch, seq uint64, body entry.HandedOver) error {
	past, err := beforeRestore(ctx, tx, b.Kiosk, b.Epoch, seq)
	if err != nil {
		return err
	}
	if err := s.cfg.Ledger.HandedOver(ctx, tx, b.Kiosk, body, past); err != nil {
		return fmt.Errorf("sale %s is handed over: %w", body.Sale, err)
	}
	return nil
}

// beforeRestore says that an entry of this epoch was written in an earlier one:
// the journal began under another name, and the entry that renamed it stands
// later.
func beforeRestore(ctx context.Context, tx *sql.Tx, kiosk string, epoch entry.Hex, seq uint64) (bool, error) {
	at, err := findHead(ctx, tx, kiosk, epoch)
	if err != nil {
		return false, err
	}
	renamed, err := collect(ctx, tx, scanStored, `SELECT seq, hash, stored FROM fleet_entry WHERE epoch_id = ? AND (seq = 1 OR kind = ? AND seq < ?)`,
		at.id, string(entry.KRestored), seq)
	if err != nil {
		return false, err
	}
	for _, r := range renamed {
		e, _, err := entry.Open(r.stored)
		if err != nil {
			return false, err
		}
		body, err := e.Body()
		if errors.Is(err, entry.ErrUnknownKind) {
			continue
		}
		if err != nil {
			return false, err
		}
		switch b := body.(type) {
		case entry.EpochBegun:
			if string(b.Epoch) == string(epoch) {
				return false, nil
			}
		case entry.Restored:
			if string(b.Epoch) == string(epoch) {
				return false, nil
			}
		}
	}
	return true, nil
}
