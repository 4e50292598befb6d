package fleetside

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"time"

	"buka/sync/fleetlink/fleetmsg"
)

// presence is what heartbeats say about one kiosk. It is in memory; what is
// saved may be saveEvery older.
type presence struct {
	beat  fleetmsg.Heartbeat
	said  []byte    // the beat without its time, to see whether it says something new
	seen  time.Time // host clock; zero: never
	sync  time.Time // when the host last had all that the kiosk had
	saved time.Time
	up    bool // as last told to those who watch
}

// saveEvery bounds how old a saved last_seen may be while nothing changes: a
// fleet's heartbeats must not keep the disk busy.
const saveEvery = 30 * time.Second

// onBeat takes one heartbeat and answers how far the journal is.
func (s *Side) onBeat(kiosk string, data []byte) fleetmsg.Reply {
	h, err := fleetmsg.DecodeHeartbeat(data)
	if err == nil && h.Kiosk != kiosk {
		err = fmt.Errorf("a heartbeat of kiosk %s under the name of %s", h.Kiosk, kiosk)
	}
	if err != nil {
		s.log.Warn("fleet side: heartbeat refused", "kiosk", kiosk, "error", err)
		return refuse(err)
	}
	ctx, cancel := context.WithTimeout(s.ctx, dbTimeout)
	defer cancel()
	at, err := findHead(ctx, s.db, kiosk, h.Epoch)
	if err != nil {
		return s.later("look up a journal", kiosk, err)
	}
	news, save := s.see(h, at.seq == h.TailSeq)
	if save {
		if err := s.saveBeat(ctx, h.Kiosk, data); err != nil {
			return s.later("save a heartbeat", kiosk, err)
		}
	}
	if news {
		s.watch.notify()
	}
	r := at.reply(fleetmsg.CodeOK)
	if r.Rewrites, err = s.listVersion(ctx); err != nil {
		return s.later("look up the rewrites", kiosk, err)
	}
	return r
}

// see notes a heartbeat in memory and says whether people and the database
// should hear of it.
func (s *Side) see(h fleetmsg.Heartbeat, synced bool) (news, save bool) {
	now := time.Now()
	timeless := h
	timeless.AtMS = 0
	said, err := timeless.Encode()
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.presenceOf(h.Kiosk)
	changed := err != nil || !bytes.Equal(said, p.said)
	news = changed || !p.up
	save = changed || now.Sub(p.saved) >= saveEvery
	p.beat, p.said, p.seen, p.up = h, said, now, true
	if synced {
		p.sync = now
	}
	if save {
		p.saved = now
	}
	return news, save
}

// caughtUp notes that a journal is here as far as its last heartbeat says.
func (s *Side) caughtUp(b fleetmsg.Batch, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.presenceOf(b.Kiosk)
	if bytes.Equal(p.beat.Epoch, b.Epoch) && seq >= p.beat.TailSeq {
		p.sync = time.Now()
	}
}

// presenceOf gives the presence of a kiosk; s.mu is held.
func (s *Side) presenceOf(kiosk string) *presence {
	p := s.kiosks[kiosk]
	if p == nil {
		p = &presence{}
		s.kiosks[kiosk] = p
	}
	return p
}

func (s *Side) saveBeat(ctx context.Context, kiosk string, data []byte) error {
	s.mu.Lock()
	p := *s.presenceOf(kiosk)
	s.mu.Unlock()
	err := s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO fleet_kiosk (kiosk, beat, last_seen_ms, last_sync_ms) VALUES (?, ?, ?, ?)
			ON CONFLICT (kiosk) DO UPDATE SET beat = excluded.beat, last_seen_ms = excluded.last_seen_ms,
				last_sync_ms = max(last_sync_ms, excluded.last_sync_ms)`,
			kiosk, data, millis(p.seen), millis(p.sync))
		return err
	})
	if err != nil {
		s.mu.Lock()
		s.presenceOf(kiosk).saved = time.Time{}
		s.mu.Unlock()
	}
	return err
}

// loadPresence starts from what an earlier run saved.
func (s *Side) loadPresence(ctx context.Context) error {
	_, err := collect(ctx, s.db, func(rows *sql.Rows) (struct{}, error) {
		var name string
		var beat []byte
		var seen, sync int64
		if err := rows.Scan(&name, &beat, &seen, &sync); err != nil {
			return struct{}{}, err
		}
		p := &presence{seen: moment(seen), sync: moment(sync)}
		if len(beat) > 0 {
			h, err := fleetmsg.DecodeHeartbeat(beat)
			if err != nil { // of another version: the next one is minutes away at most
				s.log.Warn("fleet side: a saved heartbeat cannot be read", "kiosk", name, "error", err)
			}
			p.beat = h
		}
		p.up = s.fresh(p, time.Now())
		s.kiosks[name] = p
		return struct{}{}, nil
	}, `SELECT kiosk, beat, last_seen_ms, last_sync_ms FROM fleet_kiosk`)
	if err != nil {
		return fmt.Errorf("read what is known about the kiosks: %w", err)
	}
	return nil
}

func (s *Side) fresh(p *presence, now time.Time) bool {
	return !p.seen.IsZero() && now.Sub(p.seen) < s.cfg.Absent
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
