package pboc

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"buka/cardio/apdu"
	"buka/cardio/purse"
	"buka/internal/entry"
	codec "buka/internal/pboc"
)

// Family is the PBOC purse as purse.Family. Safe for several readers at once.
type Family struct {
	config Config
	tries  tries
}

var _ purse.Family = (*Family)(nil)

// New checks the configuration.
func New(c Config) (*Family, error) {
	c, err := c.orDefault()
	if err != nil {
		return nil, err
	}
	return &Family{config: c}, nil
}

// Name is "pboc"; the cards' own family is that of the application selected,
// such as "tunion".
func (f *Family) Name() string { return "pboc" }

// Cards gives every value that entry.Card.Family takes from this family: Judge
// is theirs.
func (f *Family) Cards() []string {
	var list []string
	for _, app := range f.config.Applications {
		if !slices.Contains(list, app.Family) {
			list = append(list, app.Family)
		}
	}
	return list
}

var ppse = []byte("2PAY.SYS.DDF01")

// candidate is a name to select, and what to expect behind it.
type candidate struct {
	aid []byte
	app Application
}

// Open selects the purse application: what the PPSE lists first, then the list
// of names, each as a prefix that brings the card's default instance.
func (f *Family) Open(ctx context.Context, ch purse.Channel) (purse.Purse, error) {
	candidates, err := f.candidates(ctx, ch)
	if err != nil {
		return nil, err
	}
	locked := false
	for _, c := range candidates {
		r, err := apdu.Exchange(ctx, ch, apdu.SelectByName(c.aid))
		if err != nil {
			return nil, fmt.Errorf("select %X: %w", c.aid, err)
		}
		switch r.SW {
		case apdu.OK:
			return f.identify(ctx, ch, c, r.Data, false)
		case apdu.FileInvalidated:
			return f.identify(ctx, ch, c, r.Data, true)
		case apdu.NotSupported, apdu.PermanentlyLocked: // card or application locked
			locked = true
		}
	}
	if locked {
		return nil, &purse.Refusal{Reason: purse.Blocked, SW: apdu.NotSupported}
	}
	return nil, purse.ErrNotThisFamily
}

func (f *Family) candidates(ctx context.Context, ch purse.Channel) ([]candidate, error) {
	r, err := apdu.Exchange(ctx, ch, apdu.SelectByName(ppse))
	if err != nil {
		return nil, fmt.Errorf("select PPSE: %w", err)
	}
	var list []candidate
	add := func(aid []byte, app Application) {
		known := slices.ContainsFunc(list, func(c candidate) bool { return bytes.Equal(c.aid, aid) })
		if !known && len(list) < maxCandidates {
			list = append(list, candidate{aid, app})
		}
	}
	if r.SW == apdu.OK || r.SW == apdu.FileInvalidated {
		for _, aid := range listed(r.Data) {
			for _, app := range f.config.Applications {
				if bytes.HasPrefix(aid, app.AID) {
					add(aid, app)
					break
				}
			}
		}
	}
	for _, app := range f.config.Applications {
		add(app.AID, app)
	}
	return list, nil
}

// identify reads EF15, from the SELECT answer if it is there.
func (f *Family) identify(ctx context.Context, ch purse.Channel, c candidate, fci []byte, blocked bool) (purse.Purse, error) {
	ef15, ok := infoOf(fci)
	if !ok {
		r, err := apdu.Exchange(ctx, ch, apdu.ReadBinary(0x15, 0, codec.InfoSize))
		switch {
		case err != nil:
			return nil, fmt.Errorf("read EF15: %w", err)
		case r.SW != apdu.OK && blocked:
			return nil, &purse.Refusal{Reason: purse.Blocked, SW: r.SW}
		case r.SW != apdu.OK:
			return nil, purse.Failed("read EF15", r.SW)
		}
		if ef15, err = codec.ParseInfo(r.Data); err != nil {
			return nil, fmt.Errorf("%w: %w", purse.ErrAnswer, err)
		}
	}
	if ef15.Type == codec.PassbookOnly {
		return nil, &purse.Refusal{Reason: purse.UnknownKind}
	}
	return &card{family: f, ch: ch, app: c.app, info: purse.Info{
		Card:        entry.Card{Family: c.app.Family, Number: ef15.ASN.Number()},
		AID:         slices.Clone(entry.Hex(c.aid)),
		Issuer:      slices.Clone(entry.Hex(ef15.Issuer[:])),
		City:        ef15.City(),
		Type:        uint8(ef15.Type),
		Class:       ef15.Issuer[0],
		Start:       dateOf(ef15.Start),
		Expiry:      dateOf(ef15.Expiry),
		Blocked:     blocked,
		KnownIssuer: f.config.serves(ef15.City()),
		Limit:       f.config.Limit,
	}}, nil
}
