package journalcmd

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"buka/internal/entry"
)

// maxLast bounds what --last keeps in memory.
const maxLast = 100_000

// pick says which entries a command prints.
type pick struct {
	from  uint64
	kinds []string
	sale  string
	last  int
}

func (p *pick) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Uint64Var(&p.from, "from", 1, "begin at entry `SEQ`")
	f.StringSliceVar(&p.kinds, "kind", nil, "only entries of this `KIND`; may be repeated")
	f.StringVar(&p.sale, "sale", "", "only entries of the sale with this `ID` or claim number")
	f.IntVar(&p.last, "last", 0, "only the last `N` of them")
}

func (p *pick) check() error {
	known := entry.Kinds()
	slices.Sort(known)
	for _, k := range p.kinds {
		if !slices.Contains(known, entry.Kind(k)) {
			names := make([]string, len(known))
			for i, k := range known {
				names[i] = string(k)
			}
			return fmt.Errorf("there is no kind %q; the kinds are: %s", k, strings.Join(names, " "))
		}
	}
	if p.last < 0 || p.last > maxLast {
		return fmt.Errorf("--last takes a number from 1 to %d", maxLast)
	}
	return nil
}

// wants compares what can be compared: the kind, and the sale by its id or the
// beginning of it, written as on a claim ticket or not.
func (p *pick) wants(l line) bool {
	if len(p.kinds) > 0 && !slices.Contains(p.kinds, string(l.Kind)) {
		return false
	}
	return p.sale == "" || l.Sale != "" && strings.HasPrefix(plain(string(l.Sale)), plain(p.sale))
}

func plain(id string) string { return strings.ToUpper(strings.ReplaceAll(id, "-", "")) }

// each calls fn for the entries that are wanted, in order.
func (p *pick) each(r reader, whole bool, fn func(line) error) error {
	if err := p.check(); err != nil {
		return err
	}
	from := max(p.from, 1)
	if tail, _ := r.Tail(); p.last > 0 && len(p.kinds) == 0 && p.sale == "" && tail >= uint64(p.last) {
		from = max(from, tail-uint64(p.last)+1)
	}
	var ring []line
	next := 0
	err := r.Each(from, func(e entry.Entry, raw []byte) error {
		l := newLine(e, sha256.Sum256(raw))
		if !p.wants(l) {
			return nil
		}
		if whole {
			l = l.whole(e, raw)
		}
		switch {
		case p.last == 0:
			return fn(l)
		case len(ring) < p.last:
			ring = append(ring, l)
		default:
			ring[next] = l
			next = (next + 1) % p.last
		}
		return nil
	})
	for i := range ring { // what was read before any damage is shown
		if err := fn(ring[(next+i)%len(ring)]); err != nil {
			return err
		}
	}
	return err
}
