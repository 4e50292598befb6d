package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"buka/sync/host"
)

// newKeysCommand has a terminal draw new working keys. A running host hears of it
// through the database.
func newKeysCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "new-keys --config FILE MERCHANT/TERMINAL", Args: cobra.ExactArgs(1),
		Short: "have a terminal sign on for new working keys before anything else of it is heard",
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(file)
			if err != nil {
				return err
			}
			merchant, terminal, ok := strings.Cut(args[0], "/")
			if !ok {
				return fmt.Errorf("%q: merchant and terminal are wanted, with a / between", args[0])
			}
			h, err := cfg.beside(cmd.Context())
			if err != nil {
				return err
			}
			defer h.Close()
			if err := h.RequireNewKeys(cmd.Context(), merchant, terminal); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "terminal", args[0], "signs on before it is heard again")
			return nil
		},
	}
	c.Flags().StringVar(&file, "config", "", "configuration file")
	_ = c.MarkFlagRequired("config")
	return c
}

// beside opens the database next to a host that may be running, and serves
// nobody.
func (c Config) beside(ctx context.Context) (*host.Host, error) {
	hc := c.made
	hc.Listen, hc.Authority, hc.TLS = "127.0.0.1:0", "", nil
	return host.Open(ctx, hc)
}
