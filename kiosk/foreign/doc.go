// Package foreign is a purse card by another hand: a T-Union card program on
// vpcd for the tests, written from the field's public facts alone (the sheet
// pboc-purse.md §1.1 to §1.8 and pcsc.md §4.3). It imports nothing of this
// module, not even the amounts: what the kiosk and the house's own virtual card
// could have misunderstood together, this one may contradict.
//
// It runs as a process of its own (Start, Main), is told what to do by lines on
// its standard input, and is its own truth about what was loaded onto it. It
// promises what a real card promises: a command that changes the purse happens
// as a whole or not at all, and a card that has lost its field keeps its purse
// and forgets its session. Its purse lives in memory and ends with its process.
//
// It is test support only: no command of the kiosk starts it.
package foreign
