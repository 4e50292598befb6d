// Package mac makes and checks the message authentication codes of a switch
// link: UnionPay's ECB algorithm, ANSI X9.9 and ANSI X9.19.
//
// A code is made over the raw bytes that crossed the line, from the MTI to the
// field before the MAC, never over a message that was packed again: a codec may
// order the tags of field 55 anew. The package sees bytes only; it does not know
// what a field is. All three algorithms fill the last block with zeros, so a
// message and the same message with zeros behind it have one code: whoever calls
// must bind the length in another way, as a bit map does.
//
// It keeps no key and no message. Keys come as bytes and stay the caller's; a
// terminal whose keys live in a PIN pad uses [UnionPay] with the pad as its
// cipher.
package mac
