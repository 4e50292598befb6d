// Package purse says what every stored-value card can do, whatever its family:
// be recognised, show balance and log, show a proof of its last load, and take
// part in a load up to and including the write. Families (cardio/pboc, …)
// fulfil the interfaces; cardio/purse/purtest is the one suite that all of them
// pass.
//
// It promises that the write is one Transmit that no layer repeats, that every
// write has one of three outcomes, and that what a card shows before an
// INITIALIZE can be journalled before the next command goes to it. It never
// decides about money: it reports what was seen, and the family's Judge weighs
// it. It never opens readers and knows no keys.
//
// Nothing here survives a crash: what must survive is in the journal before the
// call that could lose it.
package purse
