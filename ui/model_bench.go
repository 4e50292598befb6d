package ui

import (
	"time"

	"buka/internal/money"
)

// Bench is the virtual devices behind the bench page. All methods return at
// once; Do hands an action over, and what came of it shows in State.
type Bench interface {
	State() BenchState
	Subscribe(changed func()) (cancel func())
	Do(BenchAction) error
}

// BenchState is all that the bench shows.
type BenchState struct {
	Screen   ScreenName // what the passenger sees now
	Transit  []BenchCard
	Bank     []BenchBank
	Readers  []BenchReader
	Pad      BenchPad
	Printer  *BenchPrinter // nil: there is none
	SwitchUp bool
	FleetUp  bool
	Host     BenchHost
	PowerOn  bool
	Journal  []JournalLine // newest first
}

// BenchCard is a virtual transit card.
type BenchCard struct {
	Name, Number string
	Family       string
	Balance      money.Fen
	Counter      uint32
	Field        string // role of the reader that it lies on, "" if none
	Laid         bool   // stays until it is removed
	Tear         string // "", "before" or "after": armed for the next write
	Note         string // "expired", "blocked", …
}

// BenchBank is a virtual bank card.
type BenchBank struct {
	Name, PAN string // masked: first six, last four
	Funds     money.Fen
	Field     string
	PIN       string // the bench shows it, so that a visitor can type it
	Note      string
}

// BenchReader is a reader as the watcher sees it.
type BenchReader struct {
	Name  string
	Roles []string
	State string // "empty", "card", "gone", "two-cards", "busy"
	Card  string // name of the card in its field
}

// BenchPad is the virtual PIN pad. The digits themselves are not here.
type BenchPad struct {
	Port    string
	Display []string // the pad's own lines
	Digits  int      // how many have been typed
	Active  bool     // it asks for a PIN now
	On      bool
}

// BenchHost is how the virtual host behaves. Behaviour is one of "answers",
// "silent", "late", "drops", "declines"; Arg is its argument ("3s", "0210",
// "51").
type BenchHost struct {
	Behaviour string
	Arg       string
}

// JournalLine is one entry, for people.
type JournalLine struct {
	Seq  uint64
	At   time.Time
	Kind string
	Sale string
	Text string // what the entry says, in one line; no secrets
}

// BenchAction is something done to a virtual device.
//
//	tap     card=NAME reader=transit|desk    present and take away when the kiosk is done
//	lay     card=NAME reader=transit|desk    put down until it is removed
//	remove  card=NAME
//	tear    card=NAME when=before|after|off  at the next write, once
//	pay     card=NAME                        present a bank card
//	key     key=0…9|enter|cancel|clear       on the PIN pad
//	network link=both|switch|fleet to=up|down
//	host    behaviour=… arg=…
//	power   to=cut|on
//	printer to=paper|low|out|jam|free|open|closed|unplug|plug
type BenchAction struct {
	Name string
	Args map[string]string
}

// BenchPrinter is the virtual receipt printer.
type BenchPrinter struct {
	Port     string
	Plugged  bool
	PaperLow bool
	PaperOut bool
	Open     bool // its cover
	Jam      bool // the cutter is stuck
	Lines    int  // printed and not cut off
	Slips    []BenchSlip
}

// BenchSlip is a piece of paper that came out; newest first. A Bench that has
// any is a BenchPictures too.
type BenchSlip struct {
	Number uint64
	At     time.Time
	Text   string // for those who cannot see the picture
}

// BenchPictures is a Bench that keeps its slips as pictures.
type BenchPictures interface {
	// SlipPicture is an SVG; an error for one that is not kept.
	SlipPicture(number uint64) ([]byte, error)
}
