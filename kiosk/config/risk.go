package config

import (
	"strings"

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
func ruleLine(data []byte, index int) int {
	var p unstable.Parser
	p.Reset(data)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		var parts []string
		for it := e.Key(); it.Next(); {
			parts = append(parts, string(it.Node().Data))
		}
		key := strings.Join(parts, ".")
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = key + "."
		case unstable.KeyValue:
			if table+key == "risk.rules" && e.Value().Kind == unstable.Array {
				return elementLine(data, e.Value(), index)
			}
		}
	}
	return 0
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
				return 1 + strings.Count(string(data[:key.Node().Raw.Offset]), "\n")
			}
		}
		return 0
	}
	return 0
}
