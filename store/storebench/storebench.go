// Package storebench measures the journal against its floor: what bbolt alone
// takes for the same bytes on the same disk in the same run. It is for
// `make bench` and for benchmarks; the kiosk does not use it.
package storebench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"

	"buka/internal/entry"
	"buka/store"
)

// AppendRatio appends n entries to a new journal under dir, one commit each,
// and puts the same bytes into a bare bbolt bucket, one commit each, by turns,
// so that a disk that slows down slows both. It gives the time of each side in
// all. The bound (DESIGN §7) is ours ≤ 1.3 × bare.
func AppendRatio(dir string, n int) (ours, bare time.Duration, err error) {
	s, _, err := store.Open(store.Path(filepath.Join(dir, "ours")), store.Options{Kiosk: "bench"})
	if err != nil {
		return 0, 0, err
	}
	defer s.Close()
	db, err := bolt.Open(filepath.Join(dir, "bare.db"), 0o600, nil)
	if err != nil {
		return 0, 0, err
	}
	defer db.Close()
	bucket := []byte("bare")
	if err := db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket(bucket); return err }); err != nil {
		return 0, 0, err
	}
	for i := range n {
		begin := time.Now()
		list, err := s.Append(Body(i))
		ours += time.Since(begin)
		if err != nil {
			return 0, 0, err
		}
		_, raw, _, err := s.Entry(list[0].Seq)
		if err != nil {
			return 0, 0, err
		}
		begin = time.Now()
		err = db.Update(func(tx *bolt.Tx) error {
			return tx.Bucket(bucket).Put(binary.BigEndian.AppendUint64(nil, uint64(i)), raw)
		})
		bare += time.Since(begin)
		if err != nil {
			return 0, 0, err
		}
	}
	return ours, bare, nil
}

// Body is an entry of the usual size, as the i-th of a long journal.
func Body(i int) entry.Body {
	of := entry.Of{Sale: entry.SaleID(fmt.Sprintf("BENCH%011d", i/4))}
	card := entry.Card{Family: "tunion", Number: "3105170010170907984"}
	switch i % 4 {
	case 0:
		return entry.SaleOpened{Of: of, Card: card, Observed: entry.Observation{Balance: 2850}, Place: "hall 1"}
	case 1:
		return entry.LoadRequested{Of: of, Attempt: entry.Attempt{Card: card, Slot: 2, OldBalance: 2850, Amount: 5000,
			Terminal: make(entry.Hex, 6), Random: make(entry.Hex, 4), MAC1: make(entry.Hex, 4), STAN: uint32(i)}}
	case 2:
		return entry.WriteStarted{Of: of, ConfirmSTAN: uint32(i), VoidSTAN: uint32(i + 1)}
	}
	return entry.WriteDone{Of: of, TAC: make(entry.Hex, 4), SW: 0x9000}
}

// Reopen makes a journal of n entries under dir, with a checkpoint `tail`
// entries before its end, and gives how long it takes to open it again and how
// many bytes it has.
func Reopen(dir string, n, tail int) (open time.Duration, size int64, err error) {
	path := store.Path(dir)
	s, _, err := store.Open(path, store.Options{Kiosk: "bench"})
	if err != nil {
		return 0, 0, err
	}
	const batch = 4000
	for i := 0; i < n && err == nil; i += batch {
		bodies := make([]entry.Body, 0, batch+1)
		for j := i; j < min(i+batch, n); j++ {
			bodies = append(bodies, Body(j))
			if j == n-tail {
				bodies = append(bodies, entry.Checkpoint{State: make([]byte, 64<<10)})
			}
		}
		_, err = s.Append(bodies...)
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	s, _, err = store.Open(path, store.Options{Kiosk: "bench"})
	open = time.Since(begin)
	if err != nil {
		return 0, 0, err
	}
	st, err := s.Stats()
	return open, st.UsedBytes, errors.Join(err, s.Close())
}
