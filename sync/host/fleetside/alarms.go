package fleetside

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/sync/fleetlink/fleetmsg"
)

// AlarmKind is why people shall look, in the words of the operator's page.
type AlarmKind string

// The kinds. Their names are stored: never rename one.
const (
	AlarmRisk     AlarmKind = "risk"     // a rule of the operator's with the outcome alarm struck
	AlarmLong     AlarmKind = "long"     // a reversal or refund has been sent in vain for long
	AlarmConflict AlarmKind = "conflict" // the bank contradicts what the kiosk holds about a payment
	AlarmBatch    AlarmKind = "batch"    // a settlement ended with differences
	AlarmJournal  AlarmKind = "journal"  // the journal cannot be trusted
)

// Alarm is one event that people shall look at. Acknowledging it says that a
// person has: it changes nothing else, and what caused it goes on.
type Alarm struct {
	ID     int64
	Kiosk  string
	Kind   AlarmKind
	Detail string       // the rule, the batch's number, or what is wrong with the journal
	Sale   entry.SaleID // empty: about the kiosk itself
	Claim  string
	Card   string    // masked; empty: none
	Amount money.Fen // of the sale; 0: none
	At     time.Time // kiosk clock; of a journal's alarm, host clock
	Who    string    // who has acknowledged it; empty: nobody yet
	Seen   time.Time // when, host clock
}

// AlarmsShown is how many new alarms, and how many acknowledged ones, a list
// holds at most.
const AlarmsShown = 40

// alarmOf says whether an entry is an alarm.
func alarmOf(body entry.Body) (kind AlarmKind, detail string, ok bool) {
	switch b := body.(type) {
	case entry.RiskStruck: // those that refuse or lead to the desk have reached the people they are for
		return AlarmRisk, b.Rule, b.Outcome == "alarm"
	case entry.ReversalPendingLong:
		return AlarmLong, "", true
	case entry.ReversalConflict:
		return AlarmConflict, "", true
	case entry.BatchSettled:
		return AlarmBatch, strconv.FormatUint(uint64(b.Batch), 10), len(b.Differs) > 0
	}
	return "", "", false
}

// raise stores the alarm that an entry is, in the transaction that stores the
// entry. The hash is its name: a journal that comes again, under the epoch of a
// restore or at a fold anew, raises nothing twice and takes back no acknowledgement.
func raise(ctx context.Context, tx *sql.Tx, epochID int64, e entry.Entry, hash []byte) error {
	body, err := e.Body()
	if err != nil {
		return nil // of a later version, which folds it anew
	}
	kind, detail, ok := alarmOf(body)
	if !ok {
		return nil
	}
	var sale entry.SaleID
	if about, is := body.(interface{ About() entry.SaleID }); is {
		sale = about.About()
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO fleet_alarm (kiosk, hash, epoch_id, kind, detail, sale, at_ms)
		SELECT kiosk, ?, id, ?, ?, ?, ? FROM fleet_epoch WHERE id = ? ON CONFLICT (hash) DO NOTHING`,
		hash, string(kind), fleetmsg.Clip(detail), string(sale), e.AtMS, epochID)
	return err
}

// Alarms of a kiosk, or of all if its name is empty: the new ones and then those
// that were acknowledged, each newest first; fresh is how many are new in all.
func (s *Side) Alarms(ctx context.Context, kiosk string) (fresh int, list []Alarm, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT count(*) FROM fleet_alarm WHERE seen_ms = 0 AND (?1 = '' OR kiosk = ?1)`, kiosk).Scan(&fresh)
	for _, seen := range []string{"seen_ms = 0", "seen_ms > 0"} {
		if err != nil {
			break
		}
		var some []Alarm
		some, err = collect(ctx, s.db, scanAlarm, `SELECT a.id, a.kiosk, a.kind, a.detail, a.sale, a.at_ms, a.who, a.seen_ms, s.fold
			FROM fleet_alarm a LEFT JOIN fleet_sale s ON s.epoch_id = a.epoch_id AND s.sale = a.sale
			WHERE `+seen+` AND (?1 = '' OR a.kiosk = ?1) ORDER BY a.id DESC LIMIT ?2`, kiosk, AlarmsShown)
		list = append(list, some...)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("list the alarms: %w", err)
	}
	return fresh, list, nil
}

func scanAlarm(rows *sql.Rows) (a Alarm, err error) {
	var at, seen int64
	var raw []byte
	if err = rows.Scan(&a.ID, &a.Kiosk, &a.Kind, &a.Detail, &a.Sale, &at, &a.Who, &seen, &raw); err != nil {
		return a, err
	}
	a.At, a.Seen, a.Claim = moment(at), moment(seen), a.Sale.Claim()
	var f saleFold
	if len(raw) > 0 {
		if err = entry.Unmarshal(raw, &f); err != nil {
			return a, err
		}
		a.Amount = f.Amount
		if f.Card.Number != "" {
			a.Card = MaskCard(f.Card.Number)
		}
	}
	return a, nil
}

// Acknowledge notes that a person has seen the alarms from one number to another,
// both included, and gives those that were new: none, if somebody was quicker. It
// returns after the commit. An acknowledgement is never changed afterwards.
func (s *Side) Acknowledge(ctx context.Context, from, to int64, who string) (list []Alarm, err error) {
	if who == "" {
		return nil, errors.New("acknowledge an alarm: nobody is named")
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		list, err = collect(ctx, tx, func(rows *sql.Rows) (a Alarm, err error) {
			err = rows.Scan(&a.ID, &a.Kiosk, &a.Kind, &a.Detail, &a.Sale)
			return a, err
		}, `UPDATE fleet_alarm SET who = ?, seen_ms = ? WHERE id BETWEEN ? AND ? AND seen_ms = 0
			RETURNING id, kiosk, kind, detail, sale`, who, time.Now().UnixMilli(), from, to)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("acknowledge alarms %d to %d: %w", from, to, err)
	}
	if len(list) > 0 {
		s.watch.notify()
	}
	return list, nil
}
