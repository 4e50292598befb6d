package virtual

import (
	"slices"
	"sync"

	"buka/cardio/apdu"
)

// Replayer is a card in the hands of a fraud: a true card speaks through it,
// and it keeps what that one says. Once it replays, it shows the card as it was
// when it was last heard: the old answers to the old commands, the last answer
// to INITIALIZE to every INITIALIZE, and no proof. What has become of the true
// card meanwhile it does not show.
type Replayer struct {
	Program

	mu      sync.Mutex
	heard   map[string][]byte // by command, the last answer
	init    []byte            // the last answer to INITIALIZE
	replays bool
}

// maxHeard bounds the commands that are kept.
const maxHeard = 256

// NewReplayer stands before a card.
func NewReplayer(p Program) *Replayer { return &Replayer{Program: p, heard: map[string][]byte{}} }

// Replay begins the deceit.
func (r *Replayer) Replay() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replays = true
}

// Process implements Program.
func (r *Replayer) Process(cmd []byte) []byte {
	r.mu.Lock()
	replays, old, init := r.replays, r.heard[string(cmd)], r.init
	r.mu.Unlock()
	if replays {
		switch {
		case IsInitialize(cmd) && init != nil:
			return slices.Clone(init)
		case hasHeader(cmd, 0x80, 0x5A):
			return sw(apdu.ConditionsNotMet).Bytes()
		case IsCredit(cmd):
			return sw(apdu.MACWrong).Bytes()
		case old != nil:
			return slices.Clone(old)
		}
		return r.Program.Process(cmd)
	}
	answer := r.Program.Process(cmd)
	if answer == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if IsInitialize(cmd) {
		r.init = slices.Clone(answer)
	}
	if len(r.heard) < maxHeard {
		r.heard[string(cmd)] = slices.Clone(answer)
	}
	return answer
}
