package emv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"buka/cardio/apdu"
	"buka/internal/entry"
)

// Channel is one exclusive conversation with one card.
type Channel interface {
	Transmit(ctx context.Context, cmd []byte) ([]byte, error)
}

// Interface is how the card is reached.
type Interface uint8

// Interfaces.
const (
	Contact Interface = iota
	Contactless
)

// Payment is a card dialogue up to the online authorisation, and what the host
// needs of it. The caller calls Zero when the payment is over.
type Payment struct {
	Card      *Card
	Interface Interface
	// PIN says that the PIN must be entered and sent to the host. If it is false
	// the card and the amount agree on none.
	PIN bool
	// More says that the card has the last word about an approval: Finish must
	// be called in the same session, before it is believed.
	More bool

	terminal  map[apdu.Tag][]byte
	card      map[apdu.Tag][]byte
	app       application
	profile   []byte // application interchange profile, 82
	pdol      []byte // as it was filled; CDA is over it
	cdol1     []byte
	static    bytes.Buffer // the records that offline authentication signs
	tvr       []byte       // 95
	tsi       []byte       // 9B
	cvm       []byte       // 9F34
	key       rsaKey       // the card's, for a combined signature
	wantedCDA bool
	ac        cryptogram
	scripts   []byte // DF31: what became of the issuer's
}

// cryptogram is what GENERATE AC or the one GPO gave.
type cryptogram struct {
	kind   byte // 9F27
	atc    []byte
	value  []byte // 9F26
	issuer []byte // 9F10
}

// Kinds of cryptograms, bits 8 and 7 of 9F27.
const (
	aac  byte = 0x00
	tc   byte = 0x40
	arqc byte = 0x80
)

// Bits of the application interchange profile.
var (
	aipSDA    = flag{0, 0x40}
	aipDDA    = flag{0, 0x20}
	aipCVM    = flag{0, 0x10}
	aipTRM    = flag{0, 0x08}
	aipIssuer = flag{0, 0x04}
	aipCDA    = flag{0, 0x01}
)

// Start goes with a card up to its request to be authorised online: application
// selection, GET PROCESSING OPTIONS, records, offline authentication, the
// cardholder's verification, and the cryptogram. The PIN itself is entered
// afterwards; the card is told that it will be, and if it is not, nothing must
// be sent. *Refusal: a card that is not taken. ErrAnswer: it made no sense. Any
// other error: it could not be read now. Nothing was paid in any of them.
func Start(ctx context.Context, ch Channel, t Terminal) (*Payment, error) {
	objects, err := t.objects()
	if err != nil {
		return nil, err
	}
	d, err := readDirectory(ctx, ch)
	if err != nil {
		return nil, err
	}
	if d.blocked {
		return nil, &Refusal{Reason: Blocked}
	}
	list, blocked, asked := d.candidates, d.closed, false
	for len(list) > 0 {
		i, again, err := d.pick(ctx, t, list, asked)
		if err != nil {
			return nil, err
		}
		if i < 0 {
			break
		}
		asked = asked || again
		p := &Payment{terminal: objects, card: map[apdu.Tag][]byte{}, app: list[i].app, Interface: d.over,
			tvr: make([]byte, allTVR), tsi: make([]byte, 2), cvm: []byte{0x3F, 0x00, 0x00}}
		err = p.start(ctx, ch, list[i], t)
		switch {
		case err == nil:
			return p, nil
		case errors.Is(err, &Refusal{Reason: Blocked}):
			blocked = true
		case errors.Is(err, errNext):
		default:
			p.Zero()
			return nil, err
		}
		p.Zero()
		list = slices.Delete(slices.Clone(list), i, i+1)
	}
	if blocked {
		return nil, &Refusal{Reason: Blocked}
	}
	return nil, whyNone(ctx, ch, d)
}

// errNext says that an application does not serve and the next may.
var errNext = errors.New("application not usable")

