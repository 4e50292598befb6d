package fleetside

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/sync/fleetlink/fleetmsg"
)

// Kiosk is one line of the operator's page. What a kiosk says of itself and
// what its journal shows are apart: Says… comes from the last heartbeat.
type Kiosk struct {
	Name          string
	Version       string
	Place         string    // where it says that it stands
	Epoch         string    // hex; of the last heartbeat, or else the newest here
	Up            bool      // heard within the time that Config.Absent gives
	LastSeen      time.Time // host clock; zero: never
	LastSync      time.Time // host clock; when the host last had all that the kiosk had
	Committed     uint64    // last entry that the host has, of this epoch
	SaysTail      uint64    // last entry that the kiosk has
	SaysMark      uint64    // last entry that it knows to be here
	Unshipped     uint64    // entries that the kiosk has and the host does not
	SaysOwed      int
	OldestOwed    time.Time // kiosk clock; zero: nothing is owed
	SaysOpen      int
	SaysUnknown   int
	SaysLong      int // reversals and refunds owed for so long that people shall look
	SaysSales     uint64
	Recovering    string         // its journal was restored, why, and this host has not confirmed it yet; empty: it is well
	Kept          *fleetmsg.Kept // how its journal is kept; nil: it has not said. Not to be changed
	Risk          *fleetmsg.Risk // rules that struck today; nil: none. Not to be changed
	Screen        string
	Devices       []fleetmsg.Device
	ClockOffset   time.Duration // kiosk clock minus host clock at the last heartbeat, about
	Open          []Rewrite     // open rewrites, by the journal
	Owed          int           // obligations, by the journal as far as it is here
	Conflict      string        // why its journal cannot be trusted; empty: it can
	ConflictSince time.Time
}

// Rewrite is value that is paid for and not known to be on the card.
type Rewrite struct {
	Kiosk    string
	Sale     entry.SaleID
	Claim    string
	Family   string
	Card     string // masked
	Amount   money.Fen
	Stage    Stage
	Since    time.Time // kiosk clock
	Epoch    string    // hex
	OldEpoch bool      // the kiosk has begun a new epoch since and may not know of it
}

// MaskCard leaves six digits at the front and four at the end of a card
// number, for pages.
func MaskCard(number string) string {
	if len(number) <= 10 {
		return strings.Repeat("*", len(number))
	}
	return number[:6] + strings.Repeat("*", len(number)-10) + number[len(number)-4:]
}

// Snapshot gives every kiosk that is configured or was ever heard of, by name.
func (s *Side) Snapshot(ctx context.Context) ([]Kiosk, error) {
	names, err := column[string](ctx, s.db, `SELECT kiosk FROM fleet_kiosk`)
	if err != nil {
		return nil, fmt.Errorf("list the kiosks: %w", err)
	}
	for name := range s.cfg.Kiosks {
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	list := make([]Kiosk, 0, len(names))
	for _, name := range names {
		k, err := s.kiosk(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("kiosk %s: %w", name, err)
		}
		list = append(list, k)
	}
	return list, nil
}

func (s *Side) kiosk(ctx context.Context, name string) (Kiosk, error) {
	k := s.said(name)
	epochs, err := s.epochs(ctx, name)
	if err != nil {
		return k, err
	}
	for _, e := range epochs {
		if k.Epoch == "" || k.Epoch == e.name {
			k.Committed = e.seq
		}
	}
	if k.Epoch == "" && len(epochs) > 0 {
		k.Epoch = epochs[len(epochs)-1].name
	}
	if k.SaysTail > k.Committed {
		k.Unshipped = k.SaysTail - k.Committed
	}
	var since int64
	err = s.db.QueryRowContext(ctx, `SELECT conflict, conflict_since_ms FROM fleet_kiosk WHERE kiosk = ?`, name).Scan(&k.Conflict, &since)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return k, err
	}
	k.ConflictSince = moment(since)
	return k, s.addSales(ctx, &k, epochs)
}

