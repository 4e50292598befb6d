package config

import (
	"github.com/pelletier/go-toml/v2/unstable"

	"buka/kiosk/risk"
)

// checkRisk finds the first rule that cannot be understood, and which of the list
// it is; -1 if the list as a whole is wrong.
func (c *Config) checkRisk() (*Error, int) {
	for i, r := range c.Risk.Rules {
		if _, err := risk.Compile([]risk.Rule{r}); err != nil {
			return &Error{0, "risk.rules", err.Error()}, i
		}
	}
	if _, err := risk.Compile(c.Risk.Rules); err != nil {
		return &Error{0, "risk.rules", err.Error()}, -1
	}
	return nil, 0
}

// ruleLine finds the line on which a table in the list of rules begins; 0 if there
// is none.
func ruleLine(data []byte, index int) (line int) {
	eachKey(data, func(key string, e *unstable.Node) bool {
		if key != "risk.rules" || e.Value().Kind != unstable.Array {
			return false
		}
		line = elementLine(data, e.Value(), index)
		return true
	})
	return line
}

func elementLine(data []byte, list *unstable.Node, index int) int {
	for it := list.Children(); it.Next(); index-- {
		if index > 0 {
			continue
		}
		for pair := it.Node().Children(); pair.Next(); {
			if pair.Node().Kind != unstable.KeyValue {
				continue
			}
			for key := pair.Node().Key(); key.Next(); {
				return lineAt(data, key.Node())
			}
		}
		return 0
	}
	return 0
}
