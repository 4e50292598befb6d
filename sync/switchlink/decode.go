package switchlink

import (
	"bytes"
	"encoding/binary"
	"time"

	"buka/internal/entry"
	"buka/internal/pboc"
	"buka/internal/pin"
)

// kindOf finds the kind by MTI, processing code and network management code.
func (spec *Spec) kindOf(m *Message) (Kind, bool) {
	if len(m.MTI) != 4 || (m.MTI[3] != '0' && m.MTI[3] != '1') {
		return KindNone, false
	}
	first := m.MTI[:3] + "0"
	net := spec.getPart(m, partNet)
	for k, s := range spec.shapes {
		if s.mti == first && s.fits(m.Text(3), net) {
			return k, true
		}
	}
	return KindNone, false
}

// DecodeRequest reads a request. With an error the request holds as much as an
// answer needs, if its Kind is set.
func (spec *Spec) DecodeRequest(m *Message) (*Request, error) {
	r := &Request{Terminal: m.Text(41), Merchant: m.Text(42), Repeat: len(m.MTI) == 4 && m.MTI[3] == '1'}
	stan, ok := number(m.Text(11), 6)
	if !ok || len(r.Terminal) != 8 || len(r.Merchant) != 15 {
		return r, fieldErr("STAN, terminal or merchant")
	}
	r.STAN = stan
	kind, ok := spec.kindOf(m)
	if !ok {
		return r, fieldErr("MTI or processing code")
	}
	r.Kind = kind
	if r.Batch, ok = number(spec.getPart(m, partBatch), 6); !ok {
		return r, fieldErr("batch")
	}
	if t, err := time.Parse("0102150405", m.Text(7)); err == nil {
		r.Sent = t
	}
	if kind.carriesAmount() {
		amount, err := parseAmount(m.Text(4))
		if err != nil {
			return r, err
		}
		r.Amount = amount
	}
	if c, ok := m.Fields[49]; ok && string(c) != currencyCNY {
		return r, fieldErr("currency")
	}
	if err := decodeSale(m, r); err != nil {
		return r, err
	}
	if err := decodeLoad(m, r); err != nil {
		return r, err
	}
	if icc := m.Fields[55]; len(icc) > 0 {
		r.ICC = bytes.Clone(icc)
	}
	switch kind {
	case KindSignOn:
		r.Net = spec.getPart(m, partNet)
	case KindPay:
		return r, decodePayment(m, r)
	case KindReverse:
		r.Reason, r.RRN, r.Auth, r.EntryMode = m.Text(39), m.Text(37), m.Text(38), m.Text(22)
	case KindScript:
		r.RRN = m.Text(37)
		return r, spec.decodeOriginal(m, r)
	case KindSettle:
		return r, decodeTotals(m, r)
	case KindUpload:
		return r, spec.decodeUpload(m, r)
	}
	return r, nil
}

func decodeSale(m *Message, r *Request) error {
	t, err := parseTLV(m.Fields[59])
	if err != nil {
		return fieldErr("DE59")
	}
	r.Sale = entry.SaleID(t[tagSale])
	if err := checkSale(r.Sale); err != nil {
		return err
	}
	if r.Sale == "" && r.Kind.carriesAmount() && (r.Kind != KindUpload || r.Amount != 0) {
		return fieldErr("sale id")
	}
	if v := t[tagExchange]; len(v) == 4 {
		r.Exchange = binary.BigEndian.Uint32(v)
	}
	if r.Kind == KindRefund {
		return decodeRefund(m, t, r)
	}
	if r.Kind != KindPay {
		return nil
	}
	r.Card = entry.Card{Family: string(t[tagFamily]), Number: string(t[tagNumber])}
	if err := checkCard(r.Card); err != nil {
		return err
	}
	if len(t[tagSlot]) != 4 {
		return fieldErr("DE59")
	}
	r.Slot = entry.Slot(binary.BigEndian.Uint32(t[tagSlot]))
	return nil
}

// decodeRefund reads which payment it is about.
func decodeRefund(m *Message, t map[tag][]byte, r *Request) error {
	digits, err := pboc.DecodeBCD(t[tagOriginal])
	if err != nil || len(digits) != 12 {
		return fieldErr("original payment")
	}
	r.OrigBatch, _ = number(digits[:6], 6)
	r.OrigSTAN, _ = number(digits[6:], 6)
	if r.RRN = m.Text(37); r.OrigSTAN == 0 {
		return fieldErr("original payment")
	}
	return nil
}

func decodeLoad(m *Message, r *Request) (err error) {
	if !r.Kind.carriesLoad() {
		return nil
	}
	t, err := parseTLV(m.Fields[58])
	if err != nil {
		return fieldErr("DE58")
	}
	if r.Attempt, err = getAttempt(t[tagAttempt]); err != nil {
		return err
	}
	if r.Attempt.Amount != r.Amount {
		return fieldErr("amount: DE4 and DE58 differ")
	}
	switch r.Kind {
	case KindVerifyCounter:
		r.Probe, err = getAttempt(t[tagProbe])
		return err
	case KindVerifyTAC:
		if len(t[tagTAC]) == 0 || len(t[tagTAC]) > 8 || len(t[tagAsked]) != 4 {
			return fieldErr("proof")
		}
		r.Proof = entry.Proof{Asked: entry.Slot(binary.BigEndian.Uint32(t[tagAsked])), TAC: hexOf(t[tagTAC])}
	case KindConfirm:
		if len(t[tagTAC]) > 8 || len(t[tagBy]) > 16 {
			return fieldErr("TAC")
		}
		r.Proof.TAC, r.By = hexOf(t[tagTAC]), string(t[tagBy])
	}
	return nil
}