// start is one application.
func (p *Payment) start(ctx context.Context, ch Channel, c candidate, t Terminal) error {
	if err := p.selectApplication(ctx, ch, c); err != nil {
		return err
	}
	spans, err := p.processingOptions(ctx, ch)
	if err != nil {
		return err
	}
	for _, s := range spans {
		for n := int(s.first); n <= int(s.last); n++ {
			if err := p.readRecord(ctx, ch, s, byte(n)); err != nil {
				return err
			}
		}
	}
	card, err := p.identify()
	if err != nil {
		return err
	}
	p.Card = &card
	p.Card.AID, p.Card.Scheme = entry.Hex(c.aid), c.app.Scheme
	signed := bytes.Clone(p.tvr)
	if p.restrict(t) {
		return &Refusal{Reason: Expired}
	}
	if p.ac.value != nil { // one GPO was the whole dialogue
		p.tvr = signed
		return p.contactless(t)
	}
	if err := p.authenticate(ctx, ch, t); err != nil {
		return err
	}
	p.verifyHolder(t)
	p.manageRisk()
	if cvmFailed.in(p.tvr) && t.needsCVM() {
		p.generate(ctx, ch, aac)
		return &Refusal{Reason: NoPIN}
	}
	if meets(p.tvr, p.app.Denial, p.card[0x9F0E]) {
		p.generate(ctx, ch, aac) // its answer changes nothing: the card was to be refused
		return &Refusal{Reason: Declined}
	}
	return p.authorise(ctx, ch)
}

// authorise is the first GENERATE AC, which asks to go online (EMV Book 3 9).
func (p *Payment) authorise(ctx context.Context, ch Channel) error {
	if p.Interface == Contact && p.card[0x8D] == nil { // a mandatory object, EMV Book 3 7.2: the card could not be asked last
		return fmt.Errorf("%w: no list for the second cryptogram (8D)", ErrAnswer)
	}
	if err := p.generate(ctx, ch, arqc); err != nil {
		return err
	}
	if p.wantedCDA && cdaFailed.in(p.tvr) {
		return &Refusal{Reason: Declined}
	}
	switch p.ac.kind {
	case arqc:
		p.More = p.Interface == Contact
		return nil
	case aac:
		return &Refusal{Reason: Declined}
	}
	return fmt.Errorf("%w: cryptogram of kind %02X to a request to go online", ErrAnswer, p.ac.kind)
}

// selectApplication is SELECT of one candidate.
func (p *Payment) selectApplication(ctx context.Context, ch Channel, c candidate) error {
	r, err := apdu.Exchange(ctx, ch, c.command())
	if err != nil {
		return fmt.Errorf("select %X: %w", c.aid, err)
	}
	switch r.SW {
	case apdu.OK:
	case apdu.FileInvalidated, apdu.NotSupported:
		return &Refusal{Reason: Blocked}
	default:
		return errNext
	}
	name := c.aid
	if own, err := apdu.Find(r.Data, 0x6F, 0x84); err == nil && len(own) <= 16 && bytes.HasPrefix(own, c.aid) {
		name = bytes.Clone(own) // it was selected by the beginning of its name
	}
	p.terminal[0x84], p.terminal[0x9F06], p.terminal[0x9F09] = name, c.aid, p.app.Version
	own, err := apdu.Find(r.Data, 0x6F, 0xA5)
	if err != nil {
		return nil // a card without proprietary information has no PDOL
	}
	list, err := apdu.ParseTLVs(own)
	if err != nil {
		return nil
	}
	p.take(list)
	return nil
}

// processingOptions is GET PROCESSING OPTIONS with the filled PDOL.
func (p *Payment) processingOptions(ctx context.Context, ch Channel) ([]span, error) {
	wishes, err := apdu.ParseDOL(p.card[0x9F38])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	p.pdol = apdu.FillDOL(wishes, p.values())
	data, err := apdu.Encode(0x83, p.pdol)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	r, err := apdu.Exchange(ctx, ch, apdu.Command{CLA: 0x80, INS: 0xA8, Data: data, Ne: apdu.MaxNe})
	defer clear(r.Data)
	if err != nil {
		return nil, fmt.Errorf("get processing options: %w", err)
	}
	switch r.SW {
	case apdu.OK:
		return p.takeOptions(r.Data)
	case apdu.FileInvalidated:
		return nil, &Refusal{Reason: Blocked}
	case apdu.ReferenceInvalid:
		if p.Interface == Contactless { // kernel 3: another interface is wanted
			return nil, &Refusal{Reason: UseChip}
		}
	}
	return nil, errNext // 6985 by the book; others alike
}

