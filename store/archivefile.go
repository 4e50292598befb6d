package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/fxamacker/cbor/v2"
	"github.com/klauspost/compress/zstd"

	"buka/internal/entry"
)

// An archive is a file of zstd frames (RFC 8878) that hold the stored bytes of
// entries one after the other, a CBOR sequence (RFC 8742), so that `zstd -dc`
// reads it in fifty years too. Its last frame is a skippable one: the index, its
// SHA-256, its length (u32, little-endian) and the four letters below.
const (
	archiveMagic = "BUKA"
	skipMagic    = 0x184D2A5B
	skipBytes    = 8                   // magic and size of a skippable frame, u32 each
	tailBytes    = sha256.Size + 4 + 4 // after the index
	maxIndex     = 1 << 20             // bytes
	maxBlocks    = 4096                // in one archive
	blockBytes   = 256 << 10           // of entries in one frame, about
	maxBlock     = blockBytes + entry.MaxBytes
	maxFrame     = maxBlock + maxBlock/128 + 1024 // a frame that could not be compressed
)

// archiveIndex says what is in an archive.
type archiveIndex struct {
	Version uint8          `cbor:"1,keyasint"`
	Kiosk   string         `cbor:"2,keyasint"`
	Epoch   entry.Hex      `cbor:"3,keyasint"` // in force at Last
	First   uint64         `cbor:"4,keyasint"`
	Prev    entry.Hash     `cbor:"5,keyasint"` // of entry First-1
	Last    uint64         `cbor:"6,keyasint"`
	Hash    entry.Hash     `cbor:"7,keyasint"` // of entry Last
	Blocks  []archiveBlock `cbor:"8,keyasint"`
}

// archiveBlock is one frame.
type archiveBlock struct {
	First uint64     `cbor:"1,keyasint"`
	Prev  entry.Hash `cbor:"2,keyasint"` // of entry First-1
	Size  uint32     `cbor:"3,keyasint"` // bytes in the file
	Raw   uint32     `cbor:"4,keyasint"` // bytes of entries
}

// end is the anchor of a journal from which all of the archive was removed.
func (x archiveIndex) end() anchor { return anchor{x.Last, x.Hash, x.Kiosk, x.Epoch} }

// inArchive says of an error that it is about an archive, not about the journal.
func inArchive(path string, err error) error {
	d := (*ErrDamaged)(nil)
	if !errors.As(err, &d) {
		return fmt.Errorf("archive %s: %w", path, err)
	}
	d.Path, d.Archive = path, true
	d.Advice = "the journal itself is well, and the host has these entries: put the file back from the directory " + ArchiveName + " of a backup"
	return d
}

// decoder is safe for use from several goroutines.
var decoder = func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxBlock))
	if err != nil {
		panic(err) // fixed options
	}
	return d
}()

// archiveFile is an archive that is open for reading.
type archiveFile struct {
	io.ReaderAt
	index archiveIndex
	at    []int64 // where each block begins
}

// readIndex opens an archive of size bytes. The entries are not read.
func readIndex(src io.ReaderAt, size int64) (f archiveFile, err error) {
	f.ReaderAt = src
	tail := make([]byte, tailBytes)
	if size < skipBytes+tailBytes {
		return f, damaged(0, "it has only %d bytes", size)
	}
	if err := readFull(src, tail, size-tailBytes); err != nil {
		return f, err
	}
	n := int64(binary.LittleEndian.Uint32(tail[sha256.Size:]))
	if string(tail[sha256.Size+4:]) != archiveMagic || n > maxIndex || n > size-skipBytes-tailBytes {
		return f, damaged(0, "it does not end like an archive")
	}
	b := make([]byte, skipBytes+n)
	begin := size - tailBytes - n - skipBytes
	if err := readFull(src, b, begin); err != nil {
		return f, err
	}
	if binary.LittleEndian.Uint32(b) != skipMagic || int64(binary.LittleEndian.Uint32(b[4:])) != n+tailBytes || sha256.Sum256(b[skipBytes:]) != [32]byte(tail[:sha256.Size]) {
		return f, damaged(0, "its index is damaged")
	}
	if err := entry.Unmarshal(b[skipBytes:], &f.index); err != nil {
		return f, damaged(0, "its index is damaged: %w", err)
	}
	return f, f.check(begin)
}

// check asserts that the index can be true of entries that end at byte `end`.
func (f *archiveFile) check(end int64) error {
	x := f.index
	if x.Version != 1 {
		return damaged(0, "it is of version %d, and this program knows version 1", x.Version)
	}
	if len(x.Epoch) != 16 || x.Kiosk == "" || x.First == 0 || x.Last < x.First || len(x.Blocks) == 0 || len(x.Blocks) > maxBlocks {
		return damaged(0, "its index is wrong")
	}
	at, next, prev := int64(0), x.First, x.Prev
	for i, b := range x.Blocks {
		if b.Size > maxFrame || b.Raw > maxBlock || b.First > x.Last || i == 0 && (b.First != next || b.Prev != prev) || i > 0 && b.First <= next {
			return damaged(b.First, "its index is wrong")
		}
		f.at = append(f.at, at)
		at += int64(b.Size)
		next = b.First
	}
	if at != end {
		return damaged(0, "its index speaks of %d bytes, and there are %d", at, end)
	}
	return nil
}

func readFull(src io.ReaderAt, b []byte, at int64) error {
	n, err := src.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return damaged(0, "it is cut short")
	}
	return fmt.Errorf("read the archive: %w", err)
}

