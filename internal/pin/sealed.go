package pin

import (
	"errors"
	"runtime"
)

// Scheme is how the key of a block is known to the host.
type Scheme uint8

const (
	TDESDUKPT     Scheme = iota // ANSI X9.24-1: KSN of 10 bytes
	AESDUKPT                    // ANSI X9.24-3: KSN of 12 bytes
	MasterSession               // a working key that the host has sent
)

var schemeNames = map[Scheme]string{TDESDUKPT: "dukpt", AESDUKPT: "aes-dukpt", MasterSession: "master-session"}

// String is the name that a configuration uses.
func (s Scheme) String() string { return schemeNames[s] }

// ErrScheme says that a name is no key scheme.
var ErrScheme = errors.New(`"dukpt", "aes-dukpt" or "master-session" is wanted`)

// MarshalText gives the name.
func (s Scheme) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads "dukpt", "aes-dukpt" or "master-session".
func (s *Scheme) UnmarshalText(text []byte) error {
	for known, name := range schemeNames {
		if name == string(text) {
			*s = known
			return nil
		}
	}
	return ErrScheme
}

// Sealed is one enciphered PIN on its way from the PIN pad to the host: the
// block and what names its key. It is one piece of memory that is handed on as a
// pointer, so that Wipe by whoever is last leaves no copy. Nobody may keep what
// Bytes gives past the message that it goes into.
type Sealed struct {
	Scheme Scheme
	Layout Format // of the block
	KSN    KSN    // TDESDUKPT
	AESKSN AESKSN // AESDUKPT

	n     int
	block [16]byte
}

// NewSealed makes room for a block, to be written through Bytes, so that the
// block is never anywhere else. ErrFormat for a format that is not known.
func NewSealed(s Scheme, f Format) (*Sealed, error) {
	if f.Size() == 0 {
		return nil, ErrFormat
	}
	return &Sealed{Scheme: s, Layout: f, n: f.Size()}, nil
}

// Bytes is the block itself, not a copy: 8 or 16 bytes, zeros after Wipe.
func (s *Sealed) Bytes() []byte { return s.block[:s.n] }

// Block is a copy of an 8-byte block, for messages with DE52; the caller zeroes
// it. It is all zeros for format 4, whose block does not fit into DE52.
func (s *Sealed) Block() (b Block) {
	if s.n == len(b) {
		copy(b[:], s.block[:])
	}
	return b
}

// Wipe overwrites the block. It may be called twice, and on nil.
func (s *Sealed) Wipe() {
	if s == nil {
		return
	}
	clear(s.block[:])
	runtime.KeepAlive(s)
}

// Wiped says that there is no block, or no more.
func (s *Sealed) Wiped() bool { return s == nil || s.block == [16]byte{} }
