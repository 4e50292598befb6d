package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"buka/internal/entry"
)

// names are what the tree declares: tests by package, and everything else.
type names struct {
	tests map[string]bool // package.TestName
	all   map[string]bool
}

// declared reads the tree once for all tests.
var declared = sync.OnceValues(func() (names, error) {
	n := names{map[string]bool{}, map[string]bool{}}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			if d != nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
				return filepath.SkipDir
			}
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		test := strings.HasSuffix(path, "_test.go")
		ast.Inspect(f, func(x ast.Node) bool {
			switch x := x.(type) {
			case *ast.FuncDecl:
				if test && x.Recv == nil {
					n.tests[filepath.Base(filepath.Dir(path))+"."+x.Name.Name] = true
				} else if !test {
					n.all[x.Name.Name] = true
				}
				return false
			case *ast.TypeSpec:
				n.all[x.Name.Name] = n.all[x.Name.Name] || !test
			case *ast.ValueSpec:
				for _, name := range x.Names {
					n.all[name.Name] = n.all[name.Name] || !test
				}
			}
			return true
		})
		return nil
	})
	return n, err
})

var root = filepath.Join("..", "..")

// page is docs/money.md, and what the tree declares.
func page(t *testing.T) (string, names) {
	t.Helper()
	n, err := declared()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(root, "docs", "money.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data), n
}

var (
	ticked  = regexp.MustCompile("`([^`\n]+)`")
	isTest  = regexp.MustCompile(`^([a-z]+\.)(Test\w+)$`)
	isLaw   = regexp.MustCompile(`(?m)^### Law (\d+)\. `)
	isIdent = regexp.MustCompile(`^[A-Za-z]\w*(\.[A-Za-z]\w*)?$`)
	isKind  = regexp.MustCompile(`^[a-z]+(-[a-z]+)+$`)
)

// TestMoneyPage: what docs/money.md names exists, each mutant of the tree stands
// under the law that it breaks, and every kind of entry has its row.
func TestMoneyPage(t *testing.T) {
	whole, n := page(t)
	for _, bad := range moneyPage(t, whole, n) {
		t.Error(bad)
	}
}

// TestMoneyPageCanFail: each thing that the page promises, taken away.
func TestMoneyPageCanFail(t *testing.T) {
	whole, n := page(t)
	for from, to := range map[string]string{
		"`topup.TestRecordFirst`":     "`topup.TestRecordLast`",
		"`reverse-unknown-write`":     "",
		"`first-topup.txt`":           "`last-topup.txt`",
		"`closeFinished`":             "`closeWhatever`",
		"| `sale-closed` |":           "| |",
		"kinds, all in":               "or so kinds, all in",
		"`stop-hangs`":                "`stop-hangs` `no-such-mutant`",
		"| searched by | `lastEnds`:": "| found by |",
	} {
		page := strings.Replace(whole, from, to, 1)
		if page == whole {
			t.Errorf("%s is not on the page", from)
		} else if len(moneyPage(t, page, n)) == 0 {
			t.Errorf("nobody notices %s instead of %s", to, from)
		}
	}
}

func moneyPage(t *testing.T, page string, n names) (bad []string) {
	t.Helper()
	say := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	mutants := map[string]string{} // name → law
	patches, err := filepath.Glob(filepath.Join(root, "topup", "sim", "testdata", "mutants", "*.patch"))
	if err != nil || len(patches) == 0 {
		t.Fatal(patches, err)
	}
	for _, p := range patches {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		law, _, _ := strings.Cut(strings.TrimPrefix(string(data), "law "), ":")
		mutants[strings.TrimSuffix(filepath.Base(p), ".patch")] = law
	}
	laws := isLaw.FindAllStringSubmatchIndex(page, -1)
	if len(laws) != 10 {
		say("%d laws", len(laws))
	}
	end := strings.Index(page, "\n## 3.")
	for i, at := range laws {
		law, until := page[at[2]:at[3]], end
		if i+1 < len(laws) {
			until = laws[i+1][0]
		}
		section := page[at[0]:max(at[0], until)]
		rows := map[string]string{}
		for line := range strings.SplitSeq(section, "\n") {
			if cells := strings.SplitN(line, "|", 3); len(cells) == 3 {
				rows[strings.TrimSpace(cells[1])] = cells[2]
			}
		}
		for _, row := range []string{"asserted in", "searched by", "mutants", "other tests", "scripts"} {
			if rows[row] == "" {
				say("law %s has no row %q", law, row)
			}
		}
		for name, of := range mutants {
			if of == law && !strings.Contains(rows["mutants"], "`"+name+"`") {
				say("law %s: the mutant %s is not named", law, name)
			}
		}
		for _, m := range ticked.FindAllStringSubmatch(rows["mutants"], -1) {
			if mutants[m[1]] != law {
				say("law %s: there is no mutant %s of this law", law, m[1])
			}
		}
		for _, m := range ticked.FindAllStringSubmatch(rows["asserted in"]+rows["searched by"], -1) {
			name := m[1][strings.LastIndex(m[1], ".")+1:]
			if isIdent.MatchString(m[1]) && !strings.HasSuffix(m[1], ".json") && name != "store" && !n.all[name] {
				say("law %s: nothing is called %s", law, m[1])
			}
		}
	}
	for _, m := range ticked.FindAllStringSubmatch(page, -1) {
		if test := isTest.FindStringSubmatch(strings.TrimPrefix(m[1], "internal/")); test != nil && !n.tests[test[1]+test[2]] {
			say("there is no test %s", m[1])
		}
		if strings.HasSuffix(m[1], ".txt") {
			if found, _ := filepath.Glob(filepath.Join(root, "kiosk", "scenario", "testdata", m[1])); len(found) == 0 {
				say("there is no script %s", m[1])
			}
		}
	}
	return append(bad, entriesNamed(page)...)
}

// entriesNamed says which kinds of entry have no row in §3, and which rows no
// kind.
func entriesNamed(page string) (bad []string) {
	_, section, _ := strings.Cut(page, "\n## 3. ")
	section, _, _ = strings.Cut(section, "\n## 4. ")
	if want := fmt.Sprintf("\n%d kinds, all in", len(entry.Kinds())); !strings.Contains(section, want) {
		bad = append(bad, fmt.Sprintf("§3 does not say %q", strings.TrimSpace(want)))
	}
	var named []string
	for line := range strings.SplitSeq(section, "\n") {
		if cells := strings.SplitN(line, "|", 3); len(cells) == 3 {
			for _, m := range ticked.FindAllStringSubmatch(cells[1], -1) {
				named = append(named, m[1])
			}
		}
	}
	for _, k := range entry.Kinds() {
		if !slices.Contains(named, string(k)) {
			bad = append(bad, fmt.Sprintf("§3 has no row of the entry %s", k))
		}
	}
	for _, name := range named {
		if isKind.MatchString(name) && !slices.Contains(entry.Kinds(), entry.Kind(name)) {
			bad = append(bad, fmt.Sprintf("§3: there is no entry %s", name))
		}
	}
	return bad
}
