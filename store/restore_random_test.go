package store

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// Whatever is broken anywhere: a restore gives a journal whose entries are the
// first of those that were written, never less than the backup has.
func TestRandomDamageIsSurvived(t *testing.T) {
	k := makeKept(t, true)
	good := readAll(t, Path(k.dir))
	id := readAll(t, idPath(Path(k.dir)))
	rng := rand.New(rand.NewPCG(7, 8))
	restores := 0
	for range 25 {
		image := bytes.Clone(good)
		for range 1 + rng.IntN(4) {
			at := rng.IntN(len(image))
			for i := at; i < min(at+1+rng.IntN(5000), len(image)); i++ {
				image[i] = byte(rng.Uint32())
			}
		}
		if rng.IntN(5) == 0 {
			image = image[:rng.IntN(len(image))]
		}
		if err := errors.Join(os.WriteFile(Path(k.dir), image, 0o600), os.WriteFile(idPath(Path(k.dir)), id, 0o600), Suspect(Path(k.dir), errors.ErrUnsupported)); err != nil {
			t.Fatal(err)
		}
		s, _, err := Open(Path(k.dir), options())
		if err == nil {
			got := all(t, s)
			if !slices.Equal(got, k.raws) {
				t.Fatalf("%d entries of %d, and all is well", len(got), len(k.raws))
			}
			s.Close()
			continue
		}
		if !Restorable(err) {
			t.Fatal(err)
		}
		restores++
		rep := restore(t, Path(k.dir), k.options())
		if int(rep.LastSeq) < k.backed || int(rep.LastSeq) < len(k.raws) && !rep.Lost {
			t.Fatalf("%+v", rep)
		}
		k.restored(t, rep)
	}
	if restores < 5 {
		t.Errorf("only %d restores", restores)
	}
}