// block gives the entries of block i, each checked against the one before it,
// and the point that the last one makes.
func (f archiveFile) block(i int, fn func(e entry.Entry, raw []byte) error) (point, error) {
	b := f.index.Blocks[i]
	p := point{b.First - 1, b.Prev}
	packed := make([]byte, b.Size)
	if err := readFull(f, packed, f.at[i]); err != nil {
		return p, err
	}
	data, err := decoder.DecodeAll(packed, make([]byte, 0, b.Raw))
	if err != nil {
		return p, damaged(b.First, "it cannot be unpacked: %w", err)
	}
	if len(data) != int(b.Raw) {
		return p, damaged(b.First, "it unpacks to %d bytes instead of %d", len(data), b.Raw)
	}
	for len(data) > 0 {
		raw, rest, err := cut(data)
		if err != nil {
			return p, damaged(p.seq+1, "its bytes are not an entry: %w", err)
		}
		e, err := p.next(seqKey(p.seq+1), raw)
		if err != nil {
			return p, err
		}
		if err := fn(e, raw); err != nil {
			return p, err
		}
		data = rest
	}
	last := f.index.Last
	if i+1 < len(f.index.Blocks) {
		last = f.index.Blocks[i+1].First - 1
	}
	if p.seq != last {
		return p, damaged(p.seq, "a part ends with this entry instead of %d", last)
	}
	return p, nil
}

// cut takes the first item off a CBOR sequence.
func cut(data []byte) (raw, rest []byte, err error) {
	var item cbor.RawMessage
	rest, err = cbor.UnmarshalFirst(data, &item)
	if err != nil {
		return nil, nil, err
	}
	return data[:len(data)-len(rest)], rest, nil
}

// each reads the whole archive: every entry, and whether all is as the index
// says. It gives what the last entry makes of the origin before the first.
func (f archiveFile) each(o origin, fn func(e entry.Entry, raw []byte) error) (origin, error) {
	p := point{f.index.First - 1, f.index.Prev}
	for i, b := range f.index.Blocks {
		if b.Prev != p.hash {
			return o, damaged(b.First, "a part does not follow from the one before it")
		}
		var err error
		p, err = f.block(i, func(e entry.Entry, raw []byte) error {
			if err := o.follow(e); err != nil {
				return err
			}
			return fn(e, raw)
		})
		if err != nil {
			return o, err
		}
	}
	if p.hash != f.index.Hash || o.kiosk != f.index.Kiosk || !bytes.Equal(o.epoch[:], f.index.Epoch) {
		return o, damaged(p.seq, "its index names another last entry, kiosk or epoch")
	}
	return o, nil
}

// archiveWriter writes one archive. It is not durable before finish returns.
type archiveWriter struct {
	file  *os.File
	pack  *zstd.Encoder
	index archiveIndex
	at    point
	is    origin
	block []byte
	open  archiveBlock
}

// newArchive begins an archive at a path that must be free, after an anchor.
func newArchive(path string, after anchor) (*archiveWriter, error) {
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &archiveWriter{file: file, pack: pack, at: after.point(), is: originOf(after),
		index: archiveIndex{Version: 1, First: after.Seq + 1, Prev: after.Hash}}, nil
}

func originOf(a anchor) (o origin) {
	if a.Seq > 0 {
		o.kiosk, o.epoch = a.Kiosk, [16]byte(a.Epoch)
	}
	return o
}

func (w *archiveWriter) add(raw []byte) error {
	if len(w.block) == 0 {
		w.open = archiveBlock{First: w.at.seq + 1, Prev: w.at.hash}
	}
	e, err := w.at.next(seqKey(w.at.seq+1), raw)
	if err != nil {
		return err
	}
	if err := w.is.follow(e); err != nil {
		return err
	}
	if w.block = append(w.block, raw...); len(w.block) >= blockBytes {
		return w.flush()
	}
	return nil
}

func (w *archiveWriter) flush() error {
	if len(w.block) == 0 {
		return nil
	}
	packed := w.pack.EncodeAll(w.block, nil)
	w.open.Raw, w.open.Size = uint32(len(w.block)), uint32(len(packed))
	w.index.Blocks, w.block = append(w.index.Blocks, w.open), w.block[:0]
	_, err := w.file.Write(packed)
	return err
}

// finish writes the index and makes the file durable.
func (w *archiveWriter) finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	w.index.Last, w.index.Hash, w.index.Kiosk, w.index.Epoch = w.at.seq, w.at.hash, w.is.kiosk, w.is.epoch[:]
	b, err := entry.Marshal(w.index)
	if err != nil {
		return err
	}
	if len(b) > maxIndex || len(w.index.Blocks) > maxBlocks || w.index.Last < w.index.First {
		return fmt.Errorf("an archive of %d parts cannot be written", len(w.index.Blocks))
	}
	sum := sha256.Sum256(b)
	frame := binary.LittleEndian.AppendUint32(nil, skipMagic)
	frame = binary.LittleEndian.AppendUint32(frame, uint32(len(b)+tailBytes))
	frame = append(append(frame, b...), sum[:]...)
	frame = append(binary.LittleEndian.AppendUint32(frame, uint32(len(b))), archiveMagic...)
	if _, err := w.file.Write(frame); err != nil {
		return err
	}
	return w.file.Sync()
}

func (w *archiveWriter) close() error { return errors.Join(w.pack.Close(), w.file.Close()) }
