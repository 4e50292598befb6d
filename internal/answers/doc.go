// Package answers says what a response code (ISO 8583 DE39) of the payment host
// means to a terminal: how the payment came out, what the passenger is told, and
// what the terminal does next. It is data: the table that is built in, and an
// integrator's file over it ([Load]) where an acquirer gives codes of its own.
//
// The table never says done for a code that the switch link does not check as an
// approval, and never turns 00 into anything else. A code that no row names says
// nothing about the money: the payment is unknown and goes back, as one without an
// answer (DESIGN law 4). What the terminal does is the caller's; nothing here acts,
// waits or keeps anything.
package answers
