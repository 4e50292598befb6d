package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"buka/ui/login"
)

// staffCommand makes names for the staff pages: who decides together with
// another needs a name of their own.
func staffCommand() *cobra.Command {
	c := &cobra.Command{Use: "staff", Short: "names and passwords of the staff pages"}
	var dir, page string
	add := &cobra.Command{
		Use: "add NAME", Args: cobra.ExactArgs(1),
		Short: "make an account, or give it a new password; it is printed once, and a running page takes it at once",
		RunE: func(cmd *cobra.Command, args []string) error {
			if page != "cashier" && page != "operator" {
				return fmt.Errorf("--page %q: cashier or operator", page)
			}
			made, err := login.Add(filepath.Join(dir, page+"s.json"), page, args[0])
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "name %s, password %s (shown only now)\n", made.Name, made.Password)
			}
			return err
		},
	}
	add.Flags().StringVar(&dir, "data", "data", "data directory of the kiosk or the demo")
	add.Flags().StringVar(&page, "page", "cashier", "cashier, or operator of a demo")
	c.AddCommand(add)
	return c
}
