package purse

import (
	"context"
	"errors"
	"slices"
	"testing"

	"buka/internal/entry"
	"buka/internal/money"
)

// shown is a purse that shows what it is told to, and keeps the order of calls.
type shown struct {
	Purse
	log    []entry.LogRecord
	proofs map[entry.Slot]entry.Hex
	fail   entry.Slot
	calls  []string
	asked  []entry.Slot
	limit  bool
	probes []LoadRequest
}

func (s *shown) Balance(context.Context) (money.Fen, error) {
	s.calls = append(s.calls, "balance")
	return 7850, nil
}

func (s *shown) Log(context.Context) ([]entry.LogRecord, error) {
	s.calls = append(s.calls, "log")
	return s.log, nil
}

func (s *shown) Prove(_ context.Context, n entry.Slot) (entry.Proof, error) {
	s.calls = append(s.calls, "prove")
	s.asked = append(s.asked, n)
	if s.fail == n {
		return entry.Proof{}, errors.New("the card left")
	}
	if tac := s.proofs[n]; tac != nil {
		return entry.Proof{Asked: n, TAC: tac}, nil
	}
	return entry.Proof{}, ErrNoProof
}

func (s *shown) Challenge(_ context.Context, r LoadRequest) (entry.Attempt, error) {
	s.probes = append(s.probes, r)
	if s.limit && r.Amount > 0 {
		return entry.Attempt{}, &Refusal{Reason: AtLimit}
	}
	return entry.Attempt{Terminal: r.Terminal, Amount: r.Amount}, nil
}

var rides = []entry.LogRecord{{Number: 9, Type: 6, Amount: 200}, {Number: 3, Type: 2, Amount: 5000}, {Number: 2, Type: 2, Amount: 5000}}

func TestObserveProvesLastAndStopsAtTheFirstProof(t *testing.T) {
	s := &shown{log: rides, proofs: map[entry.Slot]entry.Hex{3: {1, 2, 3, 4}, 2: {9, 9, 9, 9}}}
	o, err := Observe(context.Background(), s, nil)
	if err != nil || len(o.Proofs) != 1 || o.Proofs[0].Asked != 3 || !slices.Equal(o.NoProof, []entry.Slot{4}) {
		t.Fatalf("%+v %v", o, err)
	}
	if !slices.Equal(s.calls, []string{"balance", "log", "prove", "prove"}) || !slices.Equal(s.asked, []entry.Slot{4, 3}) {
		t.Error(s.calls, s.asked)
	}
	if len(o.Log) != 2 || o.Log[0].Number != 3 || o.Balance != 7850 {
		t.Errorf("%+v", o)
	}
}

func TestObserveKeepsWhatItReadBeforeALoss(t *testing.T) {
	s := &shown{log: rides, fail: 3}
	o, err := Observe(context.Background(), s, nil)
	if err == nil || len(o.Log) != 2 || !slices.Equal(o.NoProof, []entry.Slot{4}) {
		t.Fatalf("%+v %v", o, err)
	}
}

func TestAsk(t *testing.T) {
	for _, c := range []struct {
		ask  func([]entry.LogRecord) []entry.Slot
		log  []entry.LogRecord
		want []entry.Slot
	}{
		{AskNewest, nil, nil},
		{AskNewest, rides, []entry.Slot{4, 3, 2}},
		{AskNewest, []entry.LogRecord{{Number: 0, Type: 2}}, []entry.Slot{1, 0}},
		{AskFor(3), rides, []entry.Slot{4, 3, 2}},
		{AskFor(5), rides, []entry.Slot{6, 5, 4, 3, 2}},
		{AskFor(5, 6, 3), rides, []entry.Slot{5, 4, 2}},
	} {
		if got := c.ask(c.log); !slices.Equal(got, c.want) {
			t.Errorf("%v, want %v", got, c.want)
		}
	}
}

func TestAskingIsBounded(t *testing.T) {
	s := &shown{log: rides}
	many := func([]entry.LogRecord) []entry.Slot { return slices.Repeat([]entry.Slot{7}, 1000) }
	if _, err := Observe(context.Background(), s, many); err != nil || len(s.asked) != maxAsked {
		t.Error(len(s.asked), err)
	}
}

func TestProbeIsRandomAndSmall(t *testing.T) {
	s := &shown{}
	a, err := Probe(context.Background(), s)
	if err != nil || a.Amount != 1 {
		t.Fatal(a, err)
	}
	b, _ := Probe(context.Background(), s)
	if a.Terminal.String() == b.Terminal.String() {
		t.Error("two probes with one terminal id")
	}
	s.limit = true
	if a, err = Probe(context.Background(), s); err != nil || a.Amount != 0 {
		t.Error(a, err)
	}
}

func TestCheck(t *testing.T) {
	good := Info{KnownIssuer: true, Start: "20190806", Expiry: "20401231"}
	for _, c := range []struct {
		today  Date
		change func(*Info)
		want   Reason
	}{
		{"20260115", func(*Info) {}, ""},
		{"20190806", func(*Info) {}, ""},
		{"20401231", func(*Info) {}, ""},
		{"20190805", func(*Info) {}, NotYetValid},
		{"20410101", func(*Info) {}, Expired},
		{"20410101", func(i *Info) { i.Expiry = "" }, ""},
		{"20260115", func(i *Info) { i.Blocked = true }, Blocked},
		{"20260115", func(i *Info) { i.KnownIssuer = false }, UnknownIssuer},
	} {
		i := good
		c.change(&i)
		err := Check(i, c.today)
		if c.want == "" && err != nil || c.want != "" && !errors.Is(err, &Refusal{Reason: c.want}) {
			t.Errorf("%s %+v: %v", c.today, i, err)
		}
	}
	i := Info{Limit: 100000}
	if err := CheckAmount(i, 95000, 5000); err != nil {
		t.Error(err)
	}
	if err := CheckAmount(i, 95001, 5000); !errors.Is(err, &Refusal{Reason: AtLimit}) {
		t.Error(err)
	}
	if err := CheckAmount(Info{}, 95001, money.Max); err != nil {
		t.Error(err)
	}
}
