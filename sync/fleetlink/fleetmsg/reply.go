package fleetmsg

import "buka/internal/entry"

// Code is what an answer means.
type Code string

// Codes. Whatever the code, Seq and Hash of a reply say how far the host's
// committed copy of this epoch goes, where Known is set.
const (
	CodeOK      Code = "ok"      // everything in the batch is committed; or the heartbeat was taken
	CodeGap     Code = "gap"     // entries between the host's and the batch's are missing: go on from Seq
	CodeFork    Code = "fork"    // the host holds another entry at ForkSeq: nothing was stored
	CodeRefused Code = "refused" // the message itself is wrong; sending it again will not help
	CodeRetry   Code = "retry"   // nothing is known to be stored; send it again later
)

// Reply answers a batch or a heartbeat. It is sent only after the database
// transaction that it speaks of has committed.
type Reply struct {
	Version  uint8      `cbor:"1,keyasint"`
	Code     Code       `cbor:"2,keyasint"`
	Known    bool       `cbor:"3,keyasint"`           // Seq and Hash were read from the database
	Seq      uint64     `cbor:"4,keyasint"`           // last committed entry of this epoch; 0: none
	Hash     entry.Hash `cbor:"5,keyasint"`           // its hash; zero for none
	ForkSeq  uint64     `cbor:"6,keyasint,omitempty"` // where the host holds another entry
	ForkHash entry.Hash `cbor:"7,keyasint,omitempty"` // the host's hash there
	Detail   string     `cbor:"8,keyasint,omitempty"` // for people, at most MaxText bytes
	HostAtMS int64      `cbor:"9,keyasint"`           // host clock, milliseconds since 1970 UTC

	Rewrites uint64 `cbor:"10,keyasint,omitempty"` // version of the host's list of open rewrites; to a heartbeat
}

// Encode gives the bytes of the reply.
func (r Reply) Encode() ([]byte, error) {
	r.Version = Version
	r.Detail = Clip(r.Detail)
	return entry.Marshal(r)
}

// DecodeReply reads an answer.
func DecodeReply(data []byte) (Reply, error) {
	if len(data) > MaxReply {
		return Reply{}, malformed("an answer of %d bytes", len(data))
	}
	var r Reply
	if err := entry.Unmarshal(data, &r); err != nil {
		return Reply{}, malformed("%v", err)
	}
	if r.Version != Version {
		return Reply{}, malformed("version %d, this end speaks %d", r.Version, Version)
	}
	switch r.Code {
	case CodeOK, CodeGap, CodeFork:
		if !r.Known {
			return Reply{}, malformed("an answer %q that does not say how far the host is", r.Code)
		}
	case CodeRefused, CodeRetry:
	default:
		return Reply{}, malformed("an answer with code %q", Clip(string(r.Code)))
	}
	if r.Seq == 0 && r.Hash != (entry.Hash{}) {
		return Reply{}, malformed("a hash of no entry")
	}
	return r, checkText("detail", r.Detail)
}
