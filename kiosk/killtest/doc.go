// Package killtest kills the real `kiosk run` in the middle of real top-ups.
//
// The kiosk is a process of its own, on the real pcscd. Everything that a kill
// must not take along lives in the test's process: the cards on vpcd with their
// EEPROM, the PIN pad on its pty, the host with its ledger. A passenger without
// patience looks at the page over its websocket, lays cards and types PINs. The
// process gets SIGKILL at random: after some time, inside a command to a card,
// while the host works on a message, or a little after either, when the journal
// is being written.
//
// After each kill the kiosk must be back by itself, ready or recovering, within
// a deadline; nothing that its host was told may be missing in its journal, nor
// any sale whose payment has left it. Every so often all is left to come to
// rest: then the bank has taken exactly what the cards have gained. Neither of
// the two is asked of the journal.
//
// A second test fills the disk under a whole kiosk in the middle of a sale.
package killtest
