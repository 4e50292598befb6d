// Package escpos is the command language of receipt printers, as far as a slip
// needs it: what a slip is made of ([Slip]), its bytes ([Encode]), and what a
// printer says of itself ([Reader], [Status]). docs/protocols/printer.md has
// the commands; they are those that EPSON publishes as ESC/POS and that makers
// of thermal printers have copied.
//
// It promises that no text reaches a printer as a command: what a printer's
// character set lacks becomes a question mark, control characters are dropped,
// and every size is bounded. It never opens a port and keeps nothing.
//
// slip.go is the content, encode.go turns it into bytes, wrap.go cuts text into
// lines, qr.go is the QR code as a command or as dots, status.go reads what
// comes back.
package escpos
