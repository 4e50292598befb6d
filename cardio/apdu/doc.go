// Package apdu holds what travels between a terminal and a card: ISO 7816-4
// short commands, responses, status words, and the BER-TLV data inside them.
//
// It promises that whatever bytes a card sends are either decoded or refused
// with an error: no input panics, every length, depth and count is bounded.
// It never decides what a status word means for money (that is the card
// family's table) and never prints the data field of a command, which may be a
// PIN. It keeps nothing, so nothing survives a crash.
package apdu
