package fleetmsg

import (
	"errors"

	"buka/internal/entry"
)

// Heartbeat is how a kiosk is, right now. It carries no money: what is owed
// and open is counted here and proven by the journal.
type Heartbeat struct {
	MsgVersion   uint8     `cbor:"1,keyasint" json:"-"`
	Kiosk        string    `cbor:"2,keyasint" json:"kiosk"`
	Epoch        entry.Hex `cbor:"3,keyasint" json:"epoch"`   // 16 bytes
	Version      string    `cbor:"4,keyasint" json:"version"` // of the program
	AtMS         int64     `cbor:"5,keyasint" json:"atMs"`    // kiosk clock, milliseconds since 1970 UTC
	TailSeq      uint64    `cbor:"6,keyasint" json:"tailSeq"` // last entry of the journal
	MarkSeq      uint64    `cbor:"7,keyasint" json:"markSeq"` // last entry known to be committed at the host
	Owed         int       `cbor:"8,keyasint" json:"owed"`    // obligations to the switch
	OpenRewrites int       `cbor:"9,keyasint" json:"openRewrites"`
	Unknown      int       `cbor:"10,keyasint" json:"unknown"`                     // writes whose outcome is unknown
	OldestOwedMS int64     `cbor:"11,keyasint,omitempty" json:"oldestOwedMs"`      // since when; 0: nothing is owed
	Screen       string    `cbor:"12,keyasint,omitempty" json:"screen,omitempty"`  // what the passenger sees
	Devices      []Device  `cbor:"13,keyasint,omitempty" json:"devices,omitempty"` // readers, PIN pad, disk, clock, links
	Sales        uint64    `cbor:"14,keyasint" json:"sales"`                       // since the epoch began
	Recovering   string    `cbor:"15,keyasint,omitempty" json:"recovering"`        // why the journal was restored, until the host has confirmed it
	Kept         *Kept     `cbor:"16,keyasint,omitempty" json:"kept,omitempty"`    // how the journal is kept; nil from an older kiosk
	Place        string    `cbor:"17,keyasint,omitempty" json:"place,omitempty"`   // where it stands
	Risk         *Risk     `cbor:"18,keyasint,omitempty" json:"risk,omitempty"`    // rules that struck today; nil: none
	Long         int       `cbor:"19,keyasint,omitempty" json:"long,omitempty"`    // reversals and refunds owed for so long that people shall look
}

// Risk counts how often rules of the operator's struck today, by the kiosk's day,
// and names the last one.
type Risk struct {
	Alarms  int    `cbor:"1,keyasint,omitempty" json:"alarms,omitempty"`  // the payment went on
	Cashier int    `cbor:"2,keyasint,omitempty" json:"cashier,omitempty"` // sent to the desk
	Refused int    `cbor:"3,keyasint,omitempty" json:"refused,omitempty"` // refused
	Rule    string `cbor:"4,keyasint" json:"rule"`                        // name of the last
	Outcome string `cbor:"5,keyasint" json:"outcome"`                     // alarm, cashier or refuse
	AtMS    int64  `cbor:"6,keyasint" json:"atMs"`                        // kiosk clock, milliseconds since 1970 UTC
}

// Kept is how a kiosk keeps its journal: the last time each was done, and what
// is wrong with it. Times are by the kiosk's clock; 0: not yet.
type Kept struct {
	VerifiedMS  int64  `cbor:"1,keyasint,omitempty" json:"verifiedMs,omitempty"`   // the whole journal was read
	VerifiedSeq uint64 `cbor:"2,keyasint,omitempty" json:"verifiedSeq,omitempty"`  // so many entries
	VerifyTook  int64  `cbor:"3,keyasint,omitempty" json:"verifyTookMs,omitempty"` // milliseconds
	VerifyErr   string `cbor:"4,keyasint,omitempty" json:"verifyErr,omitempty"`    // what it found
	BackupMS    int64  `cbor:"5,keyasint,omitempty" json:"backupMs,omitempty"`     // of all directories, the one that is furthest behind
	BackupSeq   uint64 `cbor:"6,keyasint,omitempty" json:"backupSeq,omitempty"`    // its last entry
	BackupErr   string `cbor:"7,keyasint,omitempty" json:"backupErr,omitempty"`    // of a directory that failed
	Archived    uint64 `cbor:"8,keyasint,omitempty" json:"archived,omitempty"`     // entries that are in archives
	Bytes       int64  `cbor:"9,keyasint,omitempty" json:"bytes,omitempty"`        // size of the journal's file
	FreePercent int    `cbor:"10,keyasint,omitempty" json:"freePercent,omitempty"` // of its pages
	TidyErr     string `cbor:"11,keyasint,omitempty" json:"tidyErr,omitempty"`     // of archiving or compacting
	Restored    string `cbor:"12,keyasint,omitempty" json:"restored,omitempty"`    // at this start: how much, and from what
}

