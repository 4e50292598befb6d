// Package fleetmsg is what a kiosk and its fleet host say to each other: the
// subjects, the messages and their bounds. docs/protocols/fleet.md describes
// it for people who write another end.
//
// Both ends decode with this package, so neither trusts the other: every
// count and length is bounded before it is used, and a batch of journal
// entries counts only as far as its own hash chain holds. The package does no
// I/O and keeps nothing.
package fleetmsg

import (
	"errors"
	"fmt"
	"strings"

	"buka/internal/entry"
)

// Version of the messages.
const Version = 1

// Bounds of messages, in bytes, entries and devices.
const (
	BatchBytes   = 512 << 10         // what a sender puts into one batch, unless one entry alone is larger
	MaxEntry     = MaxPayload - 4096 // the largest entry that can be shipped, alone in its batch
	MaxPayload   = entry.MaxBytes    // of any message; the max_payload of the host's NATS server
	MaxEntries   = 1024              // in one batch
	MaxDevices   = 64                // in one heartbeat
	MaxText      = 200               // bytes of any text in a message
	MaxBeat      = 64 << 10          // bytes of a heartbeat
	MaxReply     = 4 << 10           // bytes of an answer
	EpochBytes   = 16                // random bytes that name an epoch
	maxKioskName = 64
)

// ErrMalformed says that a message cannot be what it claims to be.
var ErrMalformed = errors.New("fleet message is malformed")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// JournalSubject is where a kiosk sends its batches, as requests.
func JournalSubject(kiosk string) string { return "fleet.journal." + kiosk }

// HeartbeatSubject is where a kiosk sends its heartbeats, as requests.
func HeartbeatSubject(kiosk string) string { return "fleet.heartbeat." + kiosk }

// InboxPrefix is where the answers to one kiosk arrive. Nobody else may listen
// there or publish there but the host.
func InboxPrefix(kiosk string) string { return "_INBOX." + kiosk }

// CheckKiosk says whether a name may be a kiosk's: 1 to 64 letters, digits,
// '-' or '_', so that it is exactly one token of a NATS subject.
func CheckKiosk(name string) error {
	if name == "" || len(name) > maxKioskName {
		return malformed("a kiosk's name has 1 to %d characters, this one has %d", maxKioskName, len(name))
	}
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
		default:
			return malformed("a kiosk's name has only letters, digits, '-' and '_', not %q", r)
		}
	}
	return nil
}

func checkText(name, text string) error {
	if len(text) > MaxText {
		return malformed("%s has %d bytes, more than %d", name, len(text), MaxText)
	}
	return nil
}

// Clip cuts a text to MaxText bytes, at a letter's end, and makes it valid
// UTF-8: a device's odd name must not make the far end refuse the message.
func Clip(text string) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) <= MaxText {
		return text
	}
	cut := 0
	for i := range text {
		if i > MaxText {
			break
		}
		cut = i
	}
	return text[:cut]
}
