package switchlink

import (
	"bytes"
	"strings"
	"time"

	"buka/internal/pin"
)

// currencyCNY is ISO 4217.
const currencyCNY = "156"

// EncodeRequest makes the message of a request. The caller zeroes both.
func (spec *Spec) EncodeRequest(r *Request) (*Message, error) {
	s, ok := spec.shapes[r.Kind]
	if !ok {
		return nil, fieldErr("kind")
	}
	if r.STAN > MaxSTAN || r.Batch > MaxSTAN || len(r.Terminal) != 8 || len(r.Merchant) != 15 {
		return nil, fieldErr("STAN, batch, terminal or merchant")
	}
	m := spec.newMessage(s.mti)
	if r.Repeat {
		m.MTI = s.again
	}
	m.set(11, decimal(uint64(r.STAN), 6))
	m.set(41, r.Terminal)
	m.set(42, r.Merchant)
	values := map[string]string{partType: s.kind, partBatch: decimal(uint64(r.Batch), 6), partNet: s.netOf(r)}
	if o := r.Kind.original(); o != KindNone {
		values[partOriginal], values[partMTI] = decimal(uint64(r.originalSTAN()), 6), spec.MTI(o)
	}
	if err := spec.putParts(m, values); err != nil {
		return nil, err
	}
	spec.putClock(m, r.Sent)
	if s.code != "" {
		m.set(3, s.codeOf(r))
		m.set(25, s.cond)
	}
	if r.Kind.carriesAmount() {
		amount, err := amountText(r.Amount)
		if err != nil {
			return nil, err
		}
		m.set(4, amount)
		m.set(49, currencyCNY)
	}
	if err := encodeSale(m, r); err != nil {
		return nil, err
	}
	if err := encodeLoad(m, r); err != nil {
		return nil, err
	}
	if err := putICC(m, r.ICC); err != nil {
		return nil, err
	}
	switch r.Kind {
	case KindPay:
		return m, encodePayment(m, r)
	case KindReverse:
		return m, encodeReversal(m, r)
	case KindRefund, KindScript:
		if r.RRN != "" {
			m.set(37, r.RRN)
		}
	case KindSettle:
		return m, encodeTotals(m, r.Totals, resultNone)
	}
	return m, nil
}

// maxICC bounds DE55, in bytes.
const maxICC = 255

// putICC writes DE55 as it is: the order of its objects is kept.
func putICC(m *Message, icc []byte) error {
	if len(icc) > maxICC {
		return fieldErr("ICC data")
	}
	if len(icc) > 0 {
		m.Fields[55] = bytes.Clone(icc)
	}
	return nil
}

// encodeSale writes DE59.
func encodeSale(m *Message, r *Request) error {
	if err := checkSale(r.Sale); err != nil {
		return err
	}
	var t tlv
	if r.Kind.carriesAmount() {
		if r.Sale == "" && !r.emptyEnd() {
			return fieldErr("sale id")
		}
		if r.Sale != "" {
			t.put(tagSale, []byte(r.Sale))
		}
	}
	if r.Kind == KindPay {
		if err := checkCard(r.Card); err != nil {
			return err
		}
		t.put(tagFamily, []byte(r.Card.Family))
		t.put(tagNumber, []byte(r.Card.Number))
		t.put(tagSlot, be32(uint32(r.Slot)))
		if err := putPINKey(&t, r.PIN); err != nil {
			return err
		}
	}
	switch r.Kind {
	case KindRefund:
		if r.OrigSTAN == 0 || r.OrigSTAN > MaxSTAN || r.OrigBatch > MaxSTAN {
			return fieldErr("original payment")
		}
		t.put(tagOriginal, bcd(decimal(uint64(r.OrigBatch), 6)+decimal(uint64(r.OrigSTAN), 6)))
	case KindUpload, KindScript:
		if r.OrigSTAN == 0 || r.OrigSTAN > MaxSTAN {
			return fieldErr("original payment")
		}
		if r.Kind == KindUpload {
			if err := putUpload(&t, r); err != nil {
				return err
			}
		}
	case KindSettle:
		putCounts(&t, r.Totals)
	}
	if r.Exchange != 0 {
		t.put(tagExchange, be32(r.Exchange))
	}
	if len(t) > 0 {
		m.Fields[59] = t
	}
	return nil
}

// encodeLoad writes DE58.
func encodeLoad(m *Message, r *Request) error {
	if !r.Kind.carriesLoad() {
		return nil
	}
	var t tlv
	if err := putAttempt(&t, tagAttempt, r.Attempt); err != nil {
		return err
	}
	switch r.Kind {
	case KindVerifyCounter:
		if err := putAttempt(&t, tagProbe, r.Probe); err != nil {
			return err
		}
	case KindVerifyTAC:
		if len(r.Proof.TAC) == 0 || len(r.Proof.TAC) > 8 {
			return fieldErr("TAC")
		}
		t.put(tagTAC, r.Proof.TAC)
		t.put(tagAsked, be32(uint32(r.Proof.Asked)))
	case KindConfirm:
		if len(r.By) > 16 || len(r.Proof.TAC) > 8 {
			return fieldErr("TAC")
		}
		if len(r.Proof.TAC) > 0 {
			t.put(tagTAC, r.Proof.TAC)
		}
		t.put(tagBy, []byte(r.By))
	}
	m.Fields[58] = t
	return nil
}

