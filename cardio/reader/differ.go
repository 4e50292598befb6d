package reader

import (
	"maps"
	"slices"
)

// next finds the first thing that the listener does not know yet, in an order
// that is consistent at every step: what left before what came, cards before
// their readers when leaving and after them when coming. The board is locked.
func (b *board) next() (Event, bool) {
	for _, name := range slices.Sorted(maps.Keys(b.told.readers)) {
		was := b.told.readers[name]
		is, here := b.now.readers[name]
		if was.Present && (!here || !is.Present || is.Serial != was.Serial) {
			serial := was.Serial
			was.Present, was.ATR, was.Cards = false, nil, 0
			b.told.readers[name] = was
			return Event{Kind: CardRemoved, Reader: name, Serial: serial}, true
		}
		if !here {
			delete(b.told.readers, name)
			return Event{Kind: ReaderRemoved, Reader: name}, true
		}
	}
	if b.now.service != b.told.service {
		b.told.service = b.now.service
		if b.now.service == serviceUp {
			return Event{Kind: ServiceUp}, true
		}
		return Event{Kind: ServiceDown, Err: b.cause}, true
	}
	for _, name := range slices.Sorted(maps.Keys(b.now.readers)) {
		if e, ok := b.arrived(name); ok {
			return e, true
		}
	}
	return Event{}, false
}

func (b *board) arrived(name string) (Event, bool) {
	is := b.now.readers[name]
	was, told := b.told.readers[name]
	e := Event{Reader: name, Serial: is.Serial, Cards: is.Cards}
	switch {
	case !told:
		was = State{Reader: name}
		e = Event{Kind: ReaderAdded, Reader: name}
	case was.Hung != is.Hung:
		was.Hung = is.Hung
		e = Event{Kind: ReaderFreed, Reader: name}
		if is.Hung {
			e.Kind = ReaderHung
		}
	case is.Present && !was.Present:
		was = is
		e.Kind = CardPresent
		e.ATR = slices.Clone(is.ATR)
	case is.Present && was.Cards != is.Cards:
		was.Cards = is.Cards
		e.Kind = CardsChanged
	default:
		return Event{}, false
	}
	b.told.readers[name] = was
	return e, true
}
