package reader

// memoryConn is a transaction with one card in memory.
type memoryConn struct {
	m      *Memory
	reader string
	slot   *slot
	card   Device
}

// dial waits for the turn on the reader, as SCardBeginTransaction does.
func (m *Memory) dial(reader string, quit <-chan struct{}) (conn, []byte, error) {
	fail := func(kind error) (conn, []byte, error) {
		return nil, nil, &Error{Op: "open", Reader: reader, Kind: kind, Unsent: true}
	}
	m.mu.Lock()
	s, down := m.slots[reader], m.down
	m.mu.Unlock()
	if down {
		return fail(ErrNoService)
	}
	if s == nil {
		return fail(ErrReaderGone)
	}
	select {
	case s.turn <- struct{}{}:
	case <-quit:
		return fail(ErrBusy)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	kind := error(nil)
	switch {
	case m.down:
		kind = ErrNoService
	case m.slots[reader] != s:
		kind = ErrReaderGone
	case len(s.cards) == 0:
		kind = ErrNoCard
	case len(s.cards) > 1:
		kind = ErrTwoCards
	}
	if kind != nil {
		<-s.turn
		return fail(kind)
	}
	m.show(reader, false)
	card := s.cards[0]
	return &memoryConn{m: m, reader: reader, slot: s, card: card.dev}, card.atr, nil
}

// transmit lets the card answer, and hands the answer over only if card,
// reader and service are still there.
func (c *memoryConn) transmit(cmd []byte) ([]byte, error) {
	if err := c.gone(); err != nil {
		return nil, err
	}
	resp := c.card.Process(cmd)
	if resp == nil {
		c.m.Remove(c.reader, c.card)
	}
	if err := c.gone(); err != nil {
		return nil, err
	}
	if len(resp) < 2 {
		return nil, &Error{Op: "transmit", Reader: c.reader, Kind: ErrTransport}
	}
	return resp, nil
}

// gone tells what has ended the transaction. As with PC/SC, it is not said
// whether a command had reached the card.
func (c *memoryConn) gone() error {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	kind := error(nil)
	switch {
	case c.m.down:
		kind = ErrNoService
	case c.m.slots[c.reader] != c.slot:
		kind = ErrReaderGone
	case c.slot.find(c.card) < 0:
		kind = ErrCardRemoved
	default:
		return nil
	}
	return &Error{Op: "transmit", Reader: c.reader, Kind: kind}
}

func (c *memoryConn) release() {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	<-c.slot.turn
	c.m.show(c.reader, false)
}
