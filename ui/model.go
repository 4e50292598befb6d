package ui

import (
	"errors"

	"buka/internal/money"
)

// ErrStale says that an input was meant for a screen that is gone. The page
// then shows the current one; nothing else happens.
var ErrStale = errors.New("the screen has changed since: look again")

// Told is an error with words for the person at the page: Key is a message
// key of the catalogues. Err, if any, goes to the log only.
type Told struct {
	Key string
	Err error
}

func (t *Told) Error() string {
	if t.Err == nil {
		return t.Key
	}
	return t.Key + ": " + t.Err.Error()
}

func (t *Told) Unwrap() error { return t.Err }

// Passenger is what the passenger's page needs of a station. All methods are
// called from several goroutines and return at once.
type Passenger interface {
	// Screen is what a passenger should see now.
	Screen() Screen
	// Subscribe has changed called after each change of Screen. changed does
	// not block and may be called from any goroutine.
	Subscribe(changed func()) (cancel func())
	// Input takes what the passenger pressed. The page has compared Sale and
	// Rev with Screen already; a station whose screen has moved on meanwhile
	// answers ErrStale.
	Input(Input) error
}

// ScreenName is one of the words of DESIGN §5.1.
type ScreenName string

// The screens.
const (
	ScreenIdle         ScreenName = "idle"
	ScreenCard         ScreenName = "card"
	ScreenAmount       ScreenName = "amount"
	ScreenPayment      ScreenName = "payment"
	ScreenPIN          ScreenName = "pin"
	ScreenProcessing   ScreenName = "processing"
	ScreenHold         ScreenName = "hold"
	ScreenDone         ScreenName = "done"
	ScreenDeclined     ScreenName = "declined"
	ScreenUnfinished   ScreenName = "unfinished"
	ScreenContact      ScreenName = "contact"
	ScreenOffline      ScreenName = "offline"
	ScreenOutOfService ScreenName = "out-of-service"
)

// ScreenNames lists every screen, in the order of a sale.
func ScreenNames() []ScreenName {
	return []ScreenName{ScreenIdle, ScreenCard, ScreenAmount, ScreenPayment, ScreenPIN, ScreenProcessing,
		ScreenHold, ScreenDone, ScreenDeclined, ScreenUnfinished, ScreenContact, ScreenOffline, ScreenOutOfService}
}

// Phase says what is going on while the passenger waits: on the screens card,
// processing and hold. The empty phase has words too.
type Phase string

// The phases.
const (
	PhaseReading   Phase = "reading"   // the transit card is being read
	PhaseEligible  Phase = "eligible"  // may this card be loaded? before payment
	PhasePaying    Phase = "paying"    // the payment host is being asked
	PhaseAuthority Phase = "authority" // the load authority is being asked
	PhaseProving   Phase = "proving"   // finding out what became of an earlier write
	PhaseMoneyBack Phase = "money-back"
	// An earlier top-up, or one that was paid elsewhere, is being written: the
	// words of Moving are the line below.
	PhaseFinishing  Phase = "finishing"
	PhaseCollecting Phase = "collecting"
)

// Screen is the whole of what a passenger sees. A nil amount is not shown.
type Screen struct {
	Name ScreenName
	// Rev changes whenever a button may mean something else than before, and
	// need not change for anything less: not for each second of a countdown.
	Rev  uint64
	Sale string // id of the sale, "" without one
	Lang string // "en" or "zh"

	Phase      Phase
	CardNumber string // transit card; the page shows the last four digits
	BankCard   string // masked by the station: first six, last four
	Expiry     string // YYYYMMDD, of the transit card
	Balance    *money.Fen
	History    []HistoryLine // newest first
	Choices    []money.Fen   // on the amount screen
	// Applications are, on the payment screen, those of the bank card among which
	// the passenger is to choose how to pay, or the one to agree to; best first.
	Applications []Application
	Amount       *money.Fen
	OldBalance   *money.Fen
	NewBalance   *money.Fen // the balance after the load, planned or done

	Notice       Reason // a line above the rest: the sale goes on
	Reason       Reason // why this screen is shown
	NoticeWords  Reason // whose words the notice has at this moment; "": its own
	ReasonWords  Reason // whose words the reason has at this moment; "": its own
	NoPay        Reason // why no payment can be taken now, "" if it can: nothing is offered then
	Paid         bool   // money is or may be taken, and the card is not known to be written: Claim is shown
	Remote       bool   // paid elsewhere: whoever stops gets nothing back, it stays to be collected
	Back         Back   // how far money that goes back has come
	Claim        string // number to quote, when something is unfinished
	Slip         *Slip  // the receipt, on the screens that say how a sale ended; nil: nothing to say
	Hotline      string // telephone number
	PINTriesLeft int    // 0: not known

	CountdownMS int64 // until the time is up, milliseconds, at the moment of the call; 0: no limit
	Warn        bool  // ask "do you need more time?" with CountdownMS running
	CanStop     bool  // a stop button; the money goes back
	CanMoreTime bool
	CanCollect  bool // on idle with HostUp false: paid top-ups can be collected here
	Moving      bool // the card is being written: keep it still
	HostUp      bool // a real request was just answered
}

// Back says how far money on its way back to the bank card has come.
type Back string

// The ways of money. The empty word means that none goes back.
const (
	BackPending   Back = "pending"   // recorded, and sent until the bank confirms it
	BackConfirmed Back = "confirmed" // committed at the bank's side
)

// Application is one of a bank card's.
type Application struct {
	Name string // as the card shows it; may be empty
	Kind string // what it is: "unionpay-debit", a message key of [application]
}

// HistoryLine is one record of the transit card's own log.
type HistoryLine struct {
	Kind   string    // "load", "purchase", "ride"; others are shown as "other"
	Amount money.Fen // never negative
	At     string    // YYYYMMDDHHMMSS, local to the issuer
}

// What a passenger can do. Help, contrast, text size and speech are the
// page's own and never reach the Passenger.
const (
	DoChoose      = "choose"      // Value: fen, one of Choices
	DoApplication = "application" // Value: the place in Applications, from 0
	DoStop        = "stop"        // end the sale; the money, if any, goes back
	DoMoreTime    = "more-time"   // answer to Warn
	DoLang        = "lang"        // Value: "en" or "zh"
	DoOK          = "ok"          // read and understood: go on
	DoHelp        = "help"
	DoContrast    = "contrast"
	DoTextSize    = "text-size"
	DoSpeak       = "speak"
)

// Input is what a passenger pressed.
type Input struct {
	Sale  string
	Rev   uint64
	Do    string
	Value string
}
