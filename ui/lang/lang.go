// Package lang holds the words of the pages and of printed slips: one TOML file a language, keys
// alike in all of them. An integrator's theme may replace single messages.
// Loading fails on what it does not know; looking up never does.
package lang

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

//go:embed en.toml zh.toml
var files embed.FS

// Default is the language of a page that nobody has chosen one for.
const Default = "en"

// Codes are the languages that there are, as the pages name them.
func Codes() []string { return []string{"en", "zh"} }

// Tag is the BCP 47 tag of a language, for the lang attribute and for speech.
func Tag(code string) string {
	if code == "zh" {
		return "zh-CN"
	}
	return "en"
}

// Known gives code if there is such a language, else Default.
func Known(code string) string {
	if slices.Contains(Codes(), code) {
		return code
	}
	return Default
}

// Catalogue is the messages of one language.
type Catalogue struct {
	Code     string
	messages map[string]string
}

// Words are all catalogues by code.
type Words map[string]*Catalogue

// Load reads the built-in catalogues and lays those of theme over them; theme
// may be nil and need not have any. Its files are named as the built-in ones
// and may hold any part of the keys; other keys are an error, so that a
// misspelt one is noticed.
func Load(theme fs.FS) (Words, error) {
	words := Words{}
	for _, code := range Codes() {
		own, err := read(files, code+".toml")
		if err != nil {
			return nil, err
		}
		if theme != nil {
			over, err := read(theme, code+".toml")
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("theme: %w", err)
			}
			for key, text := range over {
				if _, ok := own[key]; !ok {
					return nil, fmt.Errorf("theme: %s.toml: there is no message %q", code, key)
				}
				own[key] = text
			}
		}
		words[code] = &Catalogue{Code: code, messages: own}
	}
	return words, nil
}

// LoadTheme is Load with the catalogues in the folder lang of a theme's folder;
// "" means no theme. Links that lead out of the folder are not followed.
func LoadTheme(dir string) (Words, error) {
	if dir == "" {
		return Load(nil)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("theme: %w", err)
	}
	defer root.Close()
	theme, err := fs.Sub(root.FS(), "lang")
	if err != nil {
		return nil, fmt.Errorf("theme: %w", err)
	}
	return Load(theme)
}

func read(fsys fs.FS, name string) (map[string]string, error) {
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := toml.Unmarshal(data, &tree); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	flat := map[string]string{}
	if err := flatten(flat, "", tree); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return flat, nil
}

func flatten(into map[string]string, prefix string, tree map[string]any) error {
	for key, v := range tree {
		switch v := v.(type) {
		case string:
			into[prefix+key] = strings.TrimSpace(v)
		case map[string]any:
			if err := flatten(into, prefix+key+".", v); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s%s is not a text", prefix, key)
		}
	}
	return nil
}

// Has says whether there is such a message.
func (c *Catalogue) Has(key string) bool { _, ok := c.messages[key]; return ok }

// Keys are all message keys, sorted.
func (c *Catalogue) Keys() []string { return slices.Sorted(maps.Keys(c.messages)) }

// Missing marks a message that no catalogue has. Tests look for it.
const Missing = "⟦"

// T gives a message with its {names} replaced: args are pairs of a name and a
// value. A key that does not exist comes back in marks, as ⟦key⟧.
func (c *Catalogue) T(key string, args ...any) string {
	text, ok := c.messages[key]
	if !ok {
		return Missing + key + "⟧"
	}
	if len(args) < 2 {
		return text
	}
	pairs := make([]string, 0, len(args))
	for i := 0; i+1 < len(args); i += 2 {
		pairs = append(pairs, fmt.Sprintf("{%v}", args[i]), fmt.Sprint(args[i+1]))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
