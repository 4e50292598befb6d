package store

import (
	"encoding/binary"

	"buka/internal/entry"
)

// anchor says where the entries of a journal go on from its archives: the last
// archived entry, and whose journal it was in which epoch. The first entry that
// is left carries the same hash, so a wrong anchor shows at once.
type anchor struct {
	Seq   uint64     `cbor:"1,keyasint"`
	Hash  entry.Hash `cbor:"2,keyasint"`
	Kiosk string     `cbor:"3,keyasint"`
	Epoch entry.Hex  `cbor:"4,keyasint"` // in force at Seq; 16 bytes
}

func (a anchor) point() point { return point{a.Seq, a.Hash} }

// archivedError: what was asked for is not here, but in an archive.
type archivedError struct{ upTo anchor }

func (archivedError) Error() string { return "the entry is archived" }

func parseAnchor(b []byte) (a anchor, err error) {
	if err := entry.Unmarshal(b, &a); err != nil || a.Seq == 0 || len(a.Epoch) != 16 || a.Kiosk == "" {
		return anchor{}, damaged(0, "the anchor, the mark of the last archived entry, is wrong")
	}
	return a, nil
}

// anchor of the journal; zero if nothing is archived.
func (v view) anchor() (a anchor, err error) {
	marks, err := v.bucket(bucketMarks)
	if err != nil {
		return a, err
	}
	b, err := marks.get(keyAnchor)
	if err != nil || b == nil {
		return a, err
	}
	return parseAnchor(b)
}

// origin is whose journal this is, and its epoch.
type origin struct {
	kiosk    string
	epoch    [16]byte
	restored uint64    // number of the last entry `restored` that is here; 0: none
	was      entry.Hex // the epoch before that
}

// origin is what the first entry, or the anchor, and the last restore say.
func (v view) origin() (o origin, err error) {
	a, err := v.anchor()
	if err != nil {
		return o, err
	}
	if a.Seq > 0 {
		o.kiosk, o.epoch = a.Kiosk, [16]byte(a.Epoch)
	} else if o, err = v.first(); err != nil {
		return o, err
	}
	marks, err := v.bucket(bucketMarks)
	if err != nil {
		return o, err
	}
	b, err := marks.get(keyEpoch)
	if err != nil || b == nil {
		return o, err
	}
	if len(b) != 8 {
		return o, damaged(0, "the mark of the epoch is wrong")
	}
	if seq := binary.BigEndian.Uint64(b); seq > a.Seq {
		return v.restoredAt(seq, o)
	}
	return o, nil
}

func (v view) restoredAt(seq uint64, o origin) (origin, error) {
	raw, err := v.get(seq)
	if err != nil {
		return o, err
	}
	e, _, err := entry.Open(raw)
	if err != nil {
		return o, damaged(seq, "its bytes are not an entry: %w", err)
	}
	r, ok := asRestored(e)
	if !ok || e.Seq != seq {
		return o, damaged(seq, "the mark of the epoch names it, but it is no %s", entry.KRestored)
	}
	o.epoch, o.restored, o.was = [16]byte(r.Epoch), seq, r.Was
	return o, nil
}

func asRestored(e entry.Entry) (entry.Restored, bool) {
	if e.Kind != entry.KRestored {
		return entry.Restored{}, false
	}
	body, err := e.Body()
	r, ok := body.(entry.Restored)
	return r, err == nil && ok && len(r.Epoch) == 16
}

// first reads the entry that every journal begins with.
func (v view) first() (o origin, err error) {
	found := false
	err = v.each(1, func(e entry.Entry, _ []byte) error {
		if o, err = begunBy(e); err != nil {
			return err
		}
		found = true
		return errStop
	})
	if err == nil && !found {
		err = damaged(1, "the entry is missing")
	}
	return o, err
}

func begunBy(e entry.Entry) (o origin, err error) {
	body, err := e.Body()
	if err != nil {
		return o, damaged(1, "it cannot be read: %w", err)
	}
	begun, ok := body.(entry.EpochBegun)
	if !ok || len(begun.Epoch) != 16 {
		return o, damaged(1, "the journal does not begin with %s", entry.KEpochBegun)
	}
	o.kiosk, o.epoch = begun.Kiosk, [16]byte(begun.Epoch)
	return o, nil
}

// follow moves the origin past an entry.
func (o *origin) follow(e entry.Entry) error {
	if e.Seq == 1 {
		first, err := begunBy(e)
		*o = first
		return err
	}
	if e.Kind != entry.KRestored {
		return nil
	}
	r, ok := asRestored(e)
	if !ok {
		return damaged(e.Seq, "it cannot be read")
	}
	o.epoch, o.restored, o.was = [16]byte(r.Epoch), e.Seq, r.Was
	return nil
}
