package ui

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"os"

	"buka/ui/lang"
)

//go:embed static templates
var builtin embed.FS

// theme is what the pages are made of: templates, words and static files,
// the built-in ones with an integrator's on top.
type theme struct {
	words  lang.Words
	pages  map[string]*template.Template // by language
	static fs.FS
}

// loadTheme reads everything once; a mistake in a theme is found at the start
// and not in front of a passenger. dir may be "".
func loadTheme(dir string) (*theme, error) {
	layers := layered{builtin}
	if dir != "" {
		root, err := os.OpenRoot(dir) // links that lead out of it are not followed
		if err != nil {
			return nil, fmt.Errorf("theme: %w", err)
		}
		layers = layered{root.FS(), builtin}
	}
	t := &theme{pages: map[string]*template.Template{}}
	var err error
	if t.words, err = lang.LoadTheme(dir); err != nil {
		return nil, err
	}
	if t.static, err = fs.Sub(layers, "static"); err != nil {
		return nil, err
	}
	for code, c := range t.words {
		page := template.New("")
		page.Funcs(functions(c, page))
		for _, name := range templateFiles {
			text, err := fs.ReadFile(layers, "templates/"+name)
			if err != nil {
				return nil, fmt.Errorf("theme: %w", err)
			}
			if _, err := page.New(name).Parse(string(text)); err != nil {
				return nil, fmt.Errorf("theme: %w", err)
			}
		}
		t.pages[code] = page
	}
	return t, nil
}

var templateFiles = []string{"art.html", "shell.html", "passenger.html", "screens.html", "bench.html", "desk.html", "fleet.html", "login.html"}

// layered opens a file from the first layer that has it.
type layered []fs.FS

func (l layered) Open(name string) (fs.File, error) {
	for _, layer := range l {
		f, err := layer.Open(name)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}
