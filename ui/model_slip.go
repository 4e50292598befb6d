package ui

import "time"

// SlipState says what has become of a sale's slip: keys [slip.KEY].
type SlipState string

// The states.
const (
	SlipPrinting SlipState = "printing"
	SlipPrinted  SlipState = "printed"
	SlipNone     SlipState = "none"    // nothing came out; Code is shown instead
	SlipUnknown  SlipState = "unknown" // some of it may have come out; Code is shown, too
)

// Slip is the receipt of the sale on the screen.
type Slip struct {
	State SlipState
	Code  string // the slip as a text, for a QR code
}

// Shown says that the code stands on the screen.
func (s *Slip) Shown() bool {
	return s != nil && s.Code != "" && (s.State == SlipNone || s.State == SlipUnknown)
}

// DeskSlip is the last slip of the machine, as the cashier sees it.
type DeskSlip struct {
	Sale  string
	Claim string
	At    time.Time
	State SlipState
	Again SlipState // of the last time that it was printed again; "" if it was not
	Able  bool      // there is a printer that prints
}

// DeskReprint prints the last slip once more, marked as such.
const DeskReprint = "reprint"

// may says that the slip of that sale can be printed again now.
func (s *DeskSlip) may(sale string) bool {
	return s != nil && s.Able && s.Sale == sale && s.State != SlipPrinting && s.Again != SlipPrinting
}

// May is may, for the page.
func (s *DeskSlip) May() bool { return s.may(s.Sale) }
