package host

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"buka/cardio/apdu"
	"buka/internal/cryptogram"
	"buka/sync/switchlink"
)

// Codes that only the bank behind a chip gives: reference/iso8583.md 1.10.
const (
	codeNoIssuer = "15" // a PAN that is not of this bank
	codeUseChip  = "45"
	codeChip     = "59" // the chip's cryptogram, or what it is over, is not right
)

// chip is what the DE55 of a payment says, as far as an issuer looks at it.
type chip struct {
	objects  map[apdu.Tag][]byte
	profile  cryptogram.Profile
	atc      uint16
	arqc     cryptogram.AC
	sequence byte
	key      cryptogram.Key // the card's own; zeroed by whoever asked for the chip
	genuine  bool           // its cryptogram is good, and was not shown before
}

// maxICC bounds DE55 in bytes.
const maxICC = 255

// errICC says that DE55 is not what a chip and a terminal make.
var errICC = errors.New("host: DE55 cannot be read")

// readChip takes DE55 apart. Which objects a terminal must send, and in which
// form, is EMV Book 3 annex A; a tag may occur once. Errors: errICC, and
// cryptogram.ErrIssuerData for a profile that is not known here.
func readChip(icc []byte, psn string) (*chip, error) {
	if len(icc) > maxICC {
		return nil, errICC
	}
	list, err := apdu.ParseTLVs(icc)
	if err != nil {
		return nil, errICC
	}
	c := &chip{objects: map[apdu.Tag][]byte{}}
	for _, o := range list {
		if _, twice := c.objects[o.Tag]; twice {
			return nil, errICC
		}
		c.objects[o.Tag] = o.Value
	}
	for tag, size := range map[apdu.Tag]int{0x9F26: 8, 0x9F27: 1, 0x9F36: 2, 0x9F02: 6, 0x5F2A: 2, 0x9F37: 4, 0x9A: 3, 0x95: 5, 0x82: 2,
		0x9F03: 6, 0x9F1A: 2, 0x9C: 1} {
		if len(c.objects[tag]) != size {
			return nil, errICC
		}
	}
	if psn != "" {
		n, err := strconv.ParseUint(psn, 10, 8)
		if err != nil || n > 99 {
			return nil, errICC
		}
		c.sequence = byte(n)
	}
	if c.profile, err = cryptogram.Of(c.objects[0x9F10]); err != nil {
		return nil, err
	}
	c.atc, c.arqc = binary.BigEndian.Uint16(c.objects[0x9F36]), cryptogram.AC(c.objects[0x9F26])
	return c, nil
}

// agrees says whether what the cryptogram is over is what the message says:
// amount, currency, sequence number, and the date where the message carries one.
func (c *chip) agrees(h *Host, r *switchlink.Request) bool {
	amount, err := strconv.ParseInt(hex.EncodeToString(c.objects[0x9F02]), 10, 64)
	if err != nil || amount != int64(r.Amount) || !bytes.Equal(c.objects[0x5F2A], []byte{0x01, 0x56}) {
		return false
	}
	if c.objects[0x9F27][0]&0xC0 != 0x80 { // not asked to go online, or refused by the card itself
		return false
	}
	if v, ok := c.objects[0x5F34]; ok && (len(v) != 1 || hex.EncodeToString(v) != fmt.Sprintf("%02d", c.sequence)) {
		return false
	}
	return r.Sent.IsZero() || c.dated(r.Sent.In(h.cfg.Zone))
}

// dated says whether the card's date is the message's, or the day beside it: a
// payment may begin before midnight and be sent after it.
func (c *chip) dated(sent time.Time) bool {
	day := hex.EncodeToString(c.objects[0x9A])[2:] // a message's date has no year
	for _, d := range []int{-1, 0, 1} {
		if sent.AddDate(0, 0, d).Format("0102") == day {
			return true
		}
	}
	return false
}

// verify makes the cryptogram again from the issuer's key.
func (c *chip) verify(issuer cryptogram.Key, pan string) (bool, error) {
	var err error
	if c.key, err = cryptogram.CardKey(issuer, pan, c.sequence); err != nil {
		return false, err
	}
	data, err := c.profile.Input(func(tag uint32) []byte { return c.objects[apdu.Tag(tag)] })
	if err != nil {
		return false, nil // an object is missing
	}
	want, err := c.profile.AC(c.key, c.atc, data)
	return err == nil && want.Equal(c.arqc), err
}

// judgeChip gives "" if the card itself stands behind this payment, or the code.
// A forger learns nothing about the account, and costs it no PIN try.
func (h *Host) judgeChip(ctx context.Context, tx *sql.Tx, r *switchlink.Request, acc account) (*chip, string, error) {
	if len(r.ICC) == 0 {
		if h.cfg.RequireICC {
			return nil, codeUseChip, nil
		}
		return nil, "", nil
	}
	c, err := readChip(r.ICC, r.PSN)
	switch {
	case errors.Is(err, cryptogram.ErrIssuerData):
		return nil, codeChip, nil
	case err != nil:
		return nil, switchlink.CodeFormat, nil
	case !c.agrees(h, r):
		return nil, codeChip, nil
	}
	good, err := c.verify(h.cfg.Keys.Chip, r.PAN)
	if err != nil || !good {
		return c, codeChip, err
	}
	if c.genuine, err = h.rises(ctx, tx, r, acc, c); err != nil || !c.genuine {
		return c, codeChip, err
	}
	return c, "", nil
}

// rises wants a transaction counter above every one before. The one exception:
// after a wrong PIN a terminal may send the same cryptogram of the same sale
// with another PIN, because a contactless card is gone by then.
func (h *Host) rises(ctx context.Context, tx *sql.Tx, r *switchlink.Request, acc account, c *chip) (bool, error) {
	var last uint16
	var arqc []byte
	var sale, code string
	err := tx.QueryRowContext(ctx, `SELECT atc, cryptogram, sale, code FROM chips WHERE account = ? AND sequence = ?`,
		acc.hash, c.sequence).Scan(&last, &arqc, &sale, &code)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("chip: %w", err)
	case c.atc == last && bytes.Equal(arqc, c.arqc[:]) && sale == string(r.Sale) && code == switchlink.CodeWrongPIN:
		return true, nil
	}
	return c.atc > last, nil
}

// remembered notes a good cryptogram and what was answered to it.
func (c *chip) remembered(ctx context.Context, tx *sql.Tx, r *switchlink.Request, acc account, code string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO chips (account, sequence, atc, cryptogram, sale, code) VALUES (?,?,?,?,?,?)
		ON CONFLICT DO UPDATE SET atc = excluded.atc, cryptogram = excluded.cryptogram, sale = excluded.sale, code = excluded.code`,
		acc.hash, c.sequence, c.atc, c.arqc[:], string(r.Sale), code)
	if err != nil {
		return fmt.Errorf("chip: %w", err)
	}
	return nil
}

// saysPIN: by its verification results or the cardholder's method, the terminal
// had a PIN entered for the bank. EMV Book 3 annex C5 and C3.
func (c *chip) saysPIN() bool {
	method := c.objects[0x9F34]
	return c.objects[0x95][2]&0x04 != 0 || len(method) == 3 && method[0]&0x3F == 0x02
}

// saysDevice: by the card verification results in 9F10, which the cryptogram is
// over, a telephone has verified its owner (a PIN was verified without the bank,
// and did not fail).
func (c *chip) saysDevice() bool {
	issuer := c.objects[0x9F10]
	return len(issuer) > 4 && issuer[4]&0x06 == 0x04
}
