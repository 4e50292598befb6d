package apdu

import "fmt"

// SW is a status word: SW1 in the high byte, SW2 in the low byte.
type SW uint16

// Status words that transit and bank cards use. ISO 7816-4 §5.6 for 6xxx; 93xx
// and 94xx are those of the PBOC purse (JR/T 0025.2). Names say the condition;
// what it means for a passenger is said by the card family.
const (
	OK SW = 0x9000

	DataMaybeCorrupt   SW = 0x6281
	FileInvalidated    SW = 0x6283 // the application is blocked
	AuthFailed         SW = 0x6300
	Unchanged          SW = 0x6400
	WriteFailed        SW = 0x6581 // EEPROM
	WrongLength        SW = 0x6700
	CannotProcess      SW = 0x6900
	InvalidState       SW = 0x6901 // CREDIT or DEBIT without INITIALIZE
	FileTypeWrong      SW = 0x6981
	SecurityNotMet     SW = 0x6982 // a PIN is wanted
	AuthLocked         SW = 0x6983
	ReferenceInvalid   SW = 0x6984
	ConditionsNotMet   SW = 0x6985
	NoCurrentFile      SW = 0x6986
	SMMissing          SW = 0x6987
	SMWrong            SW = 0x6988
	BadData            SW = 0x6A80
	NotSupported       SW = 0x6A81 // also: no master file, card or application locked
	FileNotFound       SW = 0x6A82
	RecordNotFound     SW = 0x6A83
	NoSpace            SW = 0x6A84
	BadP1P2            SW = 0x6A86
	ReferenceNotFound  SW = 0x6A88
	BadOffset          SW = 0x6B00
	BadINS             SW = 0x6D00
	BadCLA             SW = 0x6E00
	NoDiagnosis        SW = 0x6F00
	InsufficientFunds  SW = 0x9301
	MACWrong           SW = 0x9302
	PermanentlyLocked  SW = 0x9303
	AmountAboveBalance SW = 0x9401
	CounterAtMaximum   SW = 0x9402
	KeyNotSupported    SW = 0x9403
	ProofNotAvailable  SW = 0x9406 // no MAC or TAC for that type and number
)

// SW1 is the high byte.
func (s SW) SW1() byte { return byte(s >> 8) }

// SW2 is the low byte.
func (s SW) SW2() byte { return byte(s) }

// IsOK reports 9000.
func (s SW) IsOK() bool { return s == OK }

// Warning reports 62xx and 63xx: the command was processed.
func (s SW) Warning() bool { return s.SW1() == 0x62 || s.SW1() == 0x63 }

// More reports 61xx: the command was carried out and n bytes (1…256) wait to
// be fetched with GET RESPONSE.
func (s SW) More() (n int, ok bool) {
	if s.SW1() != 0x61 {
		return 0, false
	}
	return fromLe(s.SW2()), true
}

// WrongLe reports 6Cxx: the card wants the same command with Ne n (1…256).
// Whoever repeats a command for that must know that it is not a write.
func (s SW) WrongLe() (n int, ok bool) {
	if s.SW1() != 0x6C {
		return 0, false
	}
	return fromLe(s.SW2()), true
}

// TriesLeft reports 63Cx: a verification failed and x tries are left.
func (s SW) TriesLeft() (n int, ok bool) {
	if s&0xFFF0 != 0x63C0 {
		return 0, false
	}
	return int(s & 0x000F), true
}

// String is four hexadecimal digits, upper case.
func (s SW) String() string { return fmt.Sprintf("%04X", uint16(s)) }
