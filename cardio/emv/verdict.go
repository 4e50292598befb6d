package emv

// flag is one bit of the terminal verification results (95) or of the status
// information (9B): byte and mask (EMV Book 3 annex C5 and C6).
type flag struct {
	at   int
	mask byte
}

// Terminal verification results.
var (
	noODA        = flag{0, 0x80}
	sdaFailed    = flag{0, 0x40}
	dataMissing  = flag{0, 0x20}
	ddaFailed    = flag{0, 0x08}
	cdaFailed    = flag{0, 0x04}
	sdaSelected  = flag{0, 0x02}
	otherVersion = flag{1, 0x80}
	expiredApp   = flag{1, 0x40}
	notYetValid  = flag{1, 0x20}
	notAllowed   = flag{1, 0x10}
	cvmFailed    = flag{2, 0x80}
	unknownCVM   = flag{2, 0x40}
	onlinePIN    = flag{2, 0x04}
	overFloor    = flag{3, 0x80}
	issuerFailed = flag{4, 0x40}
	scriptBefore = flag{4, 0x20}
	scriptAfter  = flag{4, 0x10}
	allTVR       = 5
)

// Transaction status information.
var (
	didODA    = flag{0, 0x80}
	didCVM    = flag{0, 0x40}
	didRisk   = flag{0, 0x20} // the card's
	didIssuer = flag{0, 0x10}
	didTRM    = flag{0, 0x08} // the terminal's
	didScript = flag{0, 0x04}
)

func (f flag) set(b []byte)     { b[f.at] |= f.mask }
func (f flag) in(b []byte) bool { return f.at < len(b) && b[f.at]&f.mask != 0 }

// meets reports that a verification result calls for an action: any bit that is
// set in both (EMV Book 3 10.7).
func meets(tvr []byte, codes ...[]byte) bool {
	for _, code := range codes {
		for i := range tvr {
			if i < len(code) && tvr[i]&code[i] != 0 {
				return true
			}
		}
	}
	return false
}
