package answers_test

import (
	"slices"
	"strings"
	"testing"

	"buka/internal/answers"
	"buka/internal/entry"
	"buka/sync/switchlink"
	"buka/ui"
)

// TestDefault holds the built-in table to what the sheet of response codes says
// a terminal does, and to the words there are.
func TestDefault(t *testing.T) {
	table := answers.Default()
	for _, want := range []struct {
		codes string
		answers.Answer
	}{
		{"00 10 11 16", answers.Answer{Outcome: entry.Done}},
		{"55", answers.Answer{Outcome: entry.NotDone, Reason: "wrong-pin", Action: answers.NewPIN}},
		{"38 75", answers.Answer{Outcome: entry.NotDone, Reason: "pin-tries"}},
		{"51", answers.Answer{Outcome: entry.NotDone, Reason: "insufficient-funds"}},
		{"33 54", answers.Answer{Outcome: entry.NotDone, Reason: "card-expired"}},
		{"61 65", answers.Answer{Outcome: entry.NotDone, Reason: "bank-limit"}},
		{"04 07 36 41 43 62", answers.Answer{Outcome: entry.NotDone, Reason: "bank-card-blocked"}},
		{"22 77 99 A0 A7", answers.Answer{Outcome: entry.NotDone, Reason: "payment-again", Action: answers.SignOn}},
		{"90 91 92 96 98", answers.Answer{Outcome: entry.NotDone, Reason: "bank-unreachable", Action: answers.RetryLater}},
		{"03 30 58", answers.Answer{Outcome: entry.NotDone, Reason: "payment-not-set-up", Action: answers.Staff}},
		{"97", answers.Answer{Outcome: entry.NotDone, Reason: "payment-not-set-up", Action: answers.OutOfService}},
		{"68", answers.Answer{Outcome: entry.Unknown, Reason: "payment-unknown", Action: answers.RetryLater}},
		{"94", answers.Answer{Outcome: entry.Unknown, Reason: "payment-unknown"}},
		{"01 02 05 06 12 13 17 19 23 25 34 35 37 59 60 63 64 66 67 93", answers.Answer{Outcome: entry.NotDone, Reason: "bank-declined"}},
		{"14 15 31 39 40 42 44 52 53 56 57", answers.Answer{Outcome: entry.NotDone, Reason: "bank-card-not-allowed"}},
		{"45", answers.Answer{Outcome: entry.NotDone, Reason: "bank-use-chip"}},
		// Nobody here can say whether the bank took the money: unknown is not no.
		{"08 09 32 A1 A2 A3 A4 A5 A6", answers.Answer{Outcome: entry.Unknown, Reason: "payment-unknown"}},
		{"18 20 21 24 29 46 50 76 85 89 95 Y1 Y3 Z9 -- not-sent 0 000  \x00\x00", answers.Answer{Outcome: entry.Unknown, Reason: "payment-unknown"}},
	} {
		for code := range strings.SplitSeq(want.codes, " ") {
			if got := table.Of(code); got != want.Answer {
				t.Errorf("%q: %+v, want %+v", code, got, want.Answer)
			}
		}
	}
	words := ui.Reasons()
	for _, code := range append(table.Codes(), "other") {
		a := table.Of(code)
		if a.Outcome != entry.Done && !slices.Contains(words, ui.Reason(a.Reason)) {
			t.Errorf("%s: no words for %q", code, a.Reason)
		}
		if (a.Outcome == entry.Done) != (switchlink.Approved(code) || code == switchlink.CodePartial) {
			t.Errorf("%s: the switch link does not see it as the table does", code)
		}
	}
}

