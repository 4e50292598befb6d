package pboc

import (
	_ "embed"
	"encoding/json"
	"slices"
	"sync"

	"buka/cardio/apdu"
	"buka/cardio/purse"
	"buka/internal/entry"
)

//go:embed outcomes.json
var outcomesJSON []byte

type outcomes struct {
	Write struct {
		Done    []string `json:"done"`
		NotDone []string `json:"notDone"`
	} `json:"write"`
	NoProof []string `json:"noProof"`
}

var table = sync.OnceValue(func() outcomes {
	var t outcomes
	if err := json.Unmarshal(outcomesJSON, &t); err != nil {
		panic("pboc: outcomes.json: " + err.Error()) // part of the program, tested
	}
	return t
})

// WriteOutcome is what the answer to CREDIT FOR LOAD says. What the table does
// not name, 6Cxx included, is unknown.
func WriteOutcome(sw apdu.SW) entry.Outcome {
	switch {
	case fitsAny(table().Write.Done, sw):
		return entry.Done
	case fitsAny(table().Write.NotDone, sw):
		return entry.NotDone
	}
	return entry.Unknown
}

// noProof says that a status word of GET TRANSACTION PROVE is a plain no, and
// not a card that failed for a moment and should be asked again.
func noProof(sw apdu.SW) bool { return fitsAny(table().NoProof, sw) }

func fitsAny(patterns []string, sw apdu.SW) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return purse.Fits(p, sw) })
}
