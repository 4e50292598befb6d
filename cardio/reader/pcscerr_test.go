package reader

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ebfe/scard"
)

func TestKindOf(t *testing.T) {
	for code, want := range map[error]error{
		scard.ErrRemovedCard: ErrCardRemoved, scard.ErrResetCard: ErrReset, scard.ErrCommError: ErrTransport,
		scard.ErrNotTransacted: ErrTransport, scard.ErrUnresponsiveCard: ErrTransport, errors.New("x"): ErrTransport,
		scard.ErrNoService: ErrNoService, scard.ErrSharingViolation: ErrBusy, scard.ErrNoSmartcard: ErrNoCard,
	} {
		if got := kindOf(code); got != want {
			t.Errorf("%v: %v, want %v", code, got, want)
		}
	}
}

func TestWithoutLe(t *testing.T) {
	for in, want := range map[string]string{
		"\x00\xA4\x04\x00\x02\xA0\x00\x00": "\x00\xA4\x04\x00\x02\xA0\x00", // case 4
		"\x00\xA4\x04\x00\x02\xA0\x00":     "\x00\xA4\x04\x00\x02\xA0\x00", // case 3
		"\x80\x5C\x00\x02\x04":             "\x80\x5C\x00\x02\x04",         // case 2
		"\x00\x84\x00\x00":                 "\x00\x84\x00\x00",             // case 1
	} {
		if got := withoutLe([]byte(in)); !bytes.Equal(got, []byte(want)) {
			t.Errorf("%X became %X", in, got)
		}
	}
}
