package main

import (
	"fmt"
	"time"

	"buka/sync/switchlink/switchbench"
)

// linked payments for the switch link's ratio; each is two messages.
const linked = 3000

// messages measures the switch link: codec, MAC and connection, both ends on one
// core.
func messages() error {
	ours, bare, err := switchbench.Messages(linked)
	if err != nil {
		return err
	}
	ours, bare = ours/linked/2, bare/linked/2
	row("a message on the switch link", ours.Round(time.Microsecond).String(), float64(ours)/float64(bare), 2.5, "the bare codec, pack and unpack, "+bare.Round(time.Microsecond).String())
	fmt.Printf("%-34s %-12s through codec, MAC and connection, both ends on one core\n", "  and in a second", fmt.Sprintf("%.0f", float64(time.Second)/float64(ours)))
	return nil
}
