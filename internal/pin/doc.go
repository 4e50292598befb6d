// Package pin holds what PIN pad and host must agree on about an online PIN: the
// ISO 9564-1 PIN blocks of formats 0, 3 and 4, TDES DUKPT (ANSI X9.24-1:2009),
// AES DUKPT (ANSI X9.24-3:2017, with AES and TDES working keys), session keys
// under a master key, and the translation of a block from one key to another.
//
// It promises that what carries a PIN or a key does not tell it by accident.
// [PIN], [ClearBlock], [Block], [Sealed], [Key] and [SecretKey] print as a fixed
// word under every verb of fmt, in log/slog and as text (so in JSON), and refuse
// binary marshalling (so in CBOR and gob). An enciphered [Block] is guarded like a
// clear one: PCI PIN and PCI DSS 3.3.1.3 want neither of them stored or logged.
// The one hole is fmt on a struct that keeps such a value in an unexported field:
// fmt may not call methods there. Keep them in exported fields, or give the struct
// its own Format.
//
// It never stores anything, and it keeps no key or PIN in package variables.
// Zero methods overwrite the caller's copy; Go may have made others on a stack, so
// this shortens exposure and does not end it. A block that travels through the
// kiosk is a [Sealed]: one piece of memory on the heap, handed on as a pointer and
// wiped by the last who needs it. Nothing here replaces a secure cryptographic
// device: on a real kiosk the PIN is enciphered inside the PIN pad and deciphered
// inside the host's HSM. Only the virtual PIN pad and the reference host call the
// parts of this package that see a clear PIN.
package pin
