package reader

import "sync"

// maxHangs bounds the abandoned calls of one reader; above it the reader is not
// opened any more until one comes back.
const maxHangs = 8

// hangs counts the workers that were left behind in a driver.
type hangs struct {
	board *board
	mu    sync.Mutex
	count map[string]int
}

func newHangs(b *board) *hangs {
	return &hangs{board: b, count: map[string]int{}}
}

// watch counts a worker until it ends.
func (h *hangs) watch(reader string, ended <-chan struct{}) {
	h.add(reader, 1)
	go func() {
		<-ended
		h.add(reader, -1)
	}()
}

func (h *hangs) add(reader string, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count[reader] += n
	h.board.setHung(reader, h.count[reader] > 0)
	if h.count[reader] == 0 {
		delete(h.count, reader)
	}
}

// full reports that no further call may be risked.
func (h *hangs) full(reader string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count[reader] >= maxHangs
}
