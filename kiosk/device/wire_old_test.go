package device

import (
	"context"
	"errors"
	"testing"
	"time"

	"buka/internal/pin"
)

func frameBytes(body string) []byte { return must(Frame{Body: []byte(body)}.Encode()) }

func adminBytes(body string) []byte { return must(Frame{Admin: true, Body: []byte(body)}.Encode()) }

// TestWireOldSessionBlock lets a pad repeat a master/session block, which has no
// number, into the entry of another account, behind the fence.
func TestWireOldSessionBlock(t *testing.T) {
	const pan, other = "4012345678909", "4111111111111111"
	const old, fresh = "71.004011B9C1845EB993A7A", "71.0040110A01C8D02C69107"
	for _, c := range []struct {
		name, next, answer string
		format             pin.Format
		taken              bool
	}{
		{"another account", other, old, pin.Format0, false},
		{"the same account and PIN", pan, old, pin.Format0, true},
		{"the same account, random fill", pan, old, pin.Format3, false},
		{"a fresh block", other, fresh, pin.Format0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t, Config{Scheme: pin.MasterSession, Format: c.format, KeySlot: "0"})
			entry := func(pan string) <-chan outcome {
				out := make(chan outcome, 1)
				go func() {
					r, err := p.driver.EnterPIN(context.Background(), Request{PAN: pan, Key: sampleKey})
					out <- outcome{r, err}
				}()
				p.fence()
				p.expect(p.frames["select master key 0"])
				p.send(ack, eot)
				p.expect(must(msgPrompt("ENTER PIN").Encode()))
				p.send(ack)
				p.expect(must(entryMessage{scheme: pin.MasterSession, key: sampleKey, pan: pan}.frame(PacketZ60).Encode()))
				p.send(ack)
				return out
			}
			first := entry(pan)
			p.send(frameBytes(old)...)
			p.expect([]byte{ack})
			if o := p.get(first); o.err != nil {
				t.Fatal(o.err)
			}
			second := entry(c.next)
			p.send(frameBytes(c.answer)...)
			p.expect([]byte{ack})
			if !c.taken {
				select {
				case o := <-second:
					t.Fatalf("the old block is given out: %v", o.err)
				case <-time.After(50 * time.Millisecond):
				}
				p.send(frameBytes(fresh)...)
				p.expect([]byte{ack})
			}
			if o := p.get(second); o.err != nil || (o.r.PIN.Block() == pin.Block{0x1B, 0x9C, 0x18, 0x45, 0xEB, 0x99, 0x3A, 0x7A}) != (c.taken && c.answer == old) {
				t.Fatal(o.err)
			}
		})
	}
}

// TestWireSerialDamagedOnce: damage that the LRC does not show is no alarm, until
// it is told twice.
func TestWireSerialDamagedOnce(t *testing.T) {
	p := newPeer(t, Config{})
	told := func(serial string) {
		p.expect(must(msgReadSerial().Encode()))
		p.send(ack)
		p.send(adminBytes("06" + serial)...)
		p.expect([]byte{ack})
	}
	c := p.ask()
	p.expect(p.frames["cancel"])
	p.send(ack)
	told("1234567890123465")
	told("1234567890123456")
	p.z2z60()
	p.send(p.frames["73 DUKPT"]...)
	p.expect([]byte{ack})
	if o := p.get(c); o.err != nil {
		t.Fatal(o.err)
	}
	c = p.ask()
	p.expect(p.frames["cancel"])
	p.send(ack)
	told("9999999999999999")
	told("9999999999999999")
	if o := p.get(c); !errors.Is(o.err, ErrOtherPad) {
		t.Fatal(o.err)
	}
	p.greet() // the right one is back
}

// TestWireEOTBeforeSerial: the end of something older is no pad without a number.
func TestWireEOTBeforeSerial(t *testing.T) {
	p := newPeer(t, Config{})
	c := p.ask()
	p.expect(p.frames["cancel"])
	p.send(ack)
	p.expect(must(msgReadSerial().Encode()))
	p.send(ack, eot)
	p.send(adminBytes("061234567890123456")...)
	p.expect([]byte{ack})
	p.z2z60()
	p.send(p.frames["73 DUKPT"]...)
	p.expect([]byte{ack})
	if o := p.get(c); o.err != nil {
		t.Fatal(o.err)
	}
}
