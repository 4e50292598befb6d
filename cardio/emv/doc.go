// Package emv reads a bank card as far as an online payment with PIN at the
// host needs it: card number, expiry, track 2 equivalent and sequence number,
// by PPSE or PSE, SELECT, GET PROCESSING OPTIONS and READ RECORD (EMV Books 1
// and 3, Entry Point for contactless).
//
// It promises that a card's number prints as first six, stars, last four in
// every form that this package can reach, that the holder's name is neither
// kept nor returned, that its own buffers with card data are overwritten when
// they are not needed, and that everything a card sends is bounded. It makes no
// cryptogram, authenticates no card and takes no decision about money.
//
// Nothing is kept, so nothing survives a crash.
package emv
