package ui

import (
	"log/slog"

	"buka/ui/login"
)

// Options say which pages a server has. A nil part means that its page is
// absent.
type Options struct {
	Passenger Passenger
	Bench     Bench // never on a real kiosk
	Desk      Desk
	Fleet     Fleet

	DeskLogin  *login.Gate // must be set if Desk is
	FleetLogin *login.Gate // must be set if Fleet is

	// ThemeDir may hold static/, templates/ and lang/ whose files stand in
	// for the built-in ones. Catalogues are merged key by key.
	ThemeDir string
	// Hosts are the names, besides localhost and IP addresses, under which
	// the pages may be called. Others are refused (DNS rebinding).
	Hosts []string
	// Kiosk is the id that passengers may quote. "" is not shown.
	Kiosk string
	// Place is where it stands: for whoever has to find it, or asks by telephone.
	Place string
	// ClaimURL is what the QR code of a claim number holds, with {claim} in
	// it; "" means the number alone.
	ClaimURL string
	Logger   *slog.Logger // nil: slog.Default()
}
