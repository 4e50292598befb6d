// The command kiosk: a kiosk that tops up transit cards, and the tools around
// it. See docs/ for what each command does.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"buka/kiosk/journalcmd"
)

func main() {
	if err := rootCommand().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "kiosk:", err)
		os.Exit(1)
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use: "kiosk", Short: "Buka: top up transit cards, and finish the top-ups that went wrong",
		SilenceErrors: true, SilenceUsage: true, Version: version(),
	}
	root.AddCommand(demoCommand(), runCommand(), scenarioCommand(), doctorCommand(), configCommand(), journalcmd.New(), staffCommand())
	root.AddCommand(exploreCommand(), tortureCommand())
	return root
}

// revision is set by the build (make build).
var revision string

// version names the source that this was built from.
func version() string {
	if revision == "" {
		return "devel"
	}
	return revision
}
