package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"buka/sync/host/hostbench"
)

// authorised payments for the host's ratio.
const authorised = 1000

// authorisations measures payments at the host: PIN under DUKPT, the chip's
// cryptogram, and the commit, one after the other.
func authorisations(ctx context.Context, dir string) error {
	ours, bare, err := hostbench.Authorisations(ctx, filepath.Join(dir, "authorisations"), authorised)
	if err != nil {
		return err
	}
	ours, bare = ours/authorised, bare/authorised
	row("a payment at the host", ours.Round(time.Microsecond).String(), float64(ours)/float64(bare), 4, "a bare SQLite commit of a row, "+bare.Round(time.Microsecond).String())
	fmt.Printf("%-34s %-12s with PIN, cryptogram and commit, one after the other\n", "  and in a second", fmt.Sprintf("%.0f", float64(time.Second)/float64(ours)))
	return nil
}
