// Package virtualpad is a PIN pad in software, on a pty: the other end of the
// packets that package device speaks. It enciphers PINs as a real pad does: with
// TDES or AES DUKPT under an initial key of its own, or with session keys under
// its master keys; in blocks of format 0, 3 or 4; and it makes MACs.
//
// It promises that no key serial number is ever used twice, whatever happens to
// the process or the power: the counter is durable before a block leaves. A
// state file that is damaged, or belongs to another key, is an error and never a
// fresh start.
//
// It is the one place of the house where a PIN is in clear, and it is for demo,
// scenarios, tests and integrators' acceptance only: `kiosk run` does not start
// it, and its initial key is in this process's memory. Digits and PAN are
// overwritten when an entry ends; a snapshot tells only how many digits there
// are.
//
// pad.go is the pad as its user sees it, entry.go its keys and display, keys.go
// the block, mac.go the MACs, request.go how a PIN is asked for, wire.go the
// packets, pty_linux.go the line, counter.go the durable counters, fault.go what
// can be made to go wrong.
package virtualpad
