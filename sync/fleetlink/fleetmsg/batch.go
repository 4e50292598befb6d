package fleetmsg

import (
	"errors"

	"buka/internal/entry"
)

// Batch is a stretch of one kiosk's journal, or, without entries, the question
// how far the host is.
type Batch struct {
	Version uint8      `cbor:"1,keyasint"`
	Kiosk   string     `cbor:"2,keyasint"`
	Epoch   entry.Hex  `cbor:"3,keyasint"` // 16 bytes
	First   uint64     `cbor:"4,keyasint"` // number of the first entry
	Prev    entry.Hash `cbor:"5,keyasint"` // hash of entry First-1; zero for First 1
	Entries [][]byte   `cbor:"6,keyasint"` // stored bytes, as the journal has them
}

// Opened is an entry of a batch whose place in the chain has been verified.
type Opened struct {
	Entry  entry.Entry
	Hash   entry.Hash
	Stored []byte
}

// ErrBroken says that the entries of a batch do not follow from one another.
var ErrBroken = errors.New("the chain inside the batch is broken")

// Encode gives the bytes of the batch.
func (b Batch) Encode() ([]byte, error) {
	b.Version = Version
	return entry.Marshal(b)
}

// DecodeBatch reads a batch and verifies what can be verified without the
// entries before it: bounds, framing, and that each entry follows from the one
// before. A damaged frame is ErrMalformed, a chain that does not hold ErrBroken.
func DecodeBatch(data []byte) (Batch, []Opened, error) {
	if len(data) > MaxPayload {
		return Batch{}, nil, malformed("%d bytes", len(data))
	}
	var b Batch
	if err := entry.Unmarshal(data, &b); err != nil {
		return Batch{}, nil, malformed("%v", err)
	}
	if err := b.check(); err != nil {
		return Batch{}, nil, err
	}
	opened, err := Chain(b.First, b.Prev, b.Entries)
	if err != nil {
		return Batch{}, nil, err
	}
	return b, opened, nil
}

func (b Batch) check() error {
	switch {
	case b.Version != Version:
		return malformed("version %d, this end speaks %d", b.Version, Version)
	case len(b.Epoch) != EpochBytes:
		return malformed("an epoch of %d bytes", len(b.Epoch))
	case b.First == 0 || b.First > 1<<62:
		return malformed("a batch that begins at entry %d", b.First)
	case b.First == 1 && b.Prev != entry.Hash{}:
		return malformed("an entry before the first")
	case len(b.Entries) > MaxEntries:
		return malformed("%d entries, more than %d", len(b.Entries), MaxEntries)
	}
	return CheckKiosk(b.Kiosk)
}

// Chain opens stored entries and verifies that they stand in a row, from
// number first on, after an entry with hash prev.
func Chain(first uint64, prev entry.Hash, stored [][]byte) ([]Opened, error) {
	opened := make([]Opened, 0, len(stored))
	seq := first - 1
	for _, raw := range stored {
		e, hash, err := entry.Open(raw)
		if err != nil {
			return nil, malformed("entry %d: %v", seq+1, err)
		}
		if err := e.Follows(seq, prev); err != nil {
			return nil, errors.Join(ErrBroken, err)
		}
		opened = append(opened, Opened{Entry: e, Hash: hash, Stored: raw})
		seq, prev = e.Seq, hash
	}
	return opened, nil
}