// takeOptions reads the answer, format 1 (80: profile, locator) or 2 (77: data
// objects), which of a contactless card may hold the cryptogram as well.
func (p *Payment) takeOptions(b []byte) ([]span, error) {
	if v, err := apdu.Find(b, 0x80); err == nil {
		if len(v) < 2 {
			return nil, fmt.Errorf("%w: GPO answer of %d bytes", ErrAnswer, len(v))
		}
		p.profile = bytes.Clone(v[:2])
		return parseAFL(v[2:])
	}
	v, err := apdu.Find(b, 0x77)
	if err != nil {
		return nil, fmt.Errorf("%w: GPO: %w", ErrAnswer, err)
	}
	list, err := apdu.ParseTLVs(v)
	if err != nil {
		return nil, fmt.Errorf("%w: GPO: %w", ErrAnswer, err)
	}
	p.take(list)
	if p.profile = p.card[0x82]; len(p.profile) != 2 {
		return nil, fmt.Errorf("%w: GPO without an interchange profile", ErrAnswer)
	}
	if p.card[0x9F26] != nil {
		if err := p.takeCryptogram(); err != nil {
			return nil, err
		}
	}
	return parseAFL(p.card[0x94])
}

// readRecord reads one record and keeps it whole if it is signed (EMV Book 3
// 10.3): of files 1 to 10 the content of the template, of others the record.
func (p *Payment) readRecord(ctx context.Context, ch Channel, s span, n byte) error {
	r, err := apdu.Exchange(ctx, ch, apdu.ReadRecord(s.sfi, n, apdu.MaxNe))
	defer clear(r.Data)
	if err != nil {
		return fmt.Errorf("read record %d of file %d: %w", n, s.sfi, err)
	}
	if r.SW != apdu.OK {
		return fmt.Errorf("%w: record %d of file %d: %v", ErrAnswer, n, s.sfi, r.SW)
	}
	content, err := apdu.Find(r.Data, 0x70)
	if n < s.first+s.signed {
		switch {
		case s.sfi > 10:
			p.static.Write(r.Data)
		case err == nil:
			p.static.Write(content)
		}
	}
	if err != nil {
		return nil // it may serve a kind of authentication that we do not do
	}
	if list, err := apdu.ParseTLVs(content); err == nil {
		p.take(list)
	}
	return nil
}

// maxObjects bounds what is kept of a card.
const maxObjects = 128

// take keeps the first occurrence of each data object.
func (p *Payment) take(list []apdu.TLV) {
	for _, o := range list {
		if _, known := p.card[o.Tag]; known || len(p.card) >= maxObjects || o.Tag == 0x5F20 || o.Tag == 0x9F0B {
			continue // the holder's name is not kept
		}
		p.card[o.Tag] = bytes.Clone(o.Value)
	}
}

// values is what a data object list is filled from: the terminal's objects come
// first, a card cannot replace them.
func (p *Payment) values() map[apdu.Tag][]byte {
	all := make(map[apdu.Tag][]byte, len(p.terminal)+len(p.card)+4)
	for tag, v := range p.card {
		all[tag] = v
	}
	for tag, v := range p.terminal {
		all[tag] = v
	}
	all[0x95], all[0x9B], all[0x9F34], all[0x82] = p.tvr, p.tsi, p.cvm, p.profile
	return all
}

// identify takes card number, expiry, track 2 and sequence number.
func (p *Payment) identify() (Card, error) {
	var f fields
	defer f.zero()
	for tag, limit := range map[apdu.Tag]int{0x5A: 10, 0x57: 19, 0x5F24: 3, 0x5F34: 1} {
		f.keep(tag, p.card[tag], limit)
	}
	return f.card()
}

// Zero overwrites the card data.
func (p *Payment) Zero() {
	if p.Card != nil {
		p.Card.Zero()
	}
	for _, v := range p.card {
		clear(v)
	}
	clear(p.static.Bytes())
	p.static.Reset()
	p.card = nil
}

// Format prints the masked card number, in every form.
func (p Payment) Format(s fmt.State, _ rune) { io.WriteString(s, p.String()) }

// LogValue is the masked card number.
func (p Payment) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText gives the masked card number.
func (p Payment) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// MarshalBinary fails, so that a journal never takes one.
func (Payment) MarshalBinary() ([]byte, error) { return nil, ErrSecret }

func (p Payment) String() string {
	if p.Card == nil {
		return hidden
	}
	return p.Card.Masked()
}
