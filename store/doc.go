// Package store keeps the journal of one kiosk on disk, in a bbolt file.
//
// It promises: an entry that Append has returned is on the disk and chained to
// the one before it; what is read back has been checked against the chain; a
// file that is damaged, cut, foreign or gone is recognised and named, with what
// to do about it. It never repairs, truncates or begins anew behind anybody's
// back, and it never sends or interprets what it keeps. Nothing that cannot be
// read is ever deleted: it is put aside.
//
// One chain may lie in several files. Archive moves old entries to compressed
// files; the anchor, a mark in the journal that its first entry confirms, says
// where the chain goes on. Backups hold both. Restore puts a chain together
// from a backup, the archives and what a damaged file still holds, and ends it
// with an entry that begins a new epoch. Compact writes the file anew. Each of
// them is safe to kill at any instant: the old file is the journal until the
// new one was read back and synced.
//
// What survives a power cut at any instant: every entry that was acknowledged.
// The entries of a commit that was under way are there all together or not at
// all, and which of the two is only known after the file was opened again.
//
// bbolt writes the file. All reading is done by the bounded page reader in this
// package, because bbolt reads through a memory map: a page number gone bad
// would fault or recurse without end instead of giving an error, and mapped
// pages would count as our memory.
//
// Not covered: somebody who knows the format and rewrites the whole file. There
// is no secret in the chain; the host's copy is the witness against that.
package store

import "path/filepath"

const (
	// FileName of the journal in a data directory.
	FileName = "journal.db"
	// IDName of the small file beside it that says that a journal was begun
	// here, so that a journal that was deleted is not taken for a new kiosk.
	IDName = "journal.id"
	// ArchiveName of the directory beside a journal, or beside its backups, that
	// holds entries which the journal itself no longer does.
	ArchiveName = "archive"
	// AsideName of the directory beside a journal where damaged files are kept.
	AsideName = "damaged"
	// SocketName of the socket on which a running station hands out snapshots.
	SocketName = "journal.sock"
)

// Path of the journal in a data directory.
func Path(dir string) string { return filepath.Join(dir, FileName) }

// SocketPath that belongs to the journal at path.
func SocketPath(path string) string { return filepath.Join(filepath.Dir(path), SocketName) }

func idPath(path string) string { return filepath.Join(filepath.Dir(path), IDName) }

var (
	bucketEntries = []byte("journal") // 8-byte big-endian number → stored bytes of the entry
	bucketMarks   = []byte("marks")   // the keys below; outside the chain

	// keyTail holds number and hash of the last entry. No later entry carries
	// that hash, so without this key a change in the last one would not show.
	// It costs no page: the root page is rewritten in every commit anyway.
	keyTail = []byte("tail")
	// keyCheckpoint holds the number of the last checkpoint, 0 for none.
	keyCheckpoint = []byte("checkpoint")
	// keyEpoch holds the number of the last entry `restored`; none if the epoch
	// is still the first.
	keyEpoch = []byte("epoch")
	// keyAnchor holds where the entries here go on from the archives; none if
	// they begin with entry 1. The first entry here confirms it.
	keyAnchor = []byte("anchor")
	// keyAck holds number and hash of the last entry that the host has
	// acknowledged. It may lag.
	keyAck = []byte("acknowledged")
)
