package switchlink

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/internal/pboc"
)

// MaxSTAN is the largest STAN and the largest batch number: six digits.
const MaxSTAN = 999_999

// fieldErr says which part of a message is wrong, never what it holds.
func fieldErr(what string) error { return fmt.Errorf("%w: bad %s", ErrMessage, what) }

func decimal(v uint64, width int) string { return fmt.Sprintf("%0*d", width, v) }

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func number(s string, width int) (uint32, bool) {
	if len(s) != width || !isDigits(s) {
		return 0, false
	}
	v, err := strconv.ParseUint(s, 10, 32)
	return uint32(v), err == nil
}

func amountText(a money.Fen) (string, error) {
	if a < 0 || a > money.Max {
		return "", fieldErr("amount")
	}
	return decimal(uint64(a), 12), nil
}

func parseAmount(s string) (money.Fen, error) {
	if len(s) != 12 || !isDigits(s) {
		return 0, fieldErr("amount")
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || money.Fen(v) > money.Max {
		return 0, fieldErr("amount")
	}
	return money.Fen(v), nil
}

func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

func bcd(digits string) []byte {
	b, err := pboc.EncodeBCD(digits)
	if err != nil {
		return nil
	}
	return b
}

// checkSale wants up to 16 letters and digits: a sale id, or none.
func checkSale(id entry.SaleID) error {
	if len(id) > 16 {
		return fieldErr("sale id")
	}
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return fieldErr("sale id")
		}
	}
	return nil
}

// checkCard wants a family of letters and digits and a number of digits.
func checkCard(c entry.Card) error {
	if len(c.Family) == 0 || len(c.Family) > 16 || len(c.Number) == 0 || len(c.Number) > 20 || !isDigits(c.Number) {
		return fieldErr("transit card")
	}
	for _, r := range c.Family {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return fieldErr("transit card family")
		}
	}
	return nil
}

// putAttempt writes what an authority needs about one try to fill a slot.
func putAttempt(out *tlv, id tag, a entry.Attempt) error {
	if err := checkCard(a.Card); err != nil {
		return err
	}
	if a.OldBalance < math.MinInt32 || a.OldBalance > money.Max || a.Amount < 0 || a.Amount > money.Max {
		return fieldErr("amount of the attempt")
	}
	if a.STAN > MaxSTAN || len(a.Terminal) > 16 || len(a.Random) > 16 || len(a.MAC1) > 8 {
		return fieldErr("attempt")
	}
	var t tlv
	t.put(tagFamily, []byte(a.Card.Family))
	t.put(tagNumber, []byte(a.Card.Number))
	t.put(tagSlot, be32(uint32(a.Slot)))
	t.put(tagOldBalance, be32(uint32(int32(a.OldBalance))))
	t.put(tagAmount, be32(uint32(a.Amount)))
	t.put(tagTerminal, a.Terminal)
	t.put(tagKeyVersion, []byte{a.KeyVersion})
	t.put(tagAlgorithm, []byte{a.Algorithm})
	t.put(tagRandom, a.Random)
	t.put(tagMAC1, a.MAC1)
	if a.At != "" {
		if len(a.At) != 14 || !isDigits(string(a.At)) {
			return fieldErr("stamp")
		}
		t.put(tagStamp, bcd(string(a.At)))
	}
	t.put(tagLoadSTAN, bcd(decimal(uint64(a.STAN), 6)))
	out.put(id, t)
	return nil
}

func getAttempt(data []byte) (a entry.Attempt, err error) {
	t, err := parseTLV(data)
	if err != nil {
		return a, fieldErr("attempt")
	}
	a.Card = entry.Card{Family: string(t[tagFamily]), Number: string(t[tagNumber])}
	if err := checkCard(a.Card); err != nil {
		return a, err
	}
	sized := map[tag]int{tagSlot: 4, tagOldBalance: 4, tagAmount: 4, tagKeyVersion: 1, tagAlgorithm: 1, tagLoadSTAN: 3}
	for id, n := range sized {
		if len(t[id]) != n {
			return a, fieldErr("attempt")
		}
	}
	a.Slot = entry.Slot(binary.BigEndian.Uint32(t[tagSlot]))
	a.OldBalance = money.Fen(int32(binary.BigEndian.Uint32(t[tagOldBalance])))
	a.Amount = money.Fen(binary.BigEndian.Uint32(t[tagAmount]))
	a.KeyVersion, a.Algorithm = t[tagKeyVersion][0], t[tagAlgorithm][0]
	a.Terminal, a.Random, a.MAC1 = hexOf(t[tagTerminal]), hexOf(t[tagRandom]), hexOf(t[tagMAC1])
	if a.Amount > money.Max || a.OldBalance > money.Max || len(a.Terminal) > 16 || len(a.Random) > 16 || len(a.MAC1) > 8 {
		return a, fieldErr("attempt")
	}
	if at, ok := t[tagStamp]; ok {
		if a.At, err = stampOf(at); err != nil {
			return a, err
		}
	}
	digits, err := pboc.DecodeBCD(t[tagLoadSTAN])
	if err != nil {
		return a, fieldErr("STAN of the authorisation")
	}
	a.STAN, _ = number(digits, 6)
	return a, nil
}

func hexOf(b []byte) entry.Hex {
	if len(b) == 0 {
		return nil
	}
	return append(entry.Hex(nil), b...)
}

func stampOf(b []byte) (entry.Stamp, error) {
	digits, err := pboc.DecodeBCD(b)
	if err != nil || len(digits) != 14 {
		return "", fieldErr("stamp")
	}
	return entry.Stamp(digits), nil
}
