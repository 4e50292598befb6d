package ui

import (
	"errors"
	"log/slog"
	"strings"

	"buka/ui/hub"
	"buka/ui/lang"
	"buka/ui/wire"
)

// benchPage shows a Bench. Its inputs are not tied to a revision: a device is
// pushed as it is, whatever the screen says.
type benchPage struct {
	src   Bench
	theme *theme
	log   *slog.Logger
}

// benchActions are the actions of BenchAction and their arguments.
var benchActions = map[string][]string{
	"tap":     {"card", "reader"},
	"lay":     {"card", "reader"},
	"remove":  {"card"},
	"tear":    {"card", "when"},
	"pay":     {"card"},
	"key":     {"key"},
	"network": {"link", "to"},
	"host":    {"behaviour", "arg"},
	"power":   {"to"},
	"printer": {"to"},
}

type benchView struct {
	BenchState
	Keys []string
}

func (p *benchPage) Frame(view string) hub.Frame {
	s := p.src.State()
	for i := range s.Bank {
		s.Bank[i].PAN = maskPAN(s.Bank[i].PAN)
	}
	v := benchView{BenchState: s, Keys: []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "cancel", "0", "enter"}}
	code, _ := splitView(view)
	f := hub.Frame{Root: map[string]string{"data-power": onOff(!s.PowerOn, "off")}}
	for _, id := range []string{"bench-cards", "bench-pad", "bench-printer", "bench-world", "bench-readers", "bench-journal"} {
		f.Fragments = append(f.Fragments, p.theme.fragment(code, id, id, v, p.log.Error))
	}
	return f
}

func (p *benchPage) Subscribe(changed func()) (cancel func()) { return p.src.Subscribe(changed) }

func (p *benchPage) Input(view, _ string, in wire.Input) (string, error) {
	code, _ := splitView(view)
	c := p.theme.words[code]
	names, ok := benchActions[in.Do]
	if !ok {
		return c.T("told.not-allowed"), errNotOffered
	}
	args := map[string]string{}
	for _, n := range names {
		if v, ok := in.Args[n]; ok {
			args[n] = v
		}
	}
	return told(c, p.src.Do(BenchAction{Name: in.Do, Args: args}))
}

// told turns an error of an action into what the person is told.
func told(c *lang.Catalogue, err error) (string, error) {
	var t *Told
	switch {
	case err == nil:
		return "", nil
	case errors.Is(err, ErrStale):
		return c.T("told.stale"), errors.Join(hub.ErrStale, err)
	case errors.As(err, &t) && c.Has(t.Key):
		return c.T(t.Key), err
	}
	return c.T("told.failed", "why", err), err
}

// hasWords says that an error brings words of the catalogues.
func hasWords(c *lang.Catalogue, err error) bool {
	var t *Told
	return errors.As(err, &t) && c.Has(t.Key)
}

// splitView takes a view apart: a language, and what is looked at.
func splitView(view string) (code, what string) {
	code, what, _ = strings.Cut(view, "|")
	return lang.Known(code), what
}