func encodePayment(m *Message, r *Request) error {
	if err := pin.CheckPAN(r.PAN); err != nil {
		return fieldErr("PAN")
	}
	m.set(2, r.PAN)
	if r.Expiry != "" {
		m.set(14, r.Expiry)
	}
	m.set(22, r.EntryMode)
	if r.PSN != "" {
		if len(r.PSN) > 3 {
			return fieldErr("card sequence number")
		}
		m.set(23, strings.Repeat("0", 3-len(r.PSN))+r.PSN)
	}
	if r.Track2 != "" {
		m.set(35, r.Track2)
	}
	return encodePIN(m, r.PIN)
}

// encodeReversal repeats the payment's identifiers; PAN, track 2 and PIN block
// stay out.
func encodeReversal(m *Message, r *Request) error {
	if len(r.Reason) != 2 {
		return fieldErr("reason")
	}
	m.set(39, r.Reason)
	if r.EntryMode != "" {
		m.set(22, r.EntryMode)
	}
	if r.RRN != "" {
		m.set(37, r.RRN)
	}
	if r.Auth != "" {
		m.set(38, r.Auth)
	}
	return nil
}

// EncodeResponse makes the message that answers r.
func (spec *Spec) EncodeResponse(r *Request, a Response) (*Message, error) {
	s, ok := spec.shapes[r.Kind]
	if !ok || len(a.Code) != 2 {
		return nil, fieldErr("response code")
	}
	m := spec.newMessage(answerMTI(s.mti))
	if s.code != "" {
		m.set(3, s.codeOf(r))
		m.set(25, s.cond)
	}
	if r.Kind.carriesAmount() {
		shown := r.Amount
		if (r.Kind == KindPay || r.Kind == KindQuery) && a.Code == CodePartial {
			shown = a.Amount
		}
		amount, err := amountText(shown)
		if err != nil {
			return nil, err
		}
		m.set(4, amount)
		m.set(49, currencyCNY)
	}
	m.set(11, decimal(uint64(r.STAN), 6))
	m.set(12, a.At.In(zoneHost).Format("150405"))
	m.set(13, a.At.In(zoneHost).Format("0102"))
	m.set(39, a.Code)
	m.set(41, r.Terminal)
	m.set(42, r.Merchant)
	if a.RRN != "" {
		m.set(37, a.RRN)
	}
	if a.Auth != "" {
		m.set(38, a.Auth)
	}
	batch := r.Batch
	var t tlv
	if r.Kind == KindSignOn {
		batch = a.Batch
		t.put(tagHostTime, bcd(a.At.UTC().Format(stampLayout)))
		t.put(tagLastSTAN, bcd(decimal(uint64(a.LastSTAN), 6)))
		if len(a.Keys) > 0 {
			m.Fields[62] = append([]byte(nil), a.Keys...)
		}
	}
	values := map[string]string{partType: s.kind, partBatch: decimal(uint64(batch), 6), partNet: s.netOf(r)}
	if err := spec.putParts(m, values); err != nil {
		return nil, err
	}
	if r.Exchange != 0 {
		t.put(tagExchange, be32(r.Exchange))
	}
	if r.Kind == KindUpload && Approved(a.Code) {
		if err := putDifferences(m, &t, r, a); err != nil {
			return nil, err
		}
	}
	if len(t) > 0 {
		m.Fields[59] = t
	}
	if r.Kind == KindSettle && Approved(a.Code) {
		if err := encodeTotals(m, r.Totals, resultOf(a.Balanced)); err != nil {
			return nil, err
		}
	}
	if err := putICC(m, a.ICC); err != nil {
		return nil, err
	}
	if spec.clock {
		sent := r.Sent
		if sent.IsZero() {
			sent = a.At
		}
		m.set(7, sent.UTC().Format("0102150405"))
	}
	encodeLoadAnswer(m, r.Kind, a)
	return m, nil
}

func encodeLoadAnswer(m *Message, k Kind, a Response) {
	var t tlv
	switch k {
	case KindAuthorise:
		if a.Code == CodeApproved {
			t.put(tagMAC2, a.MAC2)
			t.put(tagStamp, bcd(string(a.Stamp)))
		}
	case KindVerifyTAC:
		t.put(tagOpinion, []byte{byte(a.Opinion)})
	case KindVerifyCounter:
		fresh := byte(0)
		if a.Counter.Fresh {
			fresh = 1
		}
		t.put(tagSlot, be32(uint32(a.Counter.Value)))
		t.put(tagOpinion, []byte{byte(a.Counter.MAC1)})
		t.put(tagFresh, []byte{fresh})
		t.put(tagLedger, []byte{byte(a.Counter.Ledger)})
	}
	if len(t) > 0 {
		m.Fields[58] = t
	}
}

// stampLayout is YYYYMMDDHHMMSS.
const stampLayout = "20060102150405"

// zoneHost is where DE12 and DE13 are local: China Standard Time.
var zoneHost = time.FixedZone("CST", 8*3600)
