// Package topup is the sale: what a kiosk decides about money.
//
// It is a pure core and a thin shell. Core.Step takes the kiosk's whole money
// state and one event and gives the next state, the entries to write down and
// the commands to run; it has no clock, no I/O and no goroutine. The Engine
// runs it: take an event, step, append the entries in one commit, and only
// then run the commands, whose outcomes come back as events. So nothing that
// may move money or value can leave before its announcement is durable.
//
// The durable half of the state is changed by Durable.Apply alone, entry by
// entry, in Step and in the replay of a journal alike: what a restart rebuilds
// is what was there. Apply refuses every entry that the law of money
// (docs/money.md) does not allow at that point.
//
// After a crash the live half (screens, sessions, timers) is gone and the
// durable half is whole; the event Started says what becomes of each sale.
package topup
