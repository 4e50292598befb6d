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
	var file string
	add := &cobra.Command{
		Use: "add NAME", Args: cobra.ExactArgs(1),
		Short: "make an account, or give it a new password; it is printed once, and a running page takes it at once",
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(file)
			if err != nil {
				return err
			}
			made, err := login.Add(filepath.Join(cfg.Data, "operators.json"), "operator", args[0])
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "name %s, password %s (shown only now)\n", made.Name, made.Password)
			}
			return err
		},
	}
	add.Flags().StringVar(&file, "config", "", "configuration file")
	_ = add.MarkFlagRequired("config")
	c.AddCommand(add)
	return c
}
