package virtual

// Moments of a bank card's dialogue, for Tear.Match.

// IsOptions matches GET PROCESSING OPTIONS, with which a transaction begins.
func IsOptions(cmd []byte) bool { return hasHeader(cmd, 0x80, 0xA8) }

// IsGenerate matches GENERATE AC, the first and the second.
func IsGenerate(cmd []byte) bool { return hasHeader(cmd, 0x80, 0xAE) }

// IsExternalAuthenticate matches the command that shows the issuer's answer.
func IsExternalAuthenticate(cmd []byte) bool { return hasHeader(cmd, 0x00, 0x82) }

// IsRecord matches READ RECORD.
func IsRecord(cmd []byte) bool { return hasHeader(cmd, 0x00, 0xB2) }

// IsScript matches an issuer's command.
func IsScript(cmd []byte) bool { return len(cmd) >= 4 && cmd[0] == 0x84 }

// NthGenerate makes a match for the nth GENERATE AC of one transaction.
func NthGenerate(n int) func(cmd []byte) bool {
	seen := 0
	return func(cmd []byte) bool {
		switch {
		case IsOptions(cmd):
			seen = 0
		case IsGenerate(cmd):
			seen++
			return seen == n
		}
		return false
	}
}

// BankMoments are the words for them in scripts.
var BankMoments = map[string]func() func(cmd []byte) bool{
	"gpo":    func() func([]byte) bool { return IsOptions },
	"record": func() func([]byte) bool { return IsRecord },
	"genac1": func() func([]byte) bool { return NthGenerate(1) },
	"auth":   func() func([]byte) bool { return IsExternalAuthenticate },
	"script": func() func([]byte) bool { return IsScript },
	"genac2": func() func([]byte) bool { return NthGenerate(2) },
}
