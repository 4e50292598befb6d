package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"buka/topup/sim"
)

func exploreCommand() *cobra.Command {
	b := sim.Bound{Options: sim.Options{Cards: 1, Sales: 1, Faults: 1}}
	var script string
	var verbose bool
	c := &cobra.Command{
		Use:   "explore [--depth D]",
		Short: "visit every state of core, cards, host and faults up to a bound",
		Long: `Searches everything that may happen between a kiosk, its cards, its host, its
passengers and its power: each order of what is under way, each fault, each
moment. Every state is held against the law (docs/money.md), and from every
state all faults end and everything must come to rest, whether cards come back
or not. What counts as one state: docs/decisions/0018.

Prints one JSON line, with "complete":true when no state within the bound is
left. After a violation it prints the shortest history that leads there, and the
same as a scenario for kiosk scenario; the exit status is 1.`,
		Args: cobra.NoArgs,
	}
	c.Flags().IntVar(&b.Depth, "depth", 0, "actions in a row, breadth first; 0: no bound, depth first")
	c.Flags().IntVar(&b.Cards, "cards", b.Cards, "transit cards, 1 to 4")
	c.Flags().IntVar(&b.Sales, "sales", b.Sales, "sales in which an amount is chosen")
	c.Flags().IntVar(&b.Faults, "faults", b.Faults, "faults in one history")
	c.Flags().IntVar(&b.Settles, "settles", 0, "how often the batch may be closed and settled")
	c.Flags().IntVar(&b.States, "states", 0, "states that are visited; 0: no bound")
	c.Flags().Uint64Var(&b.Seed, "seed", 0, "another order of trying, for a search that --states ends")
	c.Flags().BoolVar(&b.Desk, "desk", false, "a cashier's reader too")
	c.Flags().BoolVar(&b.Wide, "wide", false, "faults of host, disk, clocks and relays too that torture has")
	c.Flags().Uint64Var(&b.Variety, "variety", 0, "how the cards behave: 1 INITIALIZE wipes the proof, 2 PROVE answers to N, 4 the log has N+1, added up; times 32 for the next card")
	c.Flags().StringVar(&script, "script", "", "after a violation, write the scenario to this file")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "print on standard error, now and then, how far it is")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if b.Cards < 1 || b.Cards > 4 || b.Sales < 1 || b.Faults < 0 || b.Settles < 0 || b.Depth < 0 || b.States < 0 {
			return fmt.Errorf("a bound is out of range: cards 1 to 4, sales from 1, the others from 0")
		}
		realFamily(&b.Options)
		if verbose {
			b.Progress = func(v sim.Visit) {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d states, %d transitions, depth %d\n", v.States, v.Transitions, v.Depth)
			}
		}
		v := sim.Explore(b)
		err := reportSearch(cmd, v, v.History, v.Err)
		if v.Script == "" {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "as a scenario:\n%s", v.Script)
		if script != "" {
			if failed := os.WriteFile(script, []byte(v.Script), 0o644); failed != nil {
				return fmt.Errorf("%w; and the scenario was not written: %w", err, failed)
			}
		}
		return err
	}
	return c
}
