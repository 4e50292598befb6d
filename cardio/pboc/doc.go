// Package pboc is the terminal's side of the PBOC electronic purse (JR/T
// 0025.2) and of T-Union cards (JT/T 978), and the judge of what became of a
// write to one of them.
//
// It promises that CREDIT FOR LOAD goes out in exactly one Transmit and that
// its outcome is read from a table (outcomes.json), with unknown for all that
// the table does not name; that whatever a card sends is bounded and cannot
// panic; that a card's PIN is never tried when one try or none is left. It
// never repeats a write, not for 6Cxx, not after an error; it never decides by
// a plain balance, an empty log or silence.
//
// Only the family remembers anything between cards: which configured PINs a
// card has refused. A restart forgets that, and costs such a card at most one
// more try. Everything about money is in the journal.
package pboc
