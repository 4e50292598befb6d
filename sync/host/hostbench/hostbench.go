// Package hostbench measures the reference host: how long it takes to decide a
// payment with everything that a bank looks at, next to a bare commit of its
// database. It asserts nothing.
package hostbench

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver

	"buka/cardio/apdu"
	"buka/internal/cryptogram"
	"buka/internal/entry"
	"buka/internal/money"
	"buka/internal/pin"
	"buka/sync/host"
	"buka/sync/switchlink"
)

const (
	pan      = "6225880000000001"
	digits   = "123456"
	terminal = "00000001"
	merchant = "000000000000001"
	amount   = money.Fen(1_00)
	rounds   = 4
	rowBytes = 1024 // about what a payment writes
)

// Authorisations decides n payments one after the other, each with a DUKPT PIN
// and a chip's cryptogram, and commits them; and commits n bare rows. What a
// terminal and a card would do is done before the clock starts. It gives the sum
// of both, measured in turns.
func Authorisations(ctx context.Context, dir string, n int) (ours, bare time.Duration, err error) {
	h, err := host.Open(ctx, host.Config{Dir: filepath.Join(dir, "host"), RequireICC: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	floor, err := openFloor(filepath.Join(dir, "floor.db"))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, floor.Close()) }()
	requests, err := prepare(ctx, h, n)
	if err != nil {
		return 0, 0, err
	}
	for i := range rounds {
		part := requests[i*n/rounds : (i+1)*n/rounds]
		start := time.Now()
		for _, r := range part {
			a, ok := h.Handle(ctx, r)
			if !ok || a.Code != switchlink.CodeApproved || len(a.ICC) == 0 {
				return 0, 0, fmt.Errorf("a payment was answered %q", a.Code)
			}
		}
		ours += time.Since(start)
		start = time.Now()
		for range part {
			if err := commit(ctx, floor); err != nil {
				return 0, 0, err
			}
		}
		bare += time.Since(start)
	}
	return ours, bare, nil
}

// openFloor is a database as the host's is, with one table.
func openFloor(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	if _, err := db.Exec(`CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT`); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func commit(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, `INSERT INTO rows (body) VALUES (?)`, make([]byte, rowBytes)); err != nil {
		return err
	}
	return tx.Commit()
}

// prepare opens the account, signs on, and makes the requests.
func prepare(ctx context.Context, h *host.Host, n int) ([]*switchlink.Request, error) {
	err := h.PutAccount(ctx, host.Account{PAN: pan, PIN: digits, Expiry: "9912", Funds: money.Fen(n) * amount})
	if err != nil {
		return nil, err
	}
	on, _ := h.Handle(ctx, &switchlink.Request{Kind: switchlink.KindSignOn, Terminal: terminal, Merchant: merchant, STAN: 1})
	p, err := pin.NewPIN([]byte(digits))
	if err != nil {
		return nil, err
	}
	card, err := cryptogram.CardKey(host.DefaultKeys().Chip, pan, 1)
	if err != nil {
		return nil, err
	}
	ksn := pin.KSN{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0}
	list := make([]*switchlink.Request, n)
	for i := range list {
		if ksn, err = ksn.Next(); err != nil {
			return nil, err
		}
		sealed, err := seal(p, ksn)
		if err != nil {
			return nil, err
		}
		icc, err := chip(card, uint16(i+1))
		if err != nil {
			return nil, err
		}
		list[i] = &switchlink.Request{Kind: switchlink.KindPay, Terminal: terminal, Merchant: merchant, STAN: uint32(i + 2), Batch: on.Batch,
			Sale: entry.SaleID(fmt.Sprintf("BENCH%011d", i)), Card: entry.Card{Family: "tunion", Number: "3105170010170907984"}, Slot: 2,
			Amount: amount, PAN: pan, PSN: "001", EntryMode: "051", PIN: sealed, ICC: icc}
	}
	return list, nil
}

func seal(p pin.PIN, ksn pin.KSN) (*pin.Sealed, error) {
	s, err := pin.NewSealed(pin.TDESDUKPT, pin.Format0)
	if err != nil {
		return nil, err
	}
	key, err := pin.TransactionKey(pin.InitialKey(host.DefaultKeys().BDK, ksn), ksn)
	if err != nil {
		return nil, err
	}
	block, err := pin.Encipher(key.PINKey().Secret(), pin.Format0, p, pan)
	if err != nil {
		return nil, err
	}
	copy(s.Bytes(), block)
	s.KSN = ksn
	return s, nil
}

// chip makes DE55 as a UnionPay card and its terminal do.
func chip(card cryptogram.Key, atc uint16) ([]byte, error) {
	objects := []apdu.TLV{{Tag: 0x9F02, Value: bcd(amount)}, {Tag: 0x9F03, Value: bcd(0)}, {Tag: 0x9F1A, Value: []byte{1, 0x56}},
		{Tag: 0x95, Value: []byte{0, 0, 0x04, 0, 0}}, {Tag: 0x5F2A, Value: []byte{1, 0x56}}, {Tag: 0x9A, Value: []byte{0x26, 1, 0x15}},
		{Tag: 0x9C, Value: []byte{0}}, {Tag: 0x9F37, Value: []byte{1, 2, byte(atc >> 8), byte(atc)}}, {Tag: 0x82, Value: []byte{0x7C, 0}},
		{Tag: 0x9F36, Value: binary.BigEndian.AppendUint16(nil, atc)}, {Tag: 0x9F27, Value: []byte{0x80}},
		{Tag: 0x9F10, Value: []byte{7, 1, byte(cryptogram.Common), 3, 0xA0, 0, 0, 0}}}
	data, err := cryptogram.Common.Input(func(tag uint32) []byte {
		for _, o := range objects {
			if uint32(o.Tag) == tag {
				return o.Value
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	ac, err := cryptogram.Common.AC(card, atc, data)
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, o := range append(objects, apdu.TLV{Tag: 0x9F26, Value: ac[:]}) {
		b, err := apdu.Encode(o.Tag, o.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
	}
	return out, nil
}

// bcd is an amount in format n12.
func bcd(f money.Fen) []byte {
	b, err := hex.DecodeString(fmt.Sprintf("%012d", int64(f)))
	if err != nil { // digits only
		panic("hostbench: " + err.Error())
	}
	return b
}
