package ui

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"buka/ui/hub"
	"buka/ui/wire"
)

// When a kiosk needs attention (operations sheet, alerts to start with).
const (
	notSeen   = 10 * time.Minute
	owedLong  = 15 * time.Minute
	backupOld = 26 * time.Hour // a daily one was missed
	rowsShown = 500            // kiosks in the table; those that need attention come first
	batchRows = 40             // batches
)

// fleetPage shows a Fleet to an operator: all kiosks, or one.
type fleetPage struct {
	src   Fleet
	theme *theme
	log   *slog.Logger
}

// fleetKiosk is a kiosk with what the page works out about it.
type fleetKiosk struct {
	Kiosk
	Attention []string // names of the columns that need it
	Good, Bad int      // devices
}

// Odd says whether a column needs attention.
func (k fleetKiosk) Odd(column string) bool { return slices.Contains(k.Attention, column) }

type fleetView struct {
	Kiosks    []fleetKiosk
	One       *fleetKiosk
	Total     int
	Up        int
	Attention int
	Owed      int
	Rewrites  int
	Cases     []FleetCase
	Alarms    alarmList
	NewAlarms int
	Batches   []FleetBatch
	Asked     string // the kiosk that was asked for
}

func (p *fleetPage) view(asked string) fleetView {
	s := p.src.State()
	now := s.Now
	if now.IsZero() {
		now = time.Now()
	}
	v := fleetView{Total: len(s.Kiosks), Asked: asked, Cases: s.Cases[:min(len(s.Cases), rowsShown)]}
	v.Batches = s.Batches[:min(len(s.Batches), batchRows)]
	v.Alarms, v.NewAlarms = listAlarms(s.Alarms), s.NewAlarms
	for _, k := range s.Kiosks {
		f := judge(k, now)
		if k.LinkUp {
			v.Up++
		}
		if len(f.Attention) > 0 {
			v.Attention++
		}
		v.Owed += k.Owed
		v.Rewrites += k.OpenRewrites
		v.Kiosks = append(v.Kiosks, f)
		if k.ID == asked {
			v.One = &f
		}
	}
	slices.SortStableFunc(v.Kiosks, func(a, b fleetKiosk) int {
		if d := len(b.Attention) - len(a.Attention); (len(a.Attention) == 0) != (len(b.Attention) == 0) {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	v.Kiosks = v.Kiosks[:min(len(v.Kiosks), rowsShown)]
	return v
}

// judge works out what about a kiosk needs attention.
func judge(k Kiosk, now time.Time) fleetKiosk {
	f := fleetKiosk{Kiosk: k}
	mark := func(odd bool, column string) {
		if odd {
			f.Attention = append(f.Attention, column)
		}
	}
	for _, d := range k.Devices {
		if d.State == "ok" {
			f.Good++
		} else {
			f.Bad++
		}
	}
	mark(!k.LinkUp, "link")
	mark(now.Sub(k.LastSeen) > notSeen, "seen")
	mark(k.Owed > 0 && k.LinkUp && !k.OldestOwed.IsZero() && now.Sub(k.OldestOwed) > owedLong, "owed")
	mark(k.LongBack > 0, "back")
	mark(k.Unresolved > 0, "unresolved")
	mark(f.Bad > 0, "devices")
	mark(!k.ChainOK, "journal")
	mark(k.Recovering, "recovering")
	mark(k.NewAlarms > 0, "alarms")
	if kept := k.Kept; kept != nil {
		mark(kept.VerifyFailed || kept.BackupFailed || kept.TidyFailed || kept.RestoredStart, "kept")
		mark(!kept.Backup.IsZero() && now.Sub(kept.Backup) > backupOld, "backup") // none yet is no fault: a kiosk begins so
	}
	return f
}

// Frame renders the table or one kiosk, as the view asks.
func (p *fleetPage) Frame(view string) hub.Frame {
	code, asked := splitView(view)
	v := p.view(asked)
	ids := []string{"fleet-sum", "fleet-cases", "fleet-alarms", "fleet", "fleet-batches", "fleet-seen"}
	if asked != "" {
		ids = []string{"kiosk"}
	}
	f := hub.Frame{Root: map[string]string{}}
	for _, id := range ids {
		f.Fragments = append(f.Fragments, p.theme.fragment(code, id, id, v, p.log.Error))
	}
	return f
}

func (p *fleetPage) Subscribe(changed func()) (cancel func()) { return p.src.Subscribe(changed) }

// Input takes what an operator decides about a case or has seen of the alarms,
// if the page offers it.
func (p *fleetPage) Input(view, who string, in wire.Input) (string, error) {
	code, asked := splitView(view)
	c := p.theme.words[code]
	a, ok := p.view(asked).offered(in)
	if !ok {
		return c.T("told.not-allowed"), fmt.Errorf("%s by %s: %w", in.Do, who, errNotOffered)
	}
	a.Who = who
	err := p.src.Do(a)
	if say, err := told(c, err); err == nil || errors.Is(err, hub.ErrStale) || hasWords(c, err) {
		return say, err
	}
	return c.T("told.not-now"), err // the log has the reason
}

// mayDecide says whether a button is offered: no money goes back while a write
// may have been done.
func mayDecide(k FleetCase, do string) bool {
	switch do {
	case FleetReturn:
		return !k.InDoubt && !k.Working && k.Origin != "remote"
	case FleetDecide:
		return !k.Working
	}
	return false
}
