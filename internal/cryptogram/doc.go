// Package cryptogram makes and checks what a payment card and its issuer prove
// to each other: the application cryptogram (ARQC, TC, AAC) and the issuer's
// answer to it (ARPC). EMV Book 2 (8.1, 8.2, annex A1) and the issuer profiles
// built on it.
//
// It keeps no key. Keys are two-key TDES and come as 16 bytes; what is derived
// goes to the caller, who clears it. The terminal never has any of them: only
// issuers and cards do, which in this house are the reference host and the
// virtual card.
package cryptogram
