// Package ui holds the pages of the kiosk and of the host: passenger, bench,
// cashier, operator.
//
// It promises that the service is the truth and the browser only shows it.
// Pages are rendered here with html/template and go out as fragments over a
// websocket; the browser replaces elements by id and sends back what was
// pressed, with the sale and the revision of the screen that it was pressed
// on. An input for another sale or another revision is dropped, so a late tap
// never lands on the next passenger. A browser that reads too slowly is
// dropped, never waited for: it comes back and gets the full state.
//
// It never decides about money, never keeps state that matters, and never
// shows a text that an error made to a passenger: every sentence is in the
// catalogues of ui/lang. Bank cards are shown as first six and last four
// digits, transit cards as the last four.
//
// Nothing here survives a crash, on purpose. Sessions of staff end with the
// process; what the passenger chose to ease reading ends with the passenger.
package ui
