// Package sim is a model of everything around the pure core: cards, payment
// host and slot ledger, journal, links, passengers, a cashier, power. It runs
// the real topup.Loop, Core and a family's real Judge, single-threaded and
// without a clock; all that may happen next is a list of Actions, and a history
// is a list of those. Torture picks them by a seed, Explore takes them all.
//
// After every action the state is held against the law of money (law.go), with
// what truly happened to cards and bank as the measure. Drain ends all faults
// and asks that everything comes to rest: nothing open and nothing owed, or a
// case for people that the history explains.
//
// Nothing here runs in a kiosk, and nothing is stored.
package sim
