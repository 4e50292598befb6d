// Package fleetside is the host's end of the fleet link: a NATS server that
// only its own kiosks may enter, and the ingest that writes their journals and
// heartbeats into the host's database.
//
// It promises that an answer "ok" means committed; that a kiosk's entries are
// stored once, in order, unchanged, and only if each follows from the one
// before by its hash; and that it never replaces an entry by another: a kiosk
// whose journal differs from what is stored is marked as in conflict and its
// batch refused. It writes nothing but what came from kiosks and who has
// acknowledged an alarm, and it decides nothing about money: the fold in fold.go
// and the alarms are for people to look at.
//
// A batch is one database transaction, so kill -9 at any instant leaves whole
// batches. That holds across a power cut only if the one who opened the
// database asked for it; for SQLite: journal_mode(WAL), synchronous(FULL),
// foreign_keys(1) and a busy_timeout, as the host does.
//
// Lost in a crash: nothing of the journal; of the heartbeats, at most the time
// between two saved ones.
package fleetside
