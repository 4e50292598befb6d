// Package disktest is a disk that fails, for tests of what must survive it. It
// is a file system over FUSE, kept in memory by a process of its own, that knows
// of every file and every name what was synced and what was not.
//
// A power cut may come after any call. What was synced is there afterwards;
// of the rest nothing survives, or everything, or any subset in any order, or
// sectors that are torn inside (Survive). Before that, any call may fail once or
// from then on (Fault): with EIO, with ENOSPC, with EROFS as on a disk that was
// remounted read-only. A sync that fails loses what it should have written, as
// Linux does: the pages stay in the page cache, look clean, and are not on the
// disk.
//
// The server is another process (Start, Main), because the one under test maps
// its files: a page fault blocks a thread of Go's scheduler, and the same
// process could not answer it.
//
// It is stricter than a real file system: an fsync of a file does not make its
// name durable, names change on the disk in any order, and a file may have grown
// without what was written there. What it does not do: reorder what was synced,
// or lose that.
//
// Only tests and `make torture-disk` use it. It needs /dev/fuse.
package disktest
