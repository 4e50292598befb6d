// Package receipt makes the slip that a passenger is given, out of the journal
// and of nothing else: the same entries give the same slip, so one that is
// printed again after a restart says what the first one said.
//
// It promises what a slip must carry: terminal and merchant, date and time by
// the host, the bank card with its middle digits hidden, STAN, reference,
// batch and authorisation, application and cryptogram of a chip, the top-up,
// the balance before and after where they are known, how it ended in words of
// two languages, the claim number with its code, and whom to call. It never
// shows a transit card's whole number, never says that something is done which
// the journal does not know to be done, and it decides nothing.
//
// facts.go reads the journal, ending.go says how a sale stands, slip.go lays
// the paper out, words.go finds the words in the catalogues of the pages
// ([receipt] of ui/lang), where a theme may replace them, code.go is the slip as a text for a QR
// code.
package receipt
