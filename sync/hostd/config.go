package main

import (
	"bytes"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/pelletier/go-toml/v2"

	"buka/internal/money"
	"buka/sync/host"
)

//go:embed config.toml
var example []byte

// Config of the host, as in config.toml.
type Config struct {
	Data       string            `toml:"data"`
	Listen     string            `toml:"listen"`
	Hosts      []string          `toml:"hosts"`
	Switch     string            `toml:"switch"`
	Fleet      string            `toml:"fleet"`
	MaxBalance string            `toml:"max_balance"`
	Kiosks     map[string]string `toml:"kiosks"`
	Keys       struct {
		BDK  string `toml:"bdk"`
		Load string `toml:"load"`
		TAC  string `toml:"tac"`
	} `toml:"keys"`

	keys  host.Keys
	limit money.Fen
}

const maxConfig = 1 << 20

func loadConfig(path string) (Config, error) {
	data, err := os.ReadFile(path)
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
	c := Config{Data: "host-data", Listen: "127.0.0.1:8090", Switch: "127.0.0.1:5000", Fleet: "127.0.0.1:4222", MaxBalance: "1000.00"}
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
	if c.limit, err = money.Parse(c.MaxBalance); err != nil {
		return c, fmt.Errorf("max_balance: %w", err)
	}
	for id, password := range c.Kiosks {
		if password == "" {
			return c, fmt.Errorf("kiosks.%s: a password is wanted", id)
		}
	}
	c.keys = host.DefaultKeys()
	for name, k := range map[string]struct {
		text string
		to   []byte
	}{"bdk": {c.Keys.BDK, c.keys.BDK[:]}, "load": {c.Keys.Load, c.keys.Load[:]}, "tac": {c.Keys.TAC, c.keys.TAC[:]}} {
		if k.text == "" {
			continue
		}
		b, err := hex.DecodeString(k.text)
		if err != nil || len(b) != 16 {
			return c, fmt.Errorf("keys.%s: 32 hex digits are wanted", name)
		}
		copy(k.to, b)
	}
	return c, nil
}

// testKeys says that at least one key is the published one.
func (c Config) testKeys() bool {
	d := host.DefaultKeys()
	return c.keys.BDK == d.BDK || c.keys.Load == d.Load || c.keys.TAC == d.TAC
}

func (c Config) host(log *slog.Logger) host.Config {
	return host.Config{Dir: c.Data, Keys: c.keys, Listen: c.Switch, Logger: log, MaxBalance: c.limit}
}