// said is what the heartbeats tell.
func (s *Side) said(name string) Kiosk {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := Kiosk{Name: name}
	p := s.kiosks[name]
	if p == nil {
		return k
	}
	h := p.beat
	k.Up, k.LastSeen, k.LastSync = s.fresh(p, time.Now()), p.seen, p.sync
	k.Epoch = hex.EncodeToString(h.Epoch)
	k.Version, k.SaysTail, k.SaysMark = h.Version, h.TailSeq, h.MarkSeq
	k.SaysOwed, k.SaysOpen, k.SaysUnknown, k.SaysSales = h.Owed, h.OpenRewrites, h.Unknown, h.Sales
	k.Place, k.SaysLong = h.Place, h.Long
	k.Recovering, k.Kept, k.Risk = h.Recovering, h.Kept, h.Risk
	k.OldestOwed, k.Screen, k.Devices = moment(h.OldestOwedMS), h.Screen, slices.Clone(h.Devices)
	if h.AtMS != 0 && !p.seen.IsZero() {
		k.ClockOffset = time.Duration(h.AtMS-p.seen.UnixMilli()) * time.Millisecond
	}
	return k
}

type epochRow struct {
	id   int64
	name string // hex
	seq  uint64
}

// epochs of a kiosk, oldest first.
func (s *Side) epochs(ctx context.Context, kiosk string) ([]epochRow, error) {
	return collect(ctx, s.db, func(rows *sql.Rows) (e epochRow, err error) {
		var name []byte
		err = rows.Scan(&e.id, &name, &e.seq)
		e.name = hex.EncodeToString(name)
		return e, err
	}, `SELECT id, epoch, seq FROM fleet_epoch WHERE kiosk = ? ORDER BY id`, kiosk)
}

type saleRow struct {
	id   entry.SaleID
	last uint64
	fold saleFold
}

func scanSale(rows *sql.Rows) (r saleRow, err error) {
	var raw []byte
	if err = rows.Scan(&r.id, &r.last, &raw); err == nil {
		err = entry.Unmarshal(raw, &r.fold)
	}
	return r, err
}

// maxOpen bounds the open rewrites that one view of one kiosk lists.
const maxOpen = 1000

// addSales adds the open rewrites. One that an earlier epoch left open stays
// in the list until a later epoch knows the sale: a restore from a backup must
// not make it vanish.
func (s *Side) addSales(ctx context.Context, k *Kiosk, epochs []epochRow) error {
	for i, e := range epochs {
		open, err := collect(ctx, s.db, scanSale, `SELECT sale, last_seq, fold FROM fleet_sale s WHERE epoch_id = ? AND open = 1
			AND NOT EXISTS (SELECT 1 FROM fleet_sale l JOIN fleet_epoch e ON e.id = l.epoch_id
				WHERE e.kiosk = ? AND l.epoch_id > s.epoch_id AND l.sale = s.sale AND l.last_seq >= s.last_seq)
			ORDER BY last_seq LIMIT ?`, e.id, k.Name, maxOpen)
		if err != nil {
			return err
		}
		for _, r := range open {
			k.Open = append(k.Open, r.rewrite(k.Name, e.name, i < len(epochs)-1))
		}
	}
	if len(epochs) == 0 {
		return nil
	}
	return s.db.QueryRowContext(ctx, `SELECT coalesce(sum(owed), 0) FROM fleet_sale WHERE epoch_id = ? AND owed > 0`,
		epochs[len(epochs)-1].id).Scan(&k.Owed)
}

func (r saleRow) rewrite(kiosk, epoch string, old bool) Rewrite {
	amount := r.fold.Paid
	if amount == 0 {
		amount = r.fold.Amount
	}
	return Rewrite{
		Kiosk: kiosk, Sale: r.id, Claim: r.id.Claim(),
		Family: r.fold.Card.Family, Card: MaskCard(r.fold.Card.Number),
		Amount: amount, Stage: r.fold.Stage, Since: moment(r.fold.SinceMS),
		Epoch: epoch, OldEpoch: old,
	}
}
