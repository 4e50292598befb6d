// The command kiosk: a kiosk that tops up transit cards, and the tools around
// it. See docs/ for what each command does.
package main

import (
	"fmt"
	"os"
	"runtime/debug"

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
	root.AddCommand(demoCommand(), runCommand(), scenarioCommand(), doctorCommand(), configCommand(), journalcmd.New())
	return root
}

// version is what the build recorded of the source.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "devel"
}
