// Package device drives the serial peripherals of a kiosk. Today that is the
// PIN pad: a device of the VISA / VeriFone packet family on a serial line, which
// takes the PIN in, enciphers it inside and gives out an ISO 9564-1 format 0
// block with the DUKPT key serial number that it used.
//
// It promises: one goroutine owns the port; every wait has a deadline and a
// name in [Config]; a pad that is absent, silent or unplugged is said so by
// [PinPad.State], and tried again for ever, until Close. A call of
// [PinPad.EnterPIN] ends in a block, or in one of the errors of errors.go, and
// never later than the sum of the deadlines that it passes.
//
// It never sees a clear PIN. It never repeats a block to a second caller: an
// answer with the key serial number of the one before is dropped. It never logs
// what a frame carries: log lines have ids, lengths and outcomes only.
//
// Nothing of it survives a crash, and nothing needs to: on each connect the pad
// is told to drop whatever entry an earlier life has left in it.
//
// frame.go is the packet format, message.go what the packets say, serialport.go
// the port, link.go the rules of ACK, NAK and EOT, pinpad.go the owner, entry.go
// one PIN entry.
package device
