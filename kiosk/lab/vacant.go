package lab

import (
	"context"
	"errors"
	"fmt"
	"time"

	"buka/cardio/reader"
	"buka/cardio/reader/pcscd"
	"buka/topup"
)

// A PC/SC service looks at its readers a few times a second. A card that leaves
// and another that comes within one look are one presence to it; no person is
// that fast, but a script is.
const vacantWait = 10 * time.Second

// readerAt names the PC/SC reader of a field.
func (l *Lab) readerAt(place string) string {
	switch place {
	case string(topup.Front):
		return pcscd.Reader0
	case string(topup.Desk):
		return l.deskReader
	}
	if l.opts.OneReader {
		return pcscd.Reader0
	}
	return pcscd.Reader1
}

// empty says whether the reader of a field shows no card: neither to those who
// watch it nor to those who ask the service now.
func empty(src *reader.PCSC, name string) bool {
	for _, st := range src.Readers() {
		if st.Reader == name && st.Present {
			return false
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), vacantWait)
	defer cancel()
	card, err := src.Open(ctx, name)
	if err == nil {
		card.Close()
		return false
	}
	return errors.Is(err, reader.ErrNoCard) || errors.Is(err, reader.ErrReaderGone) || errors.Is(err, reader.ErrNoService)
}

// vacant waits until the reader of a field shows no card, and takes the field.
func (l *Lab) vacant(place string) error {
	l.mu.Lock()
	src := l.readers
	l.used[place] = true
	l.mu.Unlock()
	if src == nil {
		return nil
	}
	name := l.readerAt(place)
	if !await(func() bool { return empty(src, name) }) {
		return fmt.Errorf("reader %s is taken: a card of another program lies there", name)
	}
	return nil
}

// settle waits, when the kiosk is off, until the readers have noticed that its
// cards are gone; else the next life of the kiosk begins with a card that is
// not there.
func (l *Lab) settle() {
	l.mu.Lock()
	var names []string
	for place := range l.used {
		names = append(names, l.readerAt(place))
	}
	clear(l.used)
	memory := l.readers == nil
	l.mu.Unlock()
	if memory || len(names) == 0 {
		return
	}
	src := reader.NewPCSC(reader.Limits{})
	defer src.Close()
	await(func() bool {
		for _, name := range names {
			if !empty(src, name) {
				return false
			}
		}
		return true
	})
}

// await asks until it holds; false if it does not in the time that a card reader
// service may take.
func await(ok func() bool) bool { return awaitFor(vacantWait, ok) }

func awaitFor(limit time.Duration, ok func() bool) bool {
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(5 * time.Millisecond)
	}
	return true
}
