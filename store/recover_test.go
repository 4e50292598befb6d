package store

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"buka/internal/entry"
)

// commits gives the images of a journal before and after one more commit.
func commits(t *testing.T, n int, bodies ...entry.Body) (before, after sample) {
	t.Helper()
	before = makeSample(t, n)
	dir := t.TempDir()
	s, _, err := Open(before.place(t, dir, before.file), options())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(bodies...); err != nil {
		t.Fatal(err)
	}
	after = before
	after.raws = all(t, s)
	mustClose(t, s)
	after.file = readAll(t, Path(dir))
	return before, after
}

// spoil damages the newer meta page of an image.
func spoil(t *testing.T, image []byte) []byte {
	t.Helper()
	found, err := readMetas(bytes.NewReader(image), int64(len(image)))
	if err != nil || found.damaged >= 0 {
		t.Fatal(found, err)
	}
	image = bytes.Clone(image)
	image[int(found.current.txid%2)*found.current.pageSize+headerBytes+20] ^= 0x40
	return image
}

func opened(t *testing.T, smp sample, image []byte) ([]string, Report) {
	t.Helper()
	s, rep, err := Open(smp.place(t, t.TempDir(), image), options())
	if err != nil {
		t.Fatal(err)
	}
	raws := all(t, s)
	fill(t, s, 3)
	mustClose(t, s)
	return raws, rep
}

func same(a, b []string) bool { return strings.Join(a, "|") == strings.Join(b, "|") }

// The last commit was acknowledged, then its meta page goes bad: bbolt alone
// would go on without that commit.
func TestADamagedMetaPageLosesNothing(t *testing.T) {
	for name, bodies := range map[string][]entry.Body{
		"one":          {body(1)},
		"many":         {body(1), body(2), body(3), body(5), body(45), body(95), body(90), body(195), body(290), body(10), body(385), body(480), body(6)},
		"a checkpoint": {body(1), entry.Checkpoint{State: make([]byte, 100_000)}, body(2)},
	} {
		for _, n := range []int{2, 40, 400} {
			before, after := commits(t, n, bodies...)
			raws, rep := opened(t, after, spoil(t, after.file))
			if !same(raws, after.raws) || rep.Recovered != len(bodies) || len(rep.Notes) != 1 {
				t.Errorf("%s after %d: %d entries instead of %d, %+v", name, n, len(raws), len(after.raws), rep)
			}
			if name == "a checkpoint" && rep.Checkpoint != uint64(len(before.raws)+2) {
				t.Errorf("the recovered checkpoint is not the last one: %+v", rep)
			}
		}
	}
}

func TestTheOlderMetaPageMayGoBad(t *testing.T) {
	smp := makeSample(t, 40)
	image := bytes.Clone(smp.file)
	image[int((smp.meta.txid+1)%2)*smp.meta.pageSize+headerBytes+20] ^= 0x40
	raws, rep := opened(t, smp, image)
	if !same(raws, smp.raws) || rep.Recovered != 0 || len(rep.Notes) != 1 {
		t.Errorf("%d entries, %+v", len(raws), rep)
	}
}

func TestTwoCandidatesAreNotGuessed(t *testing.T) {
	before, after := commits(t, 40, body(1))
	_, other := commits(t, 40, body(2)) // the same journal, and another last entry
	image := spoil(t, after.file)
	ps := before.meta.pageSize
	// The other entry's leaf, as a leftover of a commit that never ended.
	for id := 2; id < len(other.file)/ps; id++ {
		page := other.file[id*ps : (id+1)*ps]
		if bytes.Contains(page, []byte(other.raws[len(other.raws)-1])) {
			free := uint64(len(image) / ps)
			image = append(image, page...)
			order.PutUint64(image[int(free)*ps:], free)
		}
	}
	_, _, err := Open(after.place(t, t.TempDir(), image), options())
	d := (*ErrDamaged)(nil)
	if !errors.As(err, &d) || int(d.Seq) != len(after.raws) {
		t.Errorf("%v", err)
	}
}

// A power cut in the midst of a commit: any of its pages may be on the disk,
// the meta page is not, because it is only written after all others are.
func TestAPowerCutInACommitKeepsWhatWasBefore(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{2, 40, 400} {
		before, after := commits(t, n, body(1), body(2), body(3))
		ps := before.meta.pageSize
		for range 30 {
			image := bytes.Clone(before.file)
			image = append(image, make([]byte, len(after.file)-len(image))...)
			for at := 2 * ps; at < len(image); at += ps {
				switch rng.IntN(3) {
				case 0:
					copy(image[at:at+ps], after.file[at:])
				case 1: // half of it
					half := 512 * rng.IntN(ps/512)
					copy(image[at:at+half], after.file[at:])
				}
			}
			raws, rep := opened(t, before, image)
			if !same(raws, before.raws) || len(rep.Notes) > 0 {
				t.Fatalf("%d entries instead of %d, %+v", len(raws), len(before.raws), rep)
			}
		}
	}
}

// Our checker and bbolt's own must agree about what bbolt writes.
func TestTheCheckerAgreesWithBbolt(t *testing.T) {
	path := Path(t.TempDir())
	s, _ := mustOpen(t, path)
	rng := rand.New(rand.NewPCG(9, 10))
	for range 150 {
		bodies := make([]entry.Body, 1+rng.IntN(40))
		for i := range bodies {
			bodies[i] = body(rng.IntN(5000))
		}
		if rng.IntN(20) == 0 {
			bodies[0] = entry.Checkpoint{State: make([]byte, rng.IntN(1<<20))}
		}
		if _, err := s.Append(bodies...); err != nil {
			t.Fatal(err)
		}
		if rng.IntN(5) == 0 {
			if err := s.Verify(context.Background(), nil); err != nil {
				t.Fatal(err)
			}
			err := s.bolt.View(func(tx *bolt.Tx) error {
				for err := range tx.Check() {
					t.Error("bbolt:", err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	mustClose(t, s)
}
