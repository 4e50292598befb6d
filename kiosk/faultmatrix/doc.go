// Package faultmatrix holds whole sales against a link and a line that lose,
// delay, double and damage what they carry, and whole days against a network
// that is cut. Each world is a lab: the real station, the real host, virtual
// devices, readers in memory.
//
// A sale has a course when nothing else happens to it: the plain one, one that
// ends in a reversal, one with the bank card in the slot, which has the last word,
// one with a second PIN. The matrix strikes every message and every byte of the
// plain course, and of the others what the plain one does not have.
//
// What is asked after every sale is the law of money, by what the bank and the
// card have: nobody is charged for nothing, nobody is credited for nothing, a
// payment that goes back goes back once.
//
// The package has nothing but its passenger and its tests.
package faultmatrix
