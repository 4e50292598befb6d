package risk

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestShippedRules(t *testing.T) {
	s, err := Compile(Shipped)
	if err != nil {
		t.Fatal(err)
	}
	home := func(p Payment) Payment {
		p.Country, p.Scheme, p.Entry = "156", "unionpay", "contactless"
		if p.Hour == 0 {
			p.Hour = 12
		}
		return p
	}
	abroad := func(p Payment) Payment {
		p = home(p)
		p.Country, p.CrossesOut = "840", true
		return p
	}
	for name, c := range map[string]struct {
		p       Payment
		outcome Outcome
		rules   []string
	}{
		"ordinary":             {home(Payment{Amount: 50_00}), Pass, nil},
		"the largest":          {home(Payment{Amount: 1000_00}), Pass, nil},
		"one fen more":         {home(Payment{Amount: 1000_01}), Refuse, []string{"large"}},
		"the day's sum":        {home(Payment{Amount: 100_00, Sum: 1900_01, Count: 2}), Cashier, []string{"large-sum"}},
		"the fifth":            {home(Payment{Amount: 10_00, Count: 4}), Pass, nil},
		"the sixth":            {home(Payment{Amount: 10_00, Count: 5}), Cashier, []string{"frequent"}},
		"the sixth of a purse": {home(Payment{Amount: 10_00, LoadCount: 5}), Cashier, []string{"frequent"}},
		"from abroad":          {abroad(Payment{Amount: 100_00}), Alarm, []string{"cross-border-seen"}},
		"large, from abroad":   {abroad(Payment{Amount: 200_01}), Refuse, []string{"cross-border", "cross-border-seen"}},
		"country not known":    {Payment{Amount: 300_00, Hour: 12}, Pass, nil},
		"at night":             {home(Payment{Amount: 500_01, Hour: 23}), Alarm, []string{"at-night"}},
	} {
		v := s.Judge(c.p)
		if v.Outcome != c.outcome || !slices.Equal(v.Rules, c.rules) {
			t.Errorf("%s: %v %v, want %v %v", name, v.Outcome, v.Rules, c.outcome, c.rules)
		}
	}
}

func TestBadRulesAreRefusedWithTheirPlace(t *testing.T) {
	for when, want := range map[string]string{
		"amount > 5 &&":                "line 1, column 14",
		"amount >\n  \"much\"":         "line 1, column 8",
		"balance > 5":                  "line 1, column 1",
		"amount":                       "true or false",
		"":                             "line 1",
		strings.Repeat("(", 400):       "line 1",
		strings.Repeat("x", maxWhen+1): "longer",
	} {
		_, err := Compile([]Rule{{Name: "mine", When: when, Outcome: "refuse"}})
		if !errors.Is(err, ErrRule) || !strings.Contains(err.Error(), "mine") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.20q: %v", when, err)
		}
	}
	ok := Rule{Name: "mine", When: "true", Outcome: "alarm"}
	for _, bad := range [][]Rule{{{Name: "", When: "true", Outcome: "alarm"}}, {ok, ok}, {{Name: "mine", When: "true", Outcome: "stop"}}, make([]Rule, maxRules+1)} {
		if _, err := Compile(bad); !errors.Is(err, ErrRule) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// TestARuleThatFailsCounts: division by zero and work without end are met.
func TestARuleThatFailsCounts(t *testing.T) {
	long := "[1,2,3,4,5,6,7,8,9,10]"
	for _, when := range []string{"100 / count > 5", "amount * 9223372036854775807 > 0",
		long + ".all(a, " + long + ".all(b, " + long + ".all(c, " + long + ".all(d, " + long + ".all(e, a+b+c+d+e > 0)))))  == false"} {
		s, err := Compile([]Rule{{Name: "mine", When: when, Outcome: "refuse"}})
		if err != nil {
			t.Fatal(err)
		}
		if v := s.Judge(Payment{Amount: 50_00}); v.Outcome != Refuse {
			t.Errorf("%.30s: %v", when, v)
		}
	}
	if v := (*Set)(nil).Judge(Payment{}); v.Outcome != Pass {
		t.Error(v)
	}
}

func TestLedger(t *testing.T) {
	var l Ledger
	noon := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	l.Add(noon, "622588******0001", "3105", 50_00)
	l.Add(noon.Add(time.Hour), "622588******0001", "3106", 20_00)
	var p Payment
	l.Fill(&p, noon.Add(2*time.Hour), "622588******0001", "3106")
	if p.Count != 2 || p.Sum != 70_00 || p.LoadCount != 1 || p.LoadSum != 20_00 || p.Hour != 14 || p.Weekday != 4 {
		t.Errorf("%+v", p)
	}
	p = Payment{}
	if l.Fill(&p, noon.Add(24*time.Hour), "622588******0001", "3106"); p.Count != 0 || p.LoadSum != 0 {
		t.Errorf("the next day: %+v", p)
	}
	for i := range maxSeen + 10 {
		l.Add(noon, "b"+time.Duration(i).String(), "", 1)
	}
	if len(l.bank) > maxSeen {
		t.Error(len(l.bank))
	}
}
