package faultmatrix

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// pool keeps the worlds of the matrix: to open one takes longer than a sale, and
// whatever befell the sale before, the next one begins in a world at rest.
type pool struct {
	dir    string
	spare  chan *world
	opened chan struct{} // something for each that there is
	count  atomic.Int64  // of all that ever were
}

// matrix leaves room for one world beside it.
var matrix = pool{spare: make(chan *world, atOnce-1), opened: make(chan struct{}, atOnce-1)}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "faultmatrix")
	if err != nil {
		log.Fatal(err)
	}
	matrix.dir = dir
	code := m.Run()
	if err := errors.Join(matrix.close(), os.RemoveAll(dir)); err != nil {
		log.Print(err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// borrow gives a world that nobody uses. Whoever has it gives it back.
func (p *pool) borrow(ctx context.Context) (*world, error) {
	select {
	case w := <-p.spare:
		return w, nil
	default:
	}
	select {
	case w := <-p.spare:
		return w, nil
	case p.opened <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	n := int(p.count.Add(1))
	w, err := open(context.WithoutCancel(ctx), filepath.Join(p.dir, fmt.Sprint(n)), timer, n*100_000)
	if err != nil {
		<-p.opened
	}
	return w, err
}

// back takes a world. In one that is not sound what follows would prove nothing.
func (p *pool) back(w *world, sound bool) {
	if sound {
		p.spare <- w
		return
	}
	if err := w.close(); err != nil {
		log.Print(err)
	}
	<-p.opened
}

// close ends the worlds that are there.
func (p *pool) close() (err error) {
	for {
		select {
		case w := <-p.spare:
			err = errors.Join(err, w.close())
		default:
			return err
		}
	}
}
