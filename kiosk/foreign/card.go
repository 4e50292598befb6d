package foreign

import "sync"

// Status words (§1.6).
const (
	swOK         = 0x9000
	swLength     = 0x6700
	swState      = 0x6901 // CREDIT without INITIALIZE
	swSecurity   = 0x6982
	swPINLocked  = 0x6983
	swConditions = 0x6985
	swNoFile     = 0x6A82
	swNoRecord   = 0x6A83
	swP1P2       = 0x6A86
	swINS        = 0x6D00
	swCLA        = 0x6E00
	swMAC        = 0x9302
	swLocked     = 0x9303
	swCounter    = 0x9402
	swKey        = 0x9403
	swNoProof    = 0x9406
)

const (
	tries     = 3  // wrong MAC2 or PIN in a row, then it locks
	logLength = 10 // records of EF18
)

// card is what survives a loss of the field, and the session that does not.
type card struct {
	mu   sync.Mutex
	opts Options
	asn  [10]byte

	load, purchase [16]byte // diversified
	tac            [8]byte

	balance         uint32
	online, offline uint16
	log             [][23]byte // newest first
	proof           *proof
	wrongMACs       int
	wrongPINs       int
	locked          bool

	loads    int    // CREDITs that this card has committed
	credited uint64 // fen by them
	torn     int
	asked    int // commands
	mask     *mask
	recorded []byte // the last answer to INITIALIZE

	session session
}

// session is lost with the field.
type session struct {
	selected bool
	verified bool
	loading  *loading
	waiting  []byte // for GET RESPONSE
}

// loading is what INITIALIZE FOR LOAD leaves for CREDIT FOR LOAD.
type loading struct {
	amount   uint32
	terminal [6]byte
	key      [8]byte
}

// proof is the last transaction, for PROVE.
type proof struct {
	kind     byte
	number   uint16 // to which PROVE answers
	mac, tac [4]byte
}

// Published test masters (§1.8): loads, purchases, TAC.
func master(first byte) (k [16]byte) {
	for i := range k {
		k[i] = first + byte(i)
	}
	return k
}

func newCard(o Options) (*card, error) {
	asn, err := serial(o.Number)
	if err != nil {
		return nil, err
	}
	c := &card{opts: o, asn: asn, balance: o.Balance, online: o.Counter, offline: 10}
	x := [8]byte(asn[2:])
	c.load, c.purchase, c.tac = diversify(master(0x10), x), diversify(master(0x20), x), fold(diversify(master(0x30), x))
	return c, nil
}

// reset is what a new field, or RESET, does.
func (c *card) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = session{}
}

// verdict of a command about the field itself.
type verdict int

const (
	stays verdict = iota
	dropped
	swapped // another card lies there now, and this command is for it
)

// answer gives data and status word to one command, and what has become of
// the card in the field over it.
func (c *card) answer(apdu []byte) ([]byte, verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked++; c.asked == c.opts.Drop {
		return nil, dropped
	}
	if c.swaps(apdu) {
		c.opts.Swap = ""
		return nil, swapped
	}
	cmd, ok := parse(apdu)
	if !ok {
		return status(nil, swLength), stays
	}
	if cmd.ins == 0xC0 && cmd.cla == 0 {
		return c.getResponse(cmd), stays
	}
	c.session.waiting = nil
	if c.opts.Forget && cmd.ins != 0x52 {
		c.session.loading = nil
	}
	if cmd.ins == 0x52 && cmd.cla == 0x80 {
		return c.credit(cmd)
	}
	data, sw := c.dispatch(cmd)
	return c.hand(data, sw), stays
}

func (c *card) dispatch(cmd command) ([]byte, uint16) {
	switch {
	case cmd.cla == 0x00 && cmd.ins == 0xA4:
		return c.selectFile(cmd)
	case cmd.cla != 0x00 && cmd.cla != 0x80:
		return nil, swCLA
	case !c.session.selected:
		return nil, swINS
	}
	switch uint16(cmd.cla)<<8 | uint16(cmd.ins) {
	case 0x00B0:
		return c.readBinary(cmd)
	case 0x00B2:
		return c.readRecord(cmd)
	case 0x0020:
		return c.verify(cmd)
	case 0x805C:
		return c.getBalance(cmd)
	case 0x8050:
		return c.initialize(cmd)
	case 0x805A:
		return c.prove(cmd)
	}
	return nil, swINS
}

// hand gives an answer out, at once or by GET RESPONSE.
func (c *card) hand(data []byte, sw uint16) []byte {
	if c.opts.Use61 && sw == swOK && len(data) > 0 {
		c.session.waiting = data
		return status(nil, 0x6100|uint16(len(data)))
	}
	return status(data, sw)
}

func (c *card) getResponse(cmd command) []byte {
	data := c.session.waiting
	if data == nil {
		return status(nil, swConditions)
	}
	if cmd.le != 0 && cmd.le != len(data) {
		return status(nil, 0x6C00|uint16(len(data)))
	}
	c.session.waiting = nil
	return status(data, swOK)
}

// command is a short APDU. le is 0 for 00 and for none.
type command struct {
	cla, ins, p1, p2 byte
	data             []byte
	le               int
}

func parse(b []byte) (c command, ok bool) {
	if len(b) < 4 {
		return c, false
	}
	c = command{cla: b[0], ins: b[1], p1: b[2], p2: b[3]}
	body := b[4:]
	switch {
	case len(body) == 0:
	case len(body) == 1:
		c.le = int(body[0])
	default:
		lc := int(body[0])
		if lc == 0 || len(body) < 1+lc || len(body) > 2+lc {
			return c, false
		}
		c.data = body[1 : 1+lc]
		if len(body) == 2+lc {
			c.le = int(body[1+lc])
		}
	}
	return c, true
}

func status(data []byte, sw uint16) []byte { return append(append([]byte{}, data...), be16(sw)...) }

// exactly refuses a wrong Le, as a strict card does.
func exactly(cmd command, data []byte) ([]byte, uint16) {
	if cmd.le != 0 && cmd.le != len(data) {
		return nil, 0x6C00 | uint16(len(data))
	}
	return data, swOK
}
