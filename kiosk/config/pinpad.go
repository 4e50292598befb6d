package config

import (
	"fmt"
	"time"

	"buka/internal/pin"
)

// checkPINPad finds the first value of [pinpad] that cannot work, alone or with
// the others.
func (c *Config) checkPINPad() *Error {
	bad := func(key, what string, a ...any) *Error { return &Error{0, "pinpad." + key, fmt.Sprintf(what, a...)} }
	p := &c.PINPad
	if p.PadPrompts && p.Packet == "Z60" {
		p.Packet = "70" // what the key meant before there was packet
	}
	slot := len(p.KeySlot) == 1 && p.KeySlot[0] >= '0' && p.KeySlot[0] <= '9'
	switch {
	case p.Port == "":
		return bad("port", "the path of a serial device is wanted")
	case p.Baud < 300 || p.Baud > 921600:
		return bad("baud", "%d: 300 to 921600 is wanted", p.Baud)
	case p.Mode != "8N1" && p.Mode != "7E1" && p.Mode != "7O1":
		return bad("mode", "%q: 8N1, 7E1 or 7O1 is wanted", p.Mode)
	case p.KeySlot != "" && !slot:
		return bad("key_slot", "%q: one digit is wanted, or nothing", p.KeySlot)
	case p.Keys == pin.MasterSession && !slot:
		return bad("keys", "master-session wants key_slot: the digit of the master key")
	case p.Format != 0 && p.Format != 3 && p.Format != 4:
		return bad("format", "%d: 0, 3 or 4 is wanted", p.Format)
	case p.Format == 4 && p.Keys != pin.AESDUKPT:
		return bad("format", "4 goes with keys = \"aes-dukpt\" only")
	case p.Packet != "Z60" && p.Packet != "Z62" && p.Packet != "Z63" && p.Packet != "70":
		return bad("packet", "%q: Z60, Z62, Z63 or 70 is wanted", p.Packet)
	case p.PadPrompts && p.Packet != "70":
		return bad("pad_prompts", "it means packet = \"70\", and packet says %s", p.Packet)
	case len(p.Serial) > 16:
		return bad("serial", "at most 16 characters are wanted")
	case p.EntryTimeout < Duration(5*time.Second) || p.EntryTimeout > Duration(4*time.Minute):
		return bad("entry_timeout", "5s to 4m is wanted")
	}
	return nil
}
