package purse

import (
	"errors"
	"regexp"
	"testing"

	"buka/cardio/apdu"
)

// every status word that the sheet names (pboc-purse sheet §1.6).
var sheet = []apdu.SW{
	0x9000, 0x6110, 0x6C08, 0x6281, 0x6283, 0x6300, 0x63C2, 0x6400, 0x6581, 0x6700, 0x6900, 0x6901, 0x6981, 0x6982,
	0x6983, 0x6984, 0x6985, 0x6987, 0x6988, 0x6A80, 0x6A81, 0x6A82, 0x6A83, 0x6A84, 0x6A86, 0x6A88, 0x6B00, 0x6D00,
	0x6E00, 0x6F00, 0x9301, 0x9302, 0x9303, 0x9401, 0x9402, 0x9403, 0x9406,
}

func TestEveryStatusHasWords(t *testing.T) {
	for _, sw := range sheet {
		if s := statusOf(sw); s.Name == "unknown" || s.EN == "" || s.ZH == "" {
			t.Errorf("%v: %+v", sw, s)
		}
	}
	if s := statusOf(0x1234); s.Name != "unknown" || s.EN == "" {
		t.Errorf("%+v", s)
	}
}

func TestTableIsWellFormed(t *testing.T) {
	form := regexp.MustCompile(`^[0-9A-FX]{4}$`)
	names := map[string]bool{}
	for i, r := range statusRows() {
		if !form.MatchString(r.SW) || r.Name == "" || names[r.Name] || r.EN == r.ZH {
			t.Errorf("row %d: %+v", i, r)
		}
		names[r.Name] = true
		if _, known := reasonWords()[r.Reason]; r.Reason != "" && !known {
			t.Errorf("row %d: no such reason %q", i, r.Reason)
		}
	}
	for _, r := range []Reason{UnknownKind, UnknownIssuer, Expired, NotYetValid, Blocked, AtLimit, NeedsPIN, PINLocked, KeyUnknown, CounterFull} {
		if s := reasonWords()[r]; s.EN == "" || s.ZH == "" {
			t.Errorf("%s has no words", r)
		}
	}
	if len(reasonWords()) != 10 {
		t.Errorf("%d reasons with words", len(reasonWords()))
	}
}

func TestFailedIsTyped(t *testing.T) {
	err := Failed("verify", 0x63C1)
	if !errors.Is(err, &Refusal{Reason: NeedsPIN}) || errors.Is(err, &Refusal{Reason: PINLocked}) {
		t.Error(err)
	}
	var s *StatusError
	if err := Failed("credit for load", 0x9302); !errors.As(err, &s) || s.SW != 0x9302 || s.Key() != "status.mac-wrong" || s.Sentence("zh") == s.Sentence("en") {
		t.Error(err)
	}
	if w, ok := Words(err); !ok || w.Key() != "refused.needs-pin-wrong" {
		t.Error(w)
	}
	if _, ok := Words(errors.New("other")); ok {
		t.Error("words for any error")
	}
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		pattern string
		sw      apdu.SW
		want    bool
	}{{"61XX", 0x6104, true}, {"61XX", 0x6204, false}, {"63CX", 0x63CF, true}, {"63CX", 0x63D1, false}, {"9000", 0x9000, true}, {"900", 0x9000, false}, {"", 0, false}} {
		if got := Fits(c.pattern, c.sw); got != c.want {
			t.Errorf("%s %v: %v", c.pattern, c.sw, got)
		}
	}
}
