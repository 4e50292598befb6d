// Package pin holds what PIN pad and host must agree on about an online PIN:
// the ISO 9564-1 format 0 PIN block, TDES DUKPT (ANSI X9.24-1:2009) and the
// retail MAC (ANSI X9.19, ISO/IEC 9797-1 algorithm 3).
//
// It promises that what carries a PIN or a key does not tell it by accident.
// [PIN], [ClearBlock], [Block] and [Key] print as a fixed word under every
// verb of fmt, in log/slog and as text (so in JSON), and refuse binary marshalling
// (so in CBOR and gob). An enciphered [Block] is guarded like a clear one: PCI
// PIN and PCI DSS 3.3.1.3 want neither of them stored or logged. The one hole is
// fmt on a struct that keeps such a value in an unexported field: fmt may not
// call methods there. Keep them in exported fields, or give the struct its own
// Format.
//
// It never stores anything, and it keeps no key or PIN in package variables.
// Zero methods overwrite the caller's copy; Go may have made others on a stack,
// so this shortens exposure and does not end it. Nothing here replaces a secure
// cryptographic device: on a real kiosk the PIN is enciphered inside the PIN pad
// and deciphered inside the host's HSM. Only the virtual PIN pad and the
// reference host call the parts of this package that see a clear PIN.
package pin
