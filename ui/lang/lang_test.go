package lang

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestCataloguesAgree(t *testing.T) {
	words, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	en, zh := words["en"], words["zh"]
	if !slices.Equal(en.Keys(), zh.Keys()) {
		for _, k := range en.Keys() {
			if !zh.Has(k) {
				t.Errorf("zh has no %s", k)
			}
		}
		for _, k := range zh.Keys() {
			if !en.Has(k) {
				t.Errorf("en has no %s", k)
			}
		}
	}
	names := regexp.MustCompile(`\{[a-z]+\}`)
	for _, k := range en.Keys() {
		a, b := names.FindAllString(en.T(k), -1), names.FindAllString(zh.T(k), -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(slices.Compact(a), slices.Compact(b)) {
			t.Errorf("%s: en replaces %v, zh %v", k, a, b)
		}
		if en.T(k) == "" || zh.T(k) == "" {
			t.Errorf("%s is empty", k)
		}
	}
}

func TestReplace(t *testing.T) {
	words, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := words["en"].T("bar.hotline", "number", "{id}"); got != "Hotline {id}" {
		t.Error("a value was taken for a name:", got)
	}
	if got := words["en"].T("no.such"); !strings.HasPrefix(got, Missing) {
		t.Error(got)
	}
}

func TestTheme(t *testing.T) {
	words, err := Load(fstest.MapFS{"en.toml": {Data: []byte("[app]\nname = \"Metro\"\n")}})
	if err != nil {
		t.Fatal(err)
	}
	if words["en"].T("app.name") != "Metro" || words["zh"].T("app.name") != "不卡" {
		t.Fatal(words["en"].T("app.name"))
	}
	for _, bad := range []string{"[app]\nnaem = \"x\"", "[app]\nname = 5", "[app"} {
		if _, err := Load(fstest.MapFS{"en.toml": {Data: []byte(bad)}}); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
