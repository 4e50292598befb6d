package switchlink

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/internal/pboc"
)

// Results of a settlement: the 31st digit of DE48, and the result of an upload.
const (
	resultNone      = '0' // in a request
	resultBalanced  = '1'
	resultDiffers   = '2'
	resultMalformed = '3' // the host could not count: it counts as no answer
)

func resultOf(balanced bool) byte {
	if balanced {
		return resultBalanced
	}
	return resultDiffers
}

// totalsDigits is the length of each of the two halves of DE48: payments n12 and
// their count n3, refunds n12 and their count n3, the result n1. The first half
// is domestic, the second foreign, which this house has none of.
const totalsDigits = 31

// mostCounted is what a count of three digits can hold. A batch with more says
// so in DE59 (DF0A), where both counts are whole.
const mostCounted = 999

// maxTotal is what n12 can hold.
const maxTotal = 999_999_999_999

func encodeTotals(m *Message, t entry.Totals, result byte) error {
	if t.Debit < 0 || t.Credit < 0 || t.Debit > maxTotal || t.Credit > maxTotal {
		return fieldErr("totals")
	}
	half := decimal(uint64(t.Debit), 12) + decimal(uint64(min(t.Debits, mostCounted)), 3) +
		decimal(uint64(t.Credit), 12) + decimal(uint64(min(t.Credits, mostCounted)), 3) + string(result)
	m.set(48, half+strings.Repeat("0", totalsDigits-1)+string(result))
	m.set(49, currencyCNY)
	return nil
}

// putCounts writes the whole counts where DE48 cannot.
func putCounts(out *tlv, t entry.Totals) {
	if t.Debits > mostCounted || t.Credits > mostCounted {
		out.put(tagCounts, append(be32(t.Debits), be32(t.Credits)...))
	}
}

func decodeTotals(m *Message, r *Request) error {
	text := m.Text(48)
	if len(text) != 2*totalsDigits || !isDigits(text) || strings.Trim(text[totalsDigits:2*totalsDigits-1], "0") != "" {
		return fieldErr("totals")
	}
	debit, err1 := strconv.ParseInt(text[:12], 10, 64)
	debits, err2 := strconv.ParseUint(text[12:15], 10, 32)
	credit, err3 := strconv.ParseInt(text[15:27], 10, 64)
	credits, err4 := strconv.ParseUint(text[27:30], 10, 32)
	t, err5 := parseTLV(m.Fields[59])
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil || err5 != nil {
		return fieldErr("totals")
	}
	r.Totals = entry.Totals{Debit: money.Fen(debit), Debits: uint32(debits), Credit: money.Fen(credit), Credits: uint32(credits)}
	v, whole := t[tagCounts]
	if !whole {
		return nil
	}
	if len(v) != 8 {
		return fieldErr("counts")
	}
	r.Totals.Debits, r.Totals.Credits = binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
	if min(r.Totals.Debits, mostCounted) != uint32(debits) || min(r.Totals.Credits, mostCounted) != uint32(credits) {
		return fieldErr("counts: DE48 and DE59 differ")
	}
	return nil
}

// decodeResult reads what the host made of the totals.
func decodeResult(m *Message) (balanced bool, err error) {
	text := m.Text(48)
	if len(text) != 2*totalsDigits {
		return false, fieldErr("result of the settlement")
	}
	switch text[totalsDigits-1] {
	case resultBalanced:
		return true, nil
	case resultDiffers:
		return false, nil
	}
	return false, fieldErr("result of the settlement")
}

// putUpload writes what DE59 of an upload has beside the sale.
func putUpload(t *tlv, r *Request) error {
	if r.Index == 0 {
		return fieldErr("index of the upload")
	}
	t.put(tagIndex, be32(r.Index))
	if r.page > 0 {
		t.put(tagPage, binary.BigEndian.AppendUint16(nil, uint16(r.page)))
	}
	return nil
}

