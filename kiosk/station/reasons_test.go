package station

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"buka/cardio/emv"
	"buka/cardio/purse"
	"buka/ui"
)

// The core, the station and the pages must use the same keys: a key without
// words would show a passenger "something else happened".
func TestEveryReasonHasWords(t *testing.T) {
	used := map[string]string{}
	patterns := []*regexp.Regexp{
		regexp.MustCompile(`st\.last\(\w+, \w+, "([a-z-]+)"`),
		regexp.MustCompile(`st\.refuse\(\w+, \w+, "([a-z-]+)"`),
		regexp.MustCompile(`st\.(?:backToHold|unresolved)\(\w+, "([a-z-]+)"`),
		regexp.MustCompile(`st\.(?:withdraw|moneyBack)\(\w+, [^,]+, "([a-z-]+)"`),
		regexp.MustCompile(`\bf\.Phase.*Notice = .*"([a-z-]+)"`),
		regexp.MustCompile(`(?m)^\treturn "([a-z-]+)"$`),
		regexp.MustCompile(`(?m)^\t\treturn "([a-z-]+)"$`),
	}
	for _, dir := range []string{"../../topup", "."} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, f := range files {
			if base := filepath.Base(f); base == "core.go" || base == "desk.go" || regexp.MustCompile(`_test\.go$`).MatchString(base) {
				continue // endings of sales, and the desk's own words
			}
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range patterns {
				for _, m := range p.FindAllSubmatch(src, -1) {
					used[string(m[1])] = f
				}
			}
		}
	}
	for _, k := range refusalKeys {
		used[k] = "refusalKeys"
	}
	for _, k := range bankKeys {
		used[k] = "bankKeys"
	}
	if len(used) < 25 {
		t.Fatalf("only %d keys were found: the patterns no longer fit the code", len(used))
	}
	notOnPassengersPage := []string{"read", "probe", "load", "prove", "probe-slot", "money back", "credited", "missing", "decided", "handed-over"}
	for k, where := range used {
		if !slices.Contains(ui.Reasons(), ui.Reason(k)) && !slices.Contains(notOnPassengersPage, k) {
			t.Errorf("%s: %q has no words", where, k)
		}
	}
}

func TestEveryRefusalIsMapped(t *testing.T) {
	for _, r := range []purse.Reason{purse.UnknownKind, purse.UnknownIssuer, purse.Expired, purse.NotYetValid, purse.Blocked, purse.AtLimit,
		purse.NeedsPIN, purse.PINLocked, purse.KeyUnknown, purse.CounterFull} {
		if reasonOf(&purse.Refusal{Reason: r}) == "" {
			t.Errorf("%s is not mapped", r)
		}
	}
	for _, r := range []emv.Reason{emv.Expired, emv.Blocked, emv.NoApp, emv.TransitCard} {
		if bankReasonOf(&emv.Refusal{Reason: r}) == "" {
			t.Errorf("%s is not mapped", r)
		}
	}
}
