package operator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"buka/internal/entry"
	"buka/sync/host"
	"buka/ui"
)

// Ledger is the host's own rewrites, how people end one, and the batches of its
// terminals.
type Ledger interface {
	Rewrites(ctx context.Context) ([]host.Rewrite, error)
	Batches(ctx context.Context, limit int) ([]host.Batch, error)
	Settle(ctx context.Context, sale entry.SaleID, state, note string, people [2]string) error
}

var _ Ledger = (*host.Host)(nil)

// proposal is what one person wants; another has to want the same.
type proposal struct{ what, who string }

// WithHost adds the rewrites that the host owns; the function gives nil while
// the host is down.
func (v *View) WithHost(h func() Ledger) *View {
	v.host = h
	return v
}

// cases lists what waits for a card or for people; nothing, if the database
// does not answer.
func (v *View) cases(ctx context.Context) []ui.FleetCase {
	ledger := v.ledger()
	if ledger == nil {
		return nil
	}
	own, err := ledger.Rewrites(ctx)
	if err != nil {
		v.log.Warn("no news of the host's rewrites", "err", err)
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	var list []ui.FleetCase
	open := map[entry.SaleID]proposal{}
	for _, r := range own {
		p := v.proposals[r.Sale]
		if p.what != "" {
			open[r.Sale] = p
		}
		list = append(list, ui.FleetCase{
			Sale: string(r.Sale), Claim: r.Sale.Claim(), CardNumber: r.Card.Number, Amount: r.Amount, Since: time.UnixMilli(r.SinceMS), Kiosk: r.Kiosk,
			Origin: r.Origin, Disputed: r.State == "disputed", InDoubt: r.Attempt != nil, Working: r.Holder != "", Proposal: p.what, ProposedBy: p.who,
		})
	}
	v.proposals = open // those of ended cases are forgotten
	return list
}

func (v *View) ledger() Ledger {
	if v.host == nil {
		return nil
	}
	return v.host()
}

// states of the host's ledger by what people decide.
var states = map[string]string{ui.FleetReturn: "returned", ui.FleetDecide: "decided"}

// Do takes what somebody has seen, or wants done about a case.
func (v *View) Do(a ui.FleetAction) error {
	if a.Name == ui.FleetAcknowledge {
		return v.acknowledge(a)
	}
	return v.settle(a)
}

// settle takes the first person's proposal, or another's agreement to it. Who
// proposes something else begins anew.
func (v *View) settle(a ui.FleetAction) error {
	ledger, state, sale := v.ledger(), states[a.Name], entry.SaleID(a.Sale)
	if ledger == nil || state == "" || a.Who == "" {
		return fmt.Errorf("%q by %q: %w", a.Name, a.Who, errors.ErrUnsupported)
	}
	v.mu.Lock()
	p := v.proposals[sale]
	second := p.what == a.Name && p.who != a.Who
	if !second {
		v.proposals[sale] = proposal{a.Name, a.Who}
	}
	v.mu.Unlock()
	switch {
	case p.what == a.Name && p.who == a.Who:
		return &ui.Told{Key: "told.same-person"}
	case !second:
		v.log.Info("a case: proposed", "sale", a.Sale, "what", a.Name, "who", a.Who)
		v.tell()
		return &ui.Told{Key: "told.proposed"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), queries)
	defer cancel()
	err := ledger.Settle(ctx, sale, state, "decided on the operator's page", [2]string{p.who, a.Who})
	switch {
	case errors.Is(err, host.ErrInDoubt):
		return &ui.Told{Key: "told.in-doubt", Err: err}
	case errors.Is(err, host.ErrNoRewrite):
		return ui.ErrStale
	case err != nil:
		return err
	}
	v.log.Info("a case: settled", "sale", a.Sale, "what", a.Name, "people", []string{p.who, a.Who})
	v.tell()
	return nil
}
