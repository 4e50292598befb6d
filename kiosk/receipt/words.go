package receipt

import (
	"sync"

	"buka/ui/lang"
)

// said is a text in both languages. Slips are read out of hand by people who do
// not choose a language first, so the labels carry both.
type said struct{ zh, en string }

// label is how both stand before a value.
func (s said) label(l Languages) string {
	if l == EnglishOnly || s.zh == "" {
		return s.en
	}
	return s.zh + " " + s.en
}

// Languages says what a slip is written in: Chinese and English, the
// passenger's first; or English alone, for a printer without Chinese characters.
type Languages uint8

const (
	ChineseFirst Languages = iota
	EnglishFirst
	EnglishOnly
)

// each gives a text in the order of the languages.
func (s said) each(l Languages) []string {
	switch l {
	case EnglishOnly:
		return []string{s.en}
	case EnglishFirst:
		return []string{s.en, s.zh}
	}
	return []string{s.zh, s.en}
}

// builtin are the words of the catalogues without a theme. They are part of the
// program: that they load is a test of theirs.
var builtin = sync.OnceValue(func() lang.Words {
	words, err := lang.Load(nil)
	if err != nil {
		panic(err)
	}
	return words
})

// say gives a text of the catalogues: a key of [receipt] there, or any other that
// is written whole.
func (s Site) say(key string) said {
	words := s.Words
	if words == nil {
		words = builtin()
	}
	return said{words["zh"].T(key), words["en"].T(key)}
}

func (s Site) word(name string) said   { return s.say("receipt." + name) }
func (s Site) title(end Ending) said   { return s.say("receipt.title." + string(end)) }
func (s Site) passage(end Ending) said { return s.say("receipt.text." + string(end)) }
