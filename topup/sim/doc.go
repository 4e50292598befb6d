// Package sim is a model of everything around the pure core: cards, payment
// host and slot ledger, journal, links, passengers, cashiers, power. It runs the
// real topup.Loop, Core and a family's real Judge, single-threaded and without a
// clock; all that may happen next is a list of Actions, and a history is a list
// of those. Torture picks them by a seed, Explore takes them all.
//
// What is real and what is modelled:
//
//   - Core, its loop, the replay of entries after a restart and the judge are
//     those of kiosk run. With Options.NewDisk the journal is the real store too.
//   - Cards are modelled by command. With Options.Purse (torture) a model card
//     speaks APDUs (chip.go) under the family's real code: reading, PROVE,
//     INITIALIZE, the comparison with the slot, the write, its TAC. Its MACs
//     stand for the real ones: equal for equal data.
//   - The host is modelled (host.go, fleet.go): sync/host.TestTheModelHost sends
//     the same requests to both and wants the same answers. Its fleet half is not
//     part of that comparison.
//   - A second kiosk is the same real core over the same cards and host.
//
// After every action the state is held against the law of money (law.go), with
// what truly happened to cards and bank as the measure. Drain ends all faults
// and asks that everything comes to rest: nothing open and nothing owed, or a
// case for people that the history explains.
//
// Nothing here runs in a kiosk, and nothing is stored.
package sim