func (spec *Spec) decodeUpload(m *Message, r *Request) error {
	s := spec.shapes[KindUpload]
	r.Credit, r.Last = m.Text(3) == s.credit, spec.getPart(m, partNet) == s.last
	t, err := parseTLV(m.Fields[59])
	if err != nil || len(t[tagIndex]) != 4 {
		return fieldErr("index of the upload")
	}
	if r.Index = binary.BigEndian.Uint32(t[tagIndex]); r.Index == 0 {
		return fieldErr("index of the upload")
	}
	if r.Sale == "" && !r.emptyEnd() {
		return fieldErr("sale id")
	}
	if v, ok := t[tagPage]; ok {
		if len(v) != 2 || binary.BigEndian.Uint16(v) >= maxPages {
			return fieldErr("page")
		}
		r.page = uint32(binary.BigEndian.Uint16(v))
	}
	return spec.decodeOriginal(m, r)
}

// putDifferences writes the page that was asked for, of the differences that the
// host found: how many pages there are and the result into DE59, the page into
// DE62.
func putDifferences(m *Message, t *tlv, r *Request, a Response) error {
	if !r.Last {
		return nil
	}
	pages := pagesOf(a.Differs)
	if pages > maxPages || a.Balanced && pages > 0 || r.page > 0 && r.page >= pages {
		return fieldErr("differences")
	}
	t.put(tagResult, []byte{resultOf(a.Balanced) - '0'})
	if pages == 0 {
		return nil
	}
	t.put(tagPage, binary.BigEndian.AppendUint16(nil, uint16(r.page)))
	t.put(tagPages, binary.BigEndian.AppendUint16(nil, uint16(pages)))
	rest := a.Differs[r.page*pageSize:]
	var out []byte
	for _, d := range rest[:min(pageSize, len(rest))] {
		if err := checkSale(d.Sale); err != nil {
			return err
		}
		if !fits32(d.Kiosk) || !fits32(d.Host) || d.STAN > MaxSTAN {
			return fieldErr("difference")
		}
		out = append(out, d.Sale...)
		out = append(out, bytes.Repeat([]byte{' '}, 16-len(d.Sale))...)
		out = append(out, bcd(decimal(uint64(d.STAN), 6))...)
		out = binary.BigEndian.AppendUint32(out, uint32(int32(d.Kiosk)))
		out = binary.BigEndian.AppendUint32(out, uint32(int32(d.Host)))
	}
	m.Fields[62] = out
	return nil
}

func fits32(a money.Fen) bool { return a >= math.MinInt32 && a <= math.MaxInt32 }

// decodeDifferences reads one page; the answer must be about the page that was
// asked for.
func decodeDifferences(m *Message, r *Request, a *Response) error {
	if !r.Last {
		return nil
	}
	t, err := parseTLV(m.Fields[59])
	if err != nil || len(t[tagResult]) != 1 {
		return fieldErr("result of the upload")
	}
	result := t[tagResult][0] + '0'
	if result != resultBalanced && result != resultDiffers {
		return fieldErr("result of the upload")
	}
	a.Balanced = result == resultBalanced
	data := m.Fields[62]
	if len(data)%differenceSize != 0 || len(data) > pageSize*differenceSize || a.Balanced && len(data) > 0 {
		return fieldErr("differences")
	}
	if len(data) == 0 {
		if r.page > 0 {
			return fieldErr("page")
		}
		return nil
	}
	if len(t[tagPage]) != 2 || len(t[tagPages]) != 2 {
		return fieldErr("page")
	}
	a.pages = uint32(binary.BigEndian.Uint16(t[tagPages]))
	if uint32(binary.BigEndian.Uint16(t[tagPage])) != r.page || r.page >= a.pages || a.pages > maxPages {
		return fieldErr("page")
	}
	for ; len(data) > 0; data = data[differenceSize:] {
		d := entry.Difference{Sale: entry.SaleID(strings.TrimRight(string(data[:16]), " "))}
		digits, err := pboc.DecodeBCD(data[16:19])
		if err != nil || checkSale(d.Sale) != nil {
			return fieldErr("difference")
		}
		d.STAN, _ = number(digits, 6)
		d.Kiosk = money.Fen(int32(binary.BigEndian.Uint32(data[19:])))
		d.Host = money.Fen(int32(binary.BigEndian.Uint32(data[23:])))
		a.Differs = append(a.Differs, d)
	}
	return nil
}
