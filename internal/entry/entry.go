// Package entry is the schema of the journal: what a kiosk writes down about
// money, and the chain that ties each entry to the one before it.
//
// An entry is announced before the act that it speaks of and is never changed
// afterwards. Its stored form is deterministic CBOR (RFC 8949 §4.2.1); its hash
// is SHA-256 over exactly those bytes, and the next entry carries it. The names
// of the kinds are a contract: scenarios cut the power at them.
//
// Nothing here may hold a PIN, a PIN block or an unmasked bank card number.
package entry

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Version of the stored form.
const Version = 1

// MaxBytes bounds one stored entry. A checkpoint is the largest kind.
const MaxBytes = 8 << 20

// Hash is SHA-256 over the stored bytes of an entry.
type Hash [32]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Entry is one line of the journal.
type Entry struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	Seq     uint64 // from 1, without holes within one store
	Prev    Hash   // hash of entry Seq-1; zero for the first
	AtMS    int64  // wall clock, milliseconds since 1970 UTC; informs, never orders
	Kind    Kind
	Raw     cbor.RawMessage // the body
}

// Time is the wall clock of the entry, in UTC.
func (e Entry) Time() time.Time { return time.UnixMilli(e.AtMS).UTC() }

// Body is what one kind of entry says.
type Body interface{ Kind() Kind }

// Errors that a reader of a journal must tell apart.
var (
	ErrUnknownKind = errors.New("entry of an unknown kind: this journal was written by a newer version")
	ErrMalformed   = errors.New("entry is damaged")
)

var (
	encMode = must(cbor.CoreDetEncOptions().EncMode())
	decMode = must(cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:  16,
		MaxArrayElements: 1 << 17,
		MaxMapPairs:      1 << 17,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // fixed options, checked by every test
	}
	return v
}

// Marshal encodes any value of the schema deterministically.
func Marshal(v any) ([]byte, error) { return encMode.Marshal(v) }

// Unmarshal is the bounded reverse of Marshal.
func Unmarshal(data []byte, v any) error {
	if len(data) > MaxBytes {
		return fmt.Errorf("%w: %d bytes", ErrMalformed, len(data))
	}
	if err := decMode.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

// Seal makes the entry that follows (seq-1, prev) and gives its stored bytes
// and hash.
func Seal(seq uint64, prev Hash, at time.Time, body Body) (Entry, []byte, Hash, error) {
	raw, err := Marshal(body)
	if err != nil {
		return Entry{}, nil, Hash{}, fmt.Errorf("encode %s: %w", body.Kind(), err)
	}
	e := Entry{Version: Version, Seq: seq, Prev: prev, AtMS: at.UnixMilli(), Kind: body.Kind(), Raw: raw}
	stored, err := Marshal(e)
	if err != nil {
		return Entry{}, nil, Hash{}, fmt.Errorf("encode entry %d: %w", seq, err)
	}
	if len(stored) > MaxBytes {
		return Entry{}, nil, Hash{}, fmt.Errorf("entry %d (%s) has %d bytes, more than %d", seq, e.Kind, len(stored), MaxBytes)
	}
	return e, stored, sha256.Sum256(stored), nil
}

// Open decodes stored bytes and gives the entry's hash. It does not look at
// the entry before: Follows does.
func Open(stored []byte) (Entry, Hash, error) {
	var e Entry
	if err := Unmarshal(stored, &e); err != nil {
		return Entry{}, Hash{}, err
	}
	if e.Version != Version {
		return Entry{}, Hash{}, fmt.Errorf("%w: version %d", ErrMalformed, e.Version)
	}
	return e, sha256.Sum256(stored), nil
}

// Follows says whether e may stand right after an entry with this number and
// hash; (0, zero) stands before the first.
func (e Entry) Follows(seq uint64, prev Hash) error {
	if e.Seq != seq+1 {
		return fmt.Errorf("entry %d stands where %d belongs: entries are missing or out of order", e.Seq, seq+1)
	}
	if e.Prev != prev {
		return fmt.Errorf("entry %d does not follow from entry %d: the chain is broken between them", e.Seq, seq)
	}
	return nil
}

// Body decodes what the entry says.
func (e Entry) Body() (Body, error) {
	fresh, ok := bodies[e.Kind]
	if !ok {
		return nil, fmt.Errorf("entry %d, kind %q: %w", e.Seq, e.Kind, ErrUnknownKind)
	}
	return fresh(e.Raw)
}
