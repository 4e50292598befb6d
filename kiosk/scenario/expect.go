package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"buka/internal/money"
	"buka/ui"
)

var expectations = map[string]command{
	"screen": (*runner).expectScreen, "balance": (*runner).expectBalance, "charged": (*runner).expectCharged,
	"rewrites": (*runner).expectRewrites, "owed": (*runner).expectOwed, "money": (*runner).expectConserved,
	"synced": (*runner).expectSynced, "journal": (*runner).expectJournal, "reason": (*runner).expectReason,
	"owned": (*runner).expectOwned, "recovering": (*runner).expectRecovering, "cases": (*runner).expectCases,
	"struck": (*runner).expectStruck, "batch": (*runner).expectBatch, "settled": (*runner).expectSettled, "differences": (*runner).expectDifferences,
	"open": (*runner).expectOpen, "ordered": (*runner).expectOrdered,
}

// expect asks until it holds, at most 5 s or as long as the line says.
func (r *runner) expect(ctx context.Context, l Line) error {
	if err := l.takes(); err != nil {
		return err
	}
	wait := expectWait
	words := l.Words[1:]
	if len(words) > 2 && words[0] == "within" {
		d, err := time.ParseDuration(words[1])
		if err != nil || d <= 0 || d > time.Hour {
			return fmt.Errorf("within %q: %w", words[1], ErrSyntax)
		}
		wait, words = d, words[2:]
	}
	if len(words) == 0 {
		return ErrSyntax
	}
	f, ok := expectations[words[0]]
	if !ok {
		return fmt.Errorf("nothing of that name can be expected: %w", ErrSyntax)
	}
	ctx, cancel := context.WithTimeout(ctx, r.slack(wait))
	defer cancel()
	var hard error
	err := poll(ctx, func() error {
		err := f(r, ctx, Line{Words: words})
		if errors.Is(err, ErrSyntax) {
			hard = err
			return nil
		}
		return err
	})
	return errors.Join(hard, err)
}

func (r *runner) expectScreen(_ context.Context, l Line) error {
	want := l.word(1)
	if !slices.Contains(ui.ScreenNames(), ui.ScreenName(want)) {
		return fmt.Errorf("%q is no screen: %w", want, ErrSyntax)
	}
	r.mu.Lock()
	shown := slices.Clone(r.screens)
	r.mu.Unlock()
	now := ""
	if st := r.lab.Station(); st != nil {
		now = string(st.Passenger().Screen().Name)
	}
	if now == want || slices.Contains(shown, want) {
		r.over = r.over || slices.Contains(endings, want)
		return nil
	}
	return fmt.Errorf("the screen is %q; since the last action it was %v", now, shown)
}

func (r *runner) expectReason(_ context.Context, l Line) error {
	st := r.lab.Station()
	if st == nil {
		return errors.New("the kiosk has no power")
	}
	if got := st.Passenger().Screen(); string(got.Reason) != l.word(1) && string(got.Notice) != l.word(1) {
		return fmt.Errorf("the reason is %q, the notice %q", got.Reason, got.Notice)
	}
	return nil
}

func (r *runner) expectBalance(_ context.Context, l Line) error {
	want, err := money.Parse(l.word(2))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	var got money.Fen
	if f, ok := r.awaited(l.word(1)); ok {
		got = f.last
	} else {
		p, err := r.lab.Purse(l.word(1))
		if err != nil {
			return fmt.Errorf("%w: %w", ErrSyntax, err)
		}
		got = p.Balance()
	}
	if got != want {
		return fmt.Errorf("%s has %s", l.word(1), got)
	}
	return nil
}

func (r *runner) expectCharged(ctx context.Context, l Line) error {
	want, err := money.Parse(l.word(2))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	got, err := r.lab.Charged(ctx, l.word(1))
	if err == nil && got != want {
		err = fmt.Errorf("%s was charged %s", l.word(1), got)
	}
	return err
}

func count(l Line, got int) error {
	want, err := strconv.Atoi(l.word(1))
	if err != nil {
		return fmt.Errorf("%q is no number: %w", l.word(1), ErrSyntax)
	}
	if got != want {
		return fmt.Errorf("there are %d", got)
	}
	return nil
}

func (r *runner) expectRewrites(_ context.Context, l Line) error {
	d, err := r.lab.Durable()
	if err != nil {
		return err
	}
	return count(l, d.Rewrites())
}

func (r *runner) expectOwed(_ context.Context, l Line) error {
	d, err := r.lab.Durable()
	if err != nil {
		return err
	}
	return count(l, d.Owed())
}

func (r *runner) expectConserved(ctx context.Context, l Line) error {
	if l.word(1) != "conserved" {
		return fmt.Errorf("expect money conserved: %w", ErrSyntax)
	}
	return r.lab.Conserved(ctx, r.creditedElsewhere())
}

func (r *runner) expectSynced(ctx context.Context, _ Line) error { return r.lab.Synced(ctx) }

func (r *runner) expectJournal(ctx context.Context, l Line) error {
	if l.word(1) != "ok" {
		return fmt.Errorf("expect journal ok: %w", ErrSyntax)
	}
	st := r.lab.Station()
	if st == nil {
		return errors.New("the kiosk has no power")
	}
	return st.Journal().Verify(ctx, nil)
}

// expectOwned counts the open rewrites of the host.
func (r *runner) expectOwned(ctx context.Context, l Line) error {
	h := r.lab.Host()
	if h == nil {
		return errors.New("the host is down")
	}
	list, err := h.Rewrites(ctx)
	if err != nil {
		return err
	}
	_, free, err := h.OpenRewrites(ctx)
	if err != nil {
		return err
	}
	for _, f := range free { // the kiosk knows those that it may finish, if it can be told
		if r.lab.Station() != nil && r.lab.Reachable("fleet") && !r.lab.Knows(f.Sale) {
			return fmt.Errorf("the kiosk has not heard of %s", f.Sale)
		}
	}
	return count(l, len(list))
}

// expectCases counts the sales here that only people can end.
func (r *runner) expectCases(_ context.Context, l Line) error {
	d, err := r.lab.Durable()
	if err != nil {
		return err
	}
	n := 0
	for _, s := range d.Sales {
		if s.Conflict {
			n++
		}
	}
	return count(l, n)
}

// expectRecovering holds while the operator's page says that the kiosk was
// restored and is not confirmed.
func (r *runner) expectRecovering(ctx context.Context, l Line) error {
	side := r.lab.Side()
	if side == nil {
		return errors.New("the host is down")
	}
	kiosks, err := side.Snapshot(ctx)
	if err != nil {
		return err
	}
	for _, k := range kiosks {
		if said := k.Recovering != ""; said != (l.word(1) != "no") {
			return fmt.Errorf("the operator's page says %q of %s", k.Recovering, k.Name)
		}
	}
	return nil
}

// expectStruck: every fault that was armed has struck.
func (r *runner) expectStruck(context.Context, Line) error { return r.allStruck() }
