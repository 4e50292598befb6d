package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"

	"github.com/spf13/cobra"

	"buka/cardio/reader/pcscd"
	"buka/kiosk/scenario"
)

func scenarioCommand() *cobra.Command {
	var o scenario.Options
	var verbose bool
	c := &cobra.Command{
		Use:   "scenario [--reader memory|pcsc] FILE…",
		Short: "run acceptance scripts against the whole system",
		Long: `Runs acceptance scripts (docs/scenarios.md) against the whole system: station,
reference host, and virtual devices. A line per file; the exit status is 0 only
if all hold.

With --reader pcsc the cards sit on vpcd behind a real pcscd; one is started for
as long as the command runs if none answers and this user may.`,
		Args: cobra.MinimumNArgs(1),
	}
	c.Flags().StringVar(&o.Reader, "reader", "memory", "memory or pcsc")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "log what happens to standard error")
	c.RunE = func(cmd *cobra.Command, files []string) error {
		if o.Reader != "memory" && o.Reader != "pcsc" {
			return fmt.Errorf("--reader %q: memory or pcsc", o.Reader)
		}
		if verbose {
			o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
		defer stop()
		if o.Reader == "pcsc" { // one service for all files
			end, err := pcscd.Ensure(ctx, pcscd.Options{Desk: true})
			if errors.Is(err, pcscd.ErrNoReader) {
				end, err = pcscd.Ensure(ctx, pcscd.Options{})
			}
			if err != nil {
				return fmt.Errorf("PC/SC: %w", err)
			}
			defer end()
		}
		failed := 0
		for _, f := range files {
			if err := scenario.RunFile(ctx, f, o); err != nil {
				failed++
				fmt.Fprintf(cmd.OutOrStdout(), "FAIL %s: %v\n", f, err)
				continue
			}
			fmt.Fprintf(cmd.OutOrStdout(), "ok   %s\n", f)
		}
		if failed > 0 {
			return fmt.Errorf("%d of %d scripts failed", failed, len(files))
		}
		return nil
	}
	return c
}