// Device is the state of one component.
type Device struct {
	Name    string `cbor:"1,keyasint" json:"name"`
	OK      bool   `cbor:"2,keyasint" json:"ok"`
	Code    string `cbor:"3,keyasint,omitempty" json:"code,omitempty"` // error code, when not OK
	SinceMS int64  `cbor:"4,keyasint" json:"sinceMs"`                  // in this state since, milliseconds since 1970 UTC
}

// Encode gives the bytes of the heartbeat. Texts that are too long are cut and
// devices beyond MaxDevices left out: a heartbeat is sent rather than refused.
func (h Heartbeat) Encode() ([]byte, error) {
	h.MsgVersion = Version
	h.Version, h.Screen, h.Recovering, h.Place = Clip(h.Version), Clip(h.Screen), Clip(h.Recovering), Clip(h.Place)
	if len(h.Devices) > MaxDevices {
		h.Devices = h.Devices[:MaxDevices]
	}
	if h.Kept != nil {
		k := *h.Kept
		k.VerifyErr, k.BackupErr, k.TidyErr, k.Restored = Clip(k.VerifyErr), Clip(k.BackupErr), Clip(k.TidyErr), Clip(k.Restored)
		h.Kept = &k
	}
	if h.Risk != nil {
		r := *h.Risk
		r.Rule, r.Outcome = Clip(r.Rule), Clip(r.Outcome)
		h.Risk = &r
	}
	devices := make([]Device, len(h.Devices))
	for i, d := range h.Devices {
		d.Name, d.Code = Clip(d.Name), Clip(d.Code)
		devices[i] = d
	}
	h.Devices = devices
	return entry.Marshal(h)
}

// DecodeHeartbeat reads a heartbeat and checks its bounds.
func DecodeHeartbeat(data []byte) (Heartbeat, error) {
	if len(data) > MaxBeat {
		return Heartbeat{}, malformed("a heartbeat of %d bytes", len(data))
	}
	var h Heartbeat
	if err := entry.Unmarshal(data, &h); err != nil {
		return Heartbeat{}, malformed("%v", err)
	}
	return h, h.check()
}

func (h Heartbeat) check() error {
	switch {
	case h.MsgVersion != Version:
		return malformed("version %d, this end speaks %d", h.MsgVersion, Version)
	case len(h.Epoch) != EpochBytes:
		return malformed("an epoch of %d bytes", len(h.Epoch))
	case len(h.Devices) > MaxDevices:
		return malformed("%d devices", len(h.Devices))
	case h.Owed < 0 || h.OpenRewrites < 0 || h.Unknown < 0 || h.Long < 0:
		return malformed("a negative count")
	case h.TailSeq > 1<<62 || h.MarkSeq > 1<<62 || h.Sales > 1<<62:
		return malformed("a count that no kiosk reaches")
	}
	if h.Kept != nil {
		for _, text := range []string{h.Kept.VerifyErr, h.Kept.BackupErr, h.Kept.TidyErr, h.Kept.Restored} {
			if err := checkText("the journal's keeping", text); err != nil {
				return err
			}
		}
	}
	if r := h.Risk; r != nil {
		if r.Alarms < 0 || r.Cashier < 0 || r.Refused < 0 {
			return malformed("a negative count")
		}
		if err := errors.Join(checkText("risk rule", r.Rule), checkText("risk outcome", r.Outcome)); err != nil {
			return err
		}
	}
	for _, d := range h.Devices {
		if err := checkText("device name", d.Name); err != nil {
			return err
		}
		if err := checkText("device code", d.Code); err != nil {
			return err
		}
	}
	if err := checkText("version", h.Version); err != nil {
		return err
	}
	if err := checkText("screen", h.Screen); err != nil {
		return err
	}
	if err := checkText("place", h.Place); err != nil {
		return err
	}
	return CheckKiosk(h.Kiosk)
}
