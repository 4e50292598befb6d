package foreign

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Options are what a card is and which of the field's habits it has
// (§1.5: "card dependent").
type Options struct {
	Addr    string // of vpcd: default 127.0.0.1:35963
	Number  string // 19 digits
	Balance uint32 // fen
	Counter uint16 // of loads

	Wipe      bool   // INITIALIZE wipes the proof; else it is kept
	ProveSame bool   // PROVE answers to N, the number of INITIALIZE; else to N+1
	Once      bool   // PROVE answers once
	LogNext   bool   // EF18 has N+1; else N
	Count     bool   // three wrong MAC2 lock the application; else they are not counted
	Forget    bool   // any other command ends what INITIALIZE began
	Use61     bool   // answers wait for GET RESPONSE
	Bare      bool   // no EF15 in the answer to SELECT
	Short     bool   // the log has no empty records: 6A83 after the last
	NoPPSE    bool   // no directory: only the AID is known
	NoLog     bool   // no EF18
	NoProve   bool   // PROVE is not known
	NoSlot    bool   // no second balance slot
	Empty6985 bool   // PROVE without a proof says 6985; else 9406
	Replay    bool   // after its tear it is an emulator that shows the card as it was before
	PIN       string // VERIFY before INITIALIZE, digits; "": none

	Swap   string        // another card is in its place from this command on: "6", "initialize", "credit", "prove"; once
	Drop   int           // the socket ends at this command, the first being 1, once
	Tear   string        // "before" or "after" the commit of CREDIT, once
	Return time.Duration // the socket is back so long after a tear
	Away   string        // what happens in between: "ride 2.00", "load 20.00"
}

// flags are the words of the habits that are there or not.
func (o *Options) flags() map[string]*bool {
	return map[string]*bool{
		"wipe": &o.Wipe, "same": &o.ProveSame, "once": &o.Once, "lognext": &o.LogNext, "count": &o.Count,
		"forget": &o.Forget, "61xx": &o.Use61, "bare": &o.Bare, "short": &o.Short,
		"noppse": &o.NoPPSE, "nolog": &o.NoLog, "noprove": &o.NoProve, "noslot": &o.NoSlot, "6985": &o.Empty6985,
		"replay": &o.Replay,
	}
}

// Strict has every habit that makes finishing a torn write harder.
const Strict = "wipe same once lognext count forget bare short"

// ParseOptions reads words such as `number=… balance=28.50 counter=2 wipe same
// tear=after return=1s away=ride:2.00`.
func ParseOptions(text string) (Options, error) {
	o := Options{Addr: "127.0.0.1:35963", Number: "3105170010170907984", Return: time.Second}
	flags := o.flags()
	for _, w := range strings.Fields(text) {
		k, v, valued := strings.Cut(w, "=")
		if f := flags[k]; f != nil && !valued {
			*f = true
			continue
		}
		if err := o.set(k, v); err != nil {
			return o, fmt.Errorf("option %q: %w", w, err)
		}
	}
	if _, err := serial(o.Number); err != nil {
		return o, err
	}
	return o, nil
}

func (o *Options) set(k, v string) (err error) {
	switch k {
	case "addr":
		o.Addr = v
	case "number":
		o.Number = v
	case "balance":
		o.Balance, err = fen(v)
	case "counter":
		var n uint64
		n, err = strconv.ParseUint(v, 10, 16)
		o.Counter = uint16(n)
	case "drop":
		o.Drop, err = strconv.Atoi(v)
	case "swap":
		o.Swap = v
		if _, named := swapAt[v]; !named {
			_, err = strconv.Atoi(v)
		}
	case "pin":
		o.PIN = v
		_, err = hex.DecodeString(v)
	case "tear":
		o.Tear = v
		if v != "before" && v != "after" {
			err = fmt.Errorf("before or after")
		}
	case "return":
		o.Return, err = time.ParseDuration(v)
	case "away":
		o.Away = strings.ReplaceAll(v, ":", " ")
	default:
		err = fmt.Errorf("no such option")
	}
	return err
}

// serial is the application serial number of ten bytes: a zero and 19 digits.
func serial(number string) (asn [10]byte, err error) {
	b, err := hex.DecodeString("0" + number)
	if err != nil || len(b) != len(asn) || strings.Trim(number, "0123456789") != "" {
		return asn, fmt.Errorf("%q is not a card number of 19 digits", number)
	}
	copy(asn[:], b)
	return asn, nil
}

// fen reads an amount in major units with two places.
func fen(text string) (uint32, error) {
	whole, part, _ := strings.Cut(text, ".")
	if len(part) != 2 {
		return 0, fmt.Errorf("%q is no amount such as 28.50", text)
	}
	n, err := strconv.ParseUint(whole+part, 10, 31)
	return uint32(n), err
}

func yuan(n uint64) string { return fmt.Sprintf("%d.%02d", n/100, n%100) }
