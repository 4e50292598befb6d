package station

import "sync"

// faces tells the pages that something has changed. It never blocks: a page
// looks when it likes.
type faces struct {
	mu   sync.Mutex
	next int
	list map[int]func()
}

func (f *faces) watch(changed func()) (cancel func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.list == nil {
		f.list = map[int]func(){}
	}
	id := f.next
	f.next++
	f.list[id] = changed
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.list, id)
	}
}

func (f *faces) tell() {
	f.mu.Lock()
	list := make([]func(), 0, len(f.list))
	for _, c := range f.list {
		list = append(list, c)
	}
	f.mu.Unlock()
	for _, c := range list {
		c()
	}
}
