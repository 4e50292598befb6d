package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"buka/topup/sim"
	"buka/topup/sim/realpboc"
)

// realFamily puts the real family's judge and table of outcomes into a model
// world.
func realFamily(o *sim.Options) { realpboc.Family(o) }

func tortureCommand() *cobra.Command {
	p := sim.Plan{Options: sim.Options{Cards: 3}}
	var faults string
	c := &cobra.Command{
		Use:   "torture [--sales N] [--seed S] [--faults LIST]",
		Short: "random sales under random faults in a model world",
		Long: `Plays random sales under random faults in a single-threaded model of cards,
kiosks, host, links, journal, passengers, cashiers and power, around the real
decisions about money and the real conversation with a card, and holds every
state against the law (docs/money.md). Prints one JSON
line; the same seed gives the same line. After a violation it prints the
shortest history it found, and the exit status is 1.`,
		Args: cobra.NoArgs,
	}
	c.Flags().IntVar(&p.Sales, "sales", 100_000, "how many sales are opened")
	c.Flags().Uint64Var(&p.Seed, "seed", 1, "the seed of the random choices")
	c.Flags().StringVar(&faults, "faults", "all", "names divided by commas, all or none")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		var err error
		if p.Allowed, err = sim.ParseFaults(faults); err != nil {
			return err
		}
		realpboc.Cards(&p.Options)
		r := sim.Torture(p)
		err = reportSearch(cmd, r, r.History, r.Err)
		if r.Script != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "as a scenario:\n%s", r.Script)
		}
		return err
	}
	return c
}

// reportSearch prints the one line, and the history after a violation.
func reportSearch(cmd *cobra.Command, line any, history []string, violation error) error {
	if err := json.NewEncoder(cmd.OutOrStdout()).Encode(line); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	if violation == nil {
		return nil
	}
	tellHistory(cmd.ErrOrStderr(), history)
	return violation
}

func tellHistory(w io.Writer, history []string) {
	fmt.Fprintln(w, "the history that leads there:")
	for i, line := range history {
		fmt.Fprintf(w, "%4d  %s\n", i+1, line)
	}
}
