// Package emv is a bank card's dialogue up to the online authorisation, and what
// comes after it: application selection by PPSE, PSE and list; GET PROCESSING
// OPTIONS; records; offline authentication (SDA, DDA, CDA, fDDA) by a table of
// authorities' keys; processing restrictions; the cardholder's verification by
// PIN at the host, or none under a limit; terminal risk management and action
// analysis; the cryptogram, by GENERATE AC or by one GPO (kernels 3 and 7); the
// issuer's answer, scripts and second GENERATE AC (EMV Books 1 to 4, Entry Point
// for contactless).
//
// Fallback. A contactless card that cannot go on is asked for its contacts
// (*Refusal UseChip), never the other way round. There is no magnetic stripe and
// no keyed number: a card whose chip cannot be read is not taken.
//
// Which application. With contacts the cardholder is asked (Terminal.Choose) where
// there are several or the card wants a confirmation; with nobody to ask, the
// highest priority that needs no confirmation is taken (EMV Book 1 12.4). Without
// contacts priority alone decides.
//
// It is not a certified Level 2 kernel. A certified reader plugs in as another
// means of payment.
//
// It promises that a card's number prints as first six, stars, last four in
// every form that this package can reach, that the holder's name is neither kept
// nor returned, that its own buffers with card data are overwritten when they are
// not needed, and that everything a card sends is bounded. It always asks to go
// online, and an approval is one only when the card, asked last, agrees. It takes
// no decision about money: what failed is told to the issuer, or is a *Refusal
// before anything was sent.
//
// Nothing is kept, so nothing survives a crash.
package emv
