package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"buka/topup/sim"
)

func exploreCommand() *cobra.Command {
	b := sim.Bound{Options: sim.Options{Cards: 1, Sales: 1, Faults: 1}}
	c := &cobra.Command{
		Use:   "explore [--depth D]",
		Short: "visit every state of core, cards, host and faults up to a bound",
		Long: `Searches, breadth first, everything that may happen between a kiosk, its cards,
its host, its passengers and its power: each order of what is under way, each
fault, each moment. Every state is held against the law (docs/money.md), and
from every state all faults end and everything must come to rest. Prints one
JSON line, with "complete":true when no state within the bound is left. After a
violation it prints the shortest history that leads there, and the exit status
is 1.`,
		Args: cobra.NoArgs,
	}
	c.Flags().IntVar(&b.Depth, "depth", 0, "actions in a row; 0: no bound")
	c.Flags().IntVar(&b.Cards, "cards", b.Cards, "transit cards, 1 to 4")
	c.Flags().IntVar(&b.Sales, "sales", b.Sales, "sales in which an amount is chosen")
	c.Flags().IntVar(&b.Faults, "faults", b.Faults, "faults in one history")
	c.Flags().IntVar(&b.States, "states", 2_000_000, "states that are visited; 0: no bound")
	c.Flags().BoolVar(&b.Desk, "desk", false, "a cashier's reader too")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if b.Cards < 1 || b.Cards > 4 || b.Sales < 1 || b.Faults < 0 || b.Depth < 0 || b.States < 0 {
			return fmt.Errorf("a bound is out of range: cards 1 to 4, sales from 1, the others from 0")
		}
		realFamily(&b.Options)
		v := sim.Explore(b)
		return reportSearch(cmd, v, v.History, v.Err)
	}
	return c
}