// TestLoad lays a file over the table.
func TestLoad(t *testing.T) {
	table, err := answers.Load([]byte(`{"codes": {
		"65": {"outcome": "declined", "reason": "wrong-pin", "action": "new-pin", "meaning": "asks for a PIN"},
		"X1": {"outcome": "unknown", "reason": "payment-unknown"}}, "other": {"outcome": "unknown", "reason": "payment-unknown"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[string]answers.Answer{
		"65": {Outcome: entry.NotDone, Reason: "wrong-pin", Action: answers.NewPIN},
		"X1": {Reason: "payment-unknown"}, "Q9": {Reason: "payment-unknown"},
		"51": answers.Default().Of("51"), "00": {Outcome: entry.Done},
	} {
		if got := table.Of(code); got != want {
			t.Errorf("%s: %+v, want %+v", code, got, want)
		}
	}
	if a := answers.Default().Of("65"); a.Reason != "bank-limit" {
		t.Errorf("the built-in table changed: %+v", a)
	}
}

// TestLoadRefuses: each file is wrong in one place, which the error names.
func TestLoadRefuses(t *testing.T) {
	for file, say := range map[string]string{
		``:               "response codes",
		`[]`:             "response codes",
		`{"code": {}}`:   "code",
		`{} {}`:          "behind",
		`{"codes": {}}x`: "behind",
		`{"codes": {"0": {"outcome": "declined", "reason": "a"}}}`:                                "two characters",
		`{"codes": {"a0": {"outcome": "declined", "reason": "a"}}}`:                               "two characters",
		`{"codes": {"--": {"outcome": "declined", "reason": "a"}}}`:                               "two characters",
		`{"codes": {"51": {"reason": "a"}}}`:                                                      "outcome is wanted",
		`{"codes": {"51": {"outcome": "yes", "reason": "a"}}}`:                                    "yes",
		`{"codes": {"51": {"outcome": "declined"}}}`:                                              "reason is wanted",
		`{"codes": {"51": {"outcome": "declined", "reason": "A b"}}}`:                             "reason is wanted",
		`{"codes": {"51": {"outcome": "declined", "reason": "a", "action": "pay"}}}`:              "pay",
		`{"codes": {"51": {"outcome": "approved"}}}`:                                              "51",
		`{"codes": {"00": {"outcome": "declined", "reason": "a"}}}`:                               "00 is approved",
		`{"codes": {"00": {"outcome": "approved", "reason": "a"}}}`:                               "neither",
		`{"codes": {"55": {"outcome": "unknown", "reason": "a", "action": "new-pin"}}}`:           "no new PIN",
		`{"other": {"outcome": "approved"}}`:                                                      "other",
		`{"codes": {"51": {"outcome": "declined", "reason": "` + strings.Repeat("a", 41) + `"}}}`: "reason is wanted",
		strings.Repeat(" ", 64<<10) + `{}`:                                                        "too many",
	} {
		if _, err := answers.Load([]byte(file)); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%.80s: %v", file, err)
		}
	}
}

// TestOtherStaysUnknown: no file makes an answer of a code that it does not name, and
// the error says where it tried.
func TestOtherStaysUnknown(t *testing.T) {
	for file, where := range map[string]string{
		`{"other": {"outcome": "declined", "reason": "bank-declined"}}`:                                                          "line 1, column 23:",
		"{\n  \"codes\": {\"other\": 1},\n  \"other\": {}}":                                                                      "response codes",
		"{\n  \"codes\": {},\n  \"other\": {\n    \"reason\": \"a\",\n    \"outcome\" :\t\"declined\"\n  }\n}":                   "line 5, column 17:",
		`{"Other": {"OUTCOME": "declined", "reason": "a"}}`:                                                                      "line 1, column 23:",
		"{\"other\": {\"outcome\": \"unknown\", \"reason\": \"a\"},\n\"other\": {\"outcome\": \"declined\", \"reason\": \"a\"}}": "line 2, column 22:",
		"{\"other\":\n {\"reason\": \"a\"}}":                                                                                     "line 2, column 2:",
		`{"other": {"outcome": "approved"}}`:                                                                                     "line 1, column 23:",
	} {
		_, err := answers.Load([]byte(file))
		if err == nil || !strings.Contains(err.Error(), where) {
			t.Errorf("%s: %v, want %q", file, err, where)
		}
	}
	_, err := answers.Load([]byte(`{"other": {"outcome": "declined", "reason": "bank-declined"}}`))
	if err == nil || !strings.Contains(err.Error(), `must be "unknown"`) {
		t.Error(err)
	}
	table, err := answers.Load([]byte(`{"other": {"outcome": "unknown", "reason": "bank-unreachable", "action": "retry-later"}}`)) // its words may differ
	if want := (answers.Answer{Reason: "bank-unreachable", Action: answers.RetryLater}); err != nil || table.Of("Q9") != want {
		t.Errorf("%v", err)
	}
}

// FuzzLoad: whatever a file says, a payment is done only with an approval that
// the link has checked, and everything else has words.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"codes": {"51": {"outcome": "unknown", "reason": "a-b", "action": "staff"}}}`), "51")
	f.Add([]byte(`{"other": {"outcome": "declined", "reason": "x"}}`), "00")
	f.Add([]byte(`{"other": {"outcome": "unknown", "reason": "x"}}`), "Q9")
	f.Fuzz(func(t *testing.T, file []byte, code string) {
		table, err := answers.Load(file)
		if err != nil {
			return
		}
		for _, c := range append(table.Codes(), code) {
			a := table.Of(c)
			if a.Outcome == entry.Done && !switchlink.Approved(c) && c != switchlink.CodePartial {
				t.Errorf("%q is done", c)
			}
			if (a.Outcome == entry.Done) != (a.Reason == "") {
				t.Errorf("%q: %+v", c, a)
			}
		}
		if !slices.Contains(table.Codes(), code) && table.Of(code).Outcome != entry.Unknown {
			t.Errorf("%q, which no row names, is %v", code, table.Of(code).Outcome)
		}
		if table.Of("00").Outcome != entry.Done {
			t.Error("00 is not done")
		}
	})
}
