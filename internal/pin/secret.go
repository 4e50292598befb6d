package pin

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// ErrSecret answers every attempt to marshal a secret to binary.
var ErrSecret = errors.New("pin: a PIN, PIN block or key must not be stored or sent in this form")

const (
	hiddenPIN   = "[pin]"
	hiddenBlock = "[pin block]"
	hiddenKey   = "[key]"
)

// One group per type: fmt, slog, text and binary marshalling. MarshalText gives
// the word rather than an error, so that a state page that holds a secret by
// mistake still renders; MarshalBinary fails, so that a journal never takes one.

func (PIN) String() string               { return hiddenPIN }
func (PIN) GoString() string             { return hiddenPIN }
func (PIN) Format(s fmt.State, _ rune)   { io.WriteString(s, hiddenPIN) }
func (PIN) LogValue() slog.Value         { return slog.StringValue(hiddenPIN) }
func (PIN) MarshalText() ([]byte, error) { return []byte(hiddenPIN), nil }
func (PIN) MarshalBinary() ([]byte, error) {
	return nil, ErrSecret
}

func (ClearBlock) String() string               { return hiddenBlock }
func (ClearBlock) GoString() string             { return hiddenBlock }
func (ClearBlock) Format(s fmt.State, _ rune)   { io.WriteString(s, hiddenBlock) }
func (ClearBlock) LogValue() slog.Value         { return slog.StringValue(hiddenBlock) }
func (ClearBlock) MarshalText() ([]byte, error) { return []byte(hiddenBlock), nil }
func (ClearBlock) MarshalBinary() ([]byte, error) {
	return nil, ErrSecret
}

func (Block) String() string               { return hiddenBlock }
func (Block) GoString() string             { return hiddenBlock }
func (Block) Format(s fmt.State, _ rune)   { io.WriteString(s, hiddenBlock) }
func (Block) LogValue() slog.Value         { return slog.StringValue(hiddenBlock) }
func (Block) MarshalText() ([]byte, error) { return []byte(hiddenBlock), nil }
func (Block) MarshalBinary() ([]byte, error) {
	return nil, ErrSecret
}

func (Key) String() string               { return hiddenKey }
func (Key) GoString() string             { return hiddenKey }
func (Key) Format(s fmt.State, _ rune)   { io.WriteString(s, hiddenKey) }
func (Key) LogValue() slog.Value         { return slog.StringValue(hiddenKey) }
func (Key) MarshalText() ([]byte, error) { return []byte(hiddenKey), nil }
func (Key) MarshalBinary() ([]byte, error) {
	return nil, ErrSecret
}

func (SecretKey) String() string               { return hiddenKey }
func (SecretKey) GoString() string             { return hiddenKey }
func (SecretKey) Format(s fmt.State, _ rune)   { io.WriteString(s, hiddenKey) }
func (SecretKey) LogValue() slog.Value         { return slog.StringValue(hiddenKey) }
func (SecretKey) MarshalText() ([]byte, error) { return []byte(hiddenKey), nil }
func (SecretKey) MarshalBinary() ([]byte, error) {
	return nil, ErrSecret
}

func (*Sealed) String() string               { return hiddenBlock }
func (*Sealed) GoString() string             { return hiddenBlock }
func (*Sealed) Format(s fmt.State, _ rune)   { io.WriteString(s, hiddenBlock) }
func (*Sealed) LogValue() slog.Value         { return slog.StringValue(hiddenBlock) }
func (*Sealed) MarshalText() ([]byte, error) { return []byte(hiddenBlock), nil }
func (*Sealed) MarshalBinary() ([]byte, error) {
	return nil, ErrSecret
}

// Zero overwrites this copy of the PIN.
func (p *PIN) Zero() { *p = PIN{} }

// Zero overwrites this copy of the block.
func (c *ClearBlock) Zero() { *c = ClearBlock{} }

// Zero overwrites this copy of the block.
func (b *Block) Zero() { *b = Block{} }

// Zero overwrites this copy of the key.
func (k *Key) Zero() { *k = Key{} }

// Zero overwrites this copy of the key. What is left is a key of zeros, good for
// nothing.
func (k *SecretKey) Zero() { *k = SecretKey{} }