func decodePayment(m *Message, r *Request) error {
	r.PAN, r.Expiry, r.Track2 = m.Text(2), m.Text(14), m.Text(35)
	r.EntryMode, r.PSN = m.Text(22), m.Text(23)
	if err := pin.CheckPAN(r.PAN); err != nil {
		return fieldErr("PAN")
	}
	return decodePIN(m, r)
}

// DecodeResponse reads the answer to r. Every identifier that is there must be
// the request's, and on an approval all must be there; otherwise the answer
// counts as none.
func (spec *Spec) DecodeResponse(r *Request, m *Message) (Response, error) {
	a := Response{Code: m.Text(39), RRN: m.Text(37), Auth: m.Text(38)}
	s := spec.shapes[r.Kind]
	if len(a.Code) != 2 || m.MTI != answerMTI(s.mti) {
		return a, fieldErr("response code or MTI")
	}
	approved := Approved(a.Code) || a.Code == CodePartial
	for de, want := range spec.identifiers(r) {
		got, there := m.Fields[de]
		if de == 4 && a.Code == CodePartial {
			continue
		}
		if there && string(got) != want || !there && approved && want != "" {
			return a, fieldErr("echo of an identifier")
		}
	}
	var err error
	if icc := m.Fields[55]; len(icc) > 0 {
		a.ICC = bytes.Clone(icc)
	}
	if r.Kind == KindPay || r.Kind == KindQuery {
		if approved {
			if a.Amount, err = parseAmount(m.Text(4)); err != nil {
				return a, err
			}
		}
		return a, nil
	}
	switch {
	case r.Kind == KindSignOn && approved:
		return a, spec.decodeSignOn(m, &a)
	case r.Kind == KindSettle && approved:
		a.Balanced, err = decodeResult(m)
		return a, err
	case r.Kind == KindUpload && approved:
		return a, decodeDifferences(m, r, &a)
	}
	return a, decodeLoadAnswer(m, r, &a)
}

// identifiers are what an answer must repeat, by data element.
func (spec *Spec) identifiers(r *Request) map[int]string {
	ids := map[int]string{11: decimal(uint64(r.STAN), 6), 41: r.Terminal, 42: r.Merchant}
	if code := spec.shapes[r.Kind].codeOf(r); code != "" {
		ids[3] = code
	}
	if r.Kind.carriesAmount() {
		ids[4] = decimal(uint64(r.Amount), 12)
	}
	return ids
}

func (spec *Spec) decodeSignOn(m *Message, a *Response) error {
	batch, ok := number(spec.getPart(m, partBatch), 6)
	if !ok {
		return fieldErr("batch")
	}
	a.Batch, a.Keys = batch, m.Fields[62]
	t, err := parseTLV(m.Fields[59])
	if err != nil {
		return fieldErr("DE59")
	}
	stamp, err := stampOf(t[tagHostTime])
	if err != nil {
		return err
	}
	if a.At, err = time.Parse(stampLayout, string(stamp)); err != nil {
		return fieldErr("host time")
	}
	digits, err := pboc.DecodeBCD(t[tagLastSTAN])
	if err != nil {
		return fieldErr("last STAN")
	}
	a.LastSTAN, _ = number(digits, 6)
	return nil
}

func decodeLoadAnswer(m *Message, r *Request, a *Response) error {
	if !Approved(a.Code) {
		return nil
	}
	t, err := parseTLV(m.Fields[58])
	if err != nil {
		return fieldErr("DE58")
	}
	one := func(id tag, limit byte) (byte, error) {
		if v := t[id]; len(v) == 1 && v[0] <= limit {
			return v[0], nil
		}
		return 0, fieldErr("verdict")
	}
	switch r.Kind {
	case KindAuthorise:
		a.MAC2 = hexOf(t[tagMAC2])
		if len(a.MAC2) == 0 || len(a.MAC2) > 8 {
			return fieldErr("MAC2")
		}
		a.Stamp, err = stampOf(t[tagStamp])
		return err
	case KindVerifyTAC:
		v, err := one(tagOpinion, 2)
		a.Opinion = entry.Opinion(v)
		return err
	case KindVerifyCounter:
		mac1, err1 := one(tagOpinion, 2)
		fresh, err2 := one(tagFresh, 1)
		ledger, err3 := one(tagLedger, 2)
		if err1 != nil || err2 != nil || err3 != nil || len(t[tagSlot]) != 4 {
			return fieldErr("verdict on the counter")
		}
		a.Counter = entry.Counter{
			Value: entry.Slot(binary.BigEndian.Uint32(t[tagSlot])),
			MAC1:  entry.Opinion(mac1), Fresh: fresh == 1, Ledger: entry.Ledger(ledger),
		}
		if a.Counter.Value != r.Probe.Slot {
			return fieldErr("counter: not the one that was asked about")
		}
	}
	return nil
}
