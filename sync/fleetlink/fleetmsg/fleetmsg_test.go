package fleetmsg

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"buka/internal/entry"
)

var epoch = entry.Hex("0123456789abcdef")

func stretch(t testing.TB, n int) [][]byte {
	t.Helper()
	var prev entry.Hash
	var list [][]byte
	for i := range n {
		_, stored, hash, err := entry.Seal(uint64(i+1), prev, time.UnixMilli(int64(i)), entry.Started{Version: "v"})
		if err != nil {
			t.Fatal(err)
		}
		list, prev = append(list, stored), hash
	}
	return list
}

func TestBatchRoundTrip(t *testing.T) {
	b := Batch{Kiosk: "K1", Epoch: epoch, First: 1, Entries: stretch(t, 3)}
	data, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, opened, err := DecodeBatch(data)
	if err != nil {
		t.Fatal(err)
	}
	b.Version = Version
	if !reflect.DeepEqual(b, back) || len(opened) != 3 || opened[2].Entry.Seq != 3 {
		t.Fatalf("%+v became %+v (%d opened)", b, back, len(opened))
	}
}

func TestBatchRefused(t *testing.T) {
	good := stretch(t, 3)
	for name, c := range map[string]struct {
		change func(*Batch)
		want   error
	}{
		"kiosk with a dot":      {func(b *Batch) { b.Kiosk = "K1.K2" }, ErrMalformed},
		"kiosk that is wild":    {func(b *Batch) { b.Kiosk = "*" }, ErrMalformed},
		"no kiosk":              {func(b *Batch) { b.Kiosk = "" }, ErrMalformed},
		"short epoch":           {func(b *Batch) { b.Epoch = b.Epoch[:15] }, ErrMalformed},
		"first is zero":         {func(b *Batch) { b.First = 0 }, ErrMalformed},
		"first is huge":         {func(b *Batch) { b.First = 1<<64 - 1 }, ErrMalformed},
		"hash before the first": {func(b *Batch) { b.Prev = entry.Hash{1} }, ErrMalformed},
		"other first":           {func(b *Batch) { b.First = 2 }, ErrBroken},
		"entry left out":        {func(b *Batch) { b.Entries = [][]byte{good[0], good[2]} }, ErrBroken},
		"entries swapped":       {func(b *Batch) { b.Entries = [][]byte{good[1], good[0]} }, ErrBroken},
		"garbage entry":         {func(b *Batch) { b.Entries = [][]byte{[]byte("garbage")} }, ErrMalformed},
		"empty entry":           {func(b *Batch) { b.Entries = [][]byte{{}} }, ErrMalformed},
		"too many entries":      {func(b *Batch) { b.Entries = make([][]byte, MaxEntries+1) }, ErrMalformed},
		"a bit of entry 2 fell": {func(b *Batch) {
			bad := append([]byte{}, good[1]...)
			bad[len(bad)-1] ^= 1
			b.Entries = [][]byte{good[0], bad, good[2]}
		}, ErrBroken},
	} {
		b := Batch{Kiosk: "K1", Epoch: epoch, First: 1, Entries: good}
		c.change(&b)
		data, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := DecodeBatch(data); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestHeartbeatRoundTripAndBounds(t *testing.T) {
	h := Heartbeat{Kiosk: "K1", Epoch: epoch, Version: strings.Repeat("长", 200), Devices: make([]Device, MaxDevices+9)}
	data, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeHeartbeat(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Devices) != MaxDevices || len(back.Version) > MaxText || !strings.HasSuffix(back.Version, "长") {
		t.Fatalf("%d devices, version of %d bytes", len(back.Devices), len(back.Version))
	}
	back.Owed = -1
	if data, err = back.Encode(); err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeHeartbeat(data); !errors.Is(err, ErrMalformed) {
		t.Fatalf("a negative count: %v", err)
	}
}

func TestReply(t *testing.T) {
	for _, c := range []struct {
		r    Reply
		good bool
	}{
		{Reply{Code: CodeOK, Known: true, Seq: 3, Hash: entry.Hash{1}}, true},
		{Reply{Code: CodeRetry}, true},
		{Reply{Code: CodeOK}, false},
		{Reply{Code: "perhaps", Known: true}, false},
		{Reply{Code: CodeGap, Known: true, Hash: entry.Hash{1}}, false},
	} {
		data, err := c.r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeReply(data); (err == nil) != c.good {
			t.Errorf("%+v: %v", c.r, err)
		}
	}
}

func FuzzBatch(f *testing.F) {
	for _, n := range []int{0, 1, 3} {
		data, err := Batch{Kiosk: "K1", Epoch: epoch, First: 1, Entries: stretch(f, n)}.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{0xa6, 1, 1, 2, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		b, opened, err := DecodeBatch(data)
		if err != nil {
			return
		}
		seq, prev := b.First-1, b.Prev
		for _, o := range opened {
			if err := o.Entry.Follows(seq, prev); err != nil {
				t.Fatal(err)
			}
			seq, prev = o.Entry.Seq, o.Hash
		}
		if _, err := b.Encode(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzHeartbeat(f *testing.F) {
	data, err := Heartbeat{Kiosk: "K1", Epoch: epoch, Devices: []Device{{Name: "reader"}}}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := DecodeHeartbeat(data)
		if err != nil {
			return
		}
		if again, err := h.Encode(); err != nil || len(again) > MaxBeat {
			t.Fatal(len(again), err)
		}
	})
}

func FuzzReply(f *testing.F) {
	data, err := Reply{Code: CodeOK, Known: true, Seq: 1, Hash: entry.Hash{1}}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := DecodeReply(data); err == nil && len(r.Detail) > MaxText {
			t.Fatal("a long text passed")
		}
	})
}
