package emv

import "errors"

// Reason says why a bank card is not taken. The words are a contract with the
// pages: a message key is "bank." and the reason.
type Reason string

// The reasons.
const (
	Expired     Reason = "expired"
	Blocked     Reason = "blocked"
	NoApp       Reason = "no-app"        // no application that this kiosk takes
	TransitCard Reason = "transit-card"  // the passenger put the other card here
	Declined    Reason = "card-declines" // the card, or the rules that it came with
	UseChip     Reason = "use-chip"      // contactless did not do: insert it
	NoPIN       Reason = "no-pin"        // it cannot be verified by a PIN at the bank
)

// Refusal is a bank card that is not taken; nothing was paid.
type Refusal struct{ Reason Reason }

func (r *Refusal) Error() string {
	return "bank card refused (" + string(r.Reason) + "): " + r.Sentence("en")
}

// Key is the message key.
func (r *Refusal) Key() string { return "bank." + string(r.Reason) }

// Is makes errors.Is(err, &Refusal{Reason: Expired}) tell reasons apart.
func (r *Refusal) Is(target error) bool {
	t, ok := target.(*Refusal)
	return ok && t.Reason == r.Reason
}

// Sentence for a person: "zh", or English for any other language.
func (r *Refusal) Sentence(lang string) string {
	s := sentences[r.Reason]
	if lang == "zh" {
		return s[1]
	}
	return s[0]
}

var sentences = map[Reason][2]string{
	Expired:     {"This bank card has expired. Please use another one.", "这张银行卡已过有效期，请换一张卡。"},
	Blocked:     {"This bank card is blocked. Please use another one or ask your bank.", "这张银行卡已被锁定，请换一张卡或联系银行。"},
	NoApp:       {"This machine does not take this card. Please use another bank card.", "本机不受理这种卡，请换一张银行卡。"},
	Declined:    {"Your card does not allow this payment. Please use another one.", "这张卡不允许这笔付款，请换一张卡。"},
	UseChip:     {"Please insert this card into the slot, or use another one.", "请将这张卡插入卡槽，或换一张卡。"},
	NoPIN:       {"This card cannot be used with a PIN here. Please use another one.", "这张卡在本机无法用密码付款，请换一张卡。"},
	TransitCard: {"This is a transit card. Please present a bank card to pay.", "这是交通卡，请出示银行卡付款。"},
}

// ErrAnswer is in the chain of every error about card data that makes no sense.
var ErrAnswer = errors.New("emv: the card's answer is malformed: present the card again or use another")
