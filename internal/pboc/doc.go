// Package pboc holds the arithmetic and the file formats of the PBOC electronic
// purse (JR/T 0025.2) and of T-Union cards (JT/T 978): key diversification, the
// MACs and the TAC of a load and of a purchase, EF15 and EF18.
//
// It promises only what the standard computes; both sides of the conversation
// use it, card and authority, so a mistake here would hide in a round trip:
// hence the published vectors and the set computed with other tools in
// testdata/. It never talks to a card, never decides what an answer means for
// money, and never prints a key. Bad bytes from a card are an error, not a
// panic. Nothing is kept.
package pboc
