package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"buka/kiosk/config"
	"buka/kiosk/doctor"
)

func doctorCommand() *cobra.Command {
	var file string
	var asJSON bool
	c := &cobra.Command{
		Use: "doctor --config FILE", Args: cobra.NoArgs,
		Short: "look at readers, devices, links, clock, disk and journal; say what is wrong and what to do",
	}
	c.Flags().StringVar(&file, "config", "", "configuration file")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	_ = c.MarkFlagRequired("config")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := config.Load(file)
		if err != nil {
			return err
		}
		found := doctor.Examine(cmd.Context(), cfg)
		wrong := 0
		for _, f := range found {
			if !f.OK {
				wrong++
			}
		}
		if asJSON {
			if err := json.NewEncoder(cmd.OutOrStdout()).Encode(found); err != nil {
				return err
			}
		} else {
			for _, f := range found {
				mark := "ok  "
				if !f.OK {
					mark = "FAIL"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s %-16s %s\n", mark, f.What, f.Says)
				if f.Do != "" {
					fmt.Fprintf(cmd.OutOrStdout(), "     %-16s → %s\n", "", f.Do)
				}
			}
		}
		if wrong > 0 {
			return errors.New(fmt.Sprint(wrong, " things need somebody"))
		}
		return nil
	}
	return c
}
