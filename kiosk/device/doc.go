// Package device drives the serial peripherals of a kiosk: PIN pad and receipt
// printer.
//
// The PIN pad is of the VISA / VeriFone packet family. It takes the PIN in,
// enciphers it inside and gives out the PIN block with what names its key: TDES
// or AES DUKPT, or a working key of the host's under the pad's master key.
// docs/protocols/pinpad.md has the frames.
//
// It promises: one goroutine owns the port; every wait has a deadline and a
// name in [Config]; a pad that is absent, silent, unplugged or exchanged is said
// so by [PinPad.State], and tried again for ever, until Close. A call of
// [PinPad.EnterPIN] ends in a block of this very request, or in one of the errors
// of errors.go, and never later than the sum of the deadlines that it passes.
//
// It never sees a clear PIN or a clear key. It never gives a block to a second
// caller: before each entry all older traffic is flushed out, and an answer that
// was seen before is dropped. It never logs what a frame carries: log lines have
// ids, lengths and outcomes only. A block is in one [pin.Sealed] and nowhere else.
//
// The printer speaks ESC/POS ([Printer], docs/protocols/printer.md). A slip is
// sent at most once; it is done when the printer says that it is on paper, not
// done when nothing of it was sent, and unknown otherwise.
//
// Nothing of it survives a crash, and nothing needs to: on each connect the pad
// is told to drop whatever entry an earlier life has left in it.
//
// frame.go is the packet format, message.go and answer.go what the packets say,
// serialport.go the port, link.go the rules of ACK, NAK and EOT, pinpad.go the
// owner, job.go a piece of its work, entry.go one PIN entry, mac.go one MAC,
// identity.go who the pad is. printer.go is the printer's owner, printerlink.go
// what it says and is asked, printerjob.go one slip.
package device
