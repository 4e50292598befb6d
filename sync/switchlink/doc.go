// Package switchlink is both ends of the switch link: ISO 8583:1987 over one TCP
// connection that the kiosk dials out. How messages are written is data, a
// [Spec]; docs/protocols/switch.md describes every field. Where both ends have
// an [Authenticator], messages carry a MAC over their raw bytes, and an answer
// whose MAC is wrong is none. A [Ring] is one whose keys a sign-on brings; the
// client gives it them in the order in which answers come.
//
// The client promises three outcomes and nothing between them. An answer was
// received that is about exactly this request; or the request surely never left
// ([ErrNotSent]); or nobody can say ([ErrNoAnswer], [ErrBadAnswer]). It finds
// the request of an answer by MTI class and function, STAN and terminal, so a
// late 0210 is never taken for a 0410; what comes late is logged, and told if it
// is about a payment ([Config.OnLate]), but changes nothing. It dials again for as
// long as it is not closed. It says up only after a real request was just
// answered.
//
// It never repeats a message by itself, never queues one, and keeps nothing on
// disk: STANs, batches and what is still owed belong to the caller's journal. A
// crash loses nothing here but answers, which the caller then counts as unknown.
//
// It never logs more than MTI and data elements 3, 4, 11, 39, 41 and 60.2.
// Frames that carried a PAN or a PIN block are overwritten once they are sent or
// decoded. An enciphered PIN is in one [pin.Sealed], which a call wipes whatever
// comes of it; the codec never sees its block.
package switchlink
