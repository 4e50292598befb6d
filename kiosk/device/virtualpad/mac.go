package virtualpad

import (
	"encoding/hex"
	"errors"
	"strings"

	"buka/internal/mac"
	"buka/kiosk/device"
)

func unhex(s string) ([]byte, error) { return hex.DecodeString(s) }

// maxMACText bounds the text of one Z66, maxMACPackets the packets of a session.
const maxMACText, maxMACPackets = 224, 100

// Statuses of Z67.
const (
	macMore       = "1"
	macOrder      = "2"
	macNoMaster   = "3"
	macSecondKey  = "4"
	macLength     = "5"
	macType       = "6"
	macContent    = "7"
	macSessionKey = "8"
)

// macSession is a code that is being made over several Z66.
type macSession struct {
	seq     int // the next number
	keys    string
	message []byte
}

func (m *macSession) reset() {
	clear(m.message)
	*m = macSession{}
}

// macPacket is what one Z66 says.
type macPacket struct {
	last, binary         bool
	seq                  int
	slot                 byte
	session, second, msg string
}

// parseMAC reads a Z66. The status is one of Z67, empty for a good packet.
func parseMAC(body string) (m macPacket, status string) {
	head, rest, ok := strings.Cut(strings.TrimPrefix(body, "Z66"), string(rune(fs)))
	if !ok || len(head) != 4 || head[0] < '0' || head[0] > '3' {
		return m, macType
	}
	if !isHex(head[1:3]) || head[1] > '9' || head[2] > '9' {
		return m, macOrder
	}
	m.last, m.binary = head[0]&1 != 0, head[0]&2 != 0
	m.seq, m.slot = int(head[1]-'0')*10+int(head[2]-'0'), head[3]
	fields := strings.SplitN(rest, string(rune(fs)), 3)
	if len(fields) != 3 {
		return m, macType
	}
	m.session, m.second, m.msg = fields[0], fields[1], fields[2]
	switch {
	case m.second != "":
		return m, macSecondKey
	case m.msg == "", len(m.msg) > maxMACText, m.binary && len(m.msg)%2 != 0:
		return m, macLength
	case m.binary && !isHex(m.msg):
		return m, macContent
	}
	return m, ""
}

// makeMAC answers a Z66.
func (p *Pad) makeMAC(body string) {
	m, status := parseMAC(body)
	var code []byte
	if status == "" {
		code, status = p.addMAC(m)
	}
	if status != macMore {
		p.macs.reset()
	}
	answer := append([]byte("Z67"), status...)
	if code != nil {
		answer = appendHex(append(answer, '0'), code)
	}
	p.reply(device.Frame{Body: answer})
}

// addMAC takes the next part of a message, and gives the code after the last.
func (p *Pad) addMAC(m macPacket) (code []byte, status string) {
	keys := string(m.slot) + m.session
	if m.seq == 0 {
		p.macs.reset()
		p.macs.keys = keys
	}
	if m.seq != p.macs.seq || keys != p.macs.keys || m.seq >= maxMACPackets {
		return nil, macOrder
	}
	part := []byte(m.msg)
	if m.binary {
		part, _ = unhex(m.msg) // parseMAC has looked
	}
	p.macs.message = append(p.macs.message, part...)
	p.macs.seq++
	key, err := p.sessionKey(m.slot, m.session)
	switch {
	case errors.Is(err, errNoMaster):
		return nil, macNoMaster
	case err != nil:
		return nil, macSessionKey
	}
	defer key.Zero()
	if !m.last {
		return nil, macMore
	}
	raw := key.Reveal()
	defer clear(raw)
	sum, err := mac.Sum(mac.X919, raw, p.macs.message)
	if err != nil {
		return nil, macSessionKey
	}
	return sum[:], ""
}
