// Package fleetlink is the kiosk's end of the fleet link: it ships the journal
// to the fleet host over NATS and tells it how the kiosk is.
//
// It promises that every entry of the journal reaches the host's database
// exactly once and in order, however often the network goes, the host is
// killed or an answer is lost: an entry counts as shipped only when the host
// has answered that it is committed, with a hash that agrees with our own
// chain. Until then the same entries go out again, for ever.
//
// It never changes the journal, never overwrites what the host holds (a
// disagreement is a Conflict, shown to people), never queues anything of its
// own, and moves no money: nothing about a sale waits for it.
//
// After a crash it goes on at the journal's mark. The mark is a hint and may
// lag: the host answers how far it is, and says so for entries that it already
// has.
package fleetlink
