package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"

	"github.com/pelletier/go-toml/v2"

	"buka/sync/host"
)

//go:embed config.toml
var example []byte

// Config of the host, as in config.toml.
type Config struct {
	Data        string   `toml:"data"`
	Listen      string   `toml:"listen"`
	Hosts       []string `toml:"hosts"`
	Switch      string   `toml:"switch"`
	Authority   string   `toml:"authority"`
	Spec        string   `toml:"spec"`
	MAC         string   `toml:"mac"`
	WorkingKeys bool     `toml:"working_keys"`
	Fleet       string   `toml:"fleet"`
	MaxBalance  string   `toml:"max_balance"`
	RequireChip bool     `toml:"require_chip"`
	NoPINLimit  string   `toml:"no_pin_limit"`
	BINs        []string `toml:"bins"`
	TLS         struct {
		Cert     string `toml:"cert"`
		Key      string `toml:"key"`
		ClientCA string `toml:"client_ca"`
	} `toml:"tls"`
	Kiosks map[string]string `toml:"kiosks"`
	Keys   struct {
		BDK    string `toml:"bdk"`
		AESBDK string `toml:"aes_bdk"`
		TMK    string `toml:"tmk"`
		Chip   string `toml:"chip"`
		Load   string `toml:"load"`
		TAC    string `toml:"tac"`
	} `toml:"keys"`
	Terminals map[string]string `toml:"terminals"`

	made host.Config // what the above comes to
}

const maxConfig = 1 << 20

func loadConfig(path string) (Config, error) {
	data, err := readFile(path, maxConfig)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	c, err := parseConfig(data)
	if err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parseConfig(data []byte) (Config, error) {
	c := Config{Data: "host-data", Listen: "127.0.0.1:8090", Switch: "127.0.0.1:5000", Fleet: "127.0.0.1:4222",
		MaxBalance: "1000.00", Spec: "unionpay", MAC: "none", NoPINLimit: "0.00"}
	if len(data) > maxConfig {
		return c, errors.New("too large for a configuration")
	}
	err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&c)
	var strict *toml.StrictMissingError
	var bad *toml.DecodeError
	switch {
	case errors.As(err, &strict) && len(strict.Errors) > 0:
		row, _ := strict.Errors[0].Position()
		return c, fmt.Errorf("line %d: %v: no such key", row, strict.Errors[0].Key())
	case errors.As(err, &bad):
		row, _ := bad.Position()
		return c, fmt.Errorf("line %d: %w", row, err)
	case err != nil:
		return c, err
	}
	c.made, err = c.host()
	var value *badValue
	if errors.As(err, &value) {
		if row := lineOf(data, value.table, value.key); row > 0 {
			err = fmt.Errorf("line %d: %w", row, err)
		}
	}
	return c, err
}
