package disktest

import (
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Env names the variable that makes a program with Main in it the server; its
// value is the mount point.
const Env = "BUKA_DISKTEST_MOUNT"

// Main is called first thing by a test binary. It returns at once, or it is the
// server until its standard input ends, and never returns.
func Main() {
	dir, is := os.LookupEnv(Env)
	if !is {
		return
	}
	if err := serve(dir, pipes{os.Stdin, os.Stdout}); err != nil {
		fmt.Fprintln(os.Stderr, "disktest:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

type pipes struct {
	io.Reader
	io.Writer
}

// Close ends the answers; the parent ends the questions.
func (p pipes) Close() error { return nil }

func serve(dir string, conn io.ReadWriteCloser) error {
	s := &server{volumes: map[string]*mounted{}}
	never := time.Duration(0) // the kernel asks again each time
	mount, err := fs.Mount(dir, &top{s: s}, &fs.Options{
		EntryTimeout: &never, AttrTimeout: &never, NegativeTimeout: &never,
		MountOptions: fuse.MountOptions{
			DirectMount: true, FsName: "disktest", Name: "disktest", DisableXAttrs: true, DisableReadDirPlus: true,
			// Only what the kernel itself writes and what fadvise drops changes
			// the page cache: a disk does not tell it that data went wrong.
			ExplicitDataCacheControl: true,
		},
	})
	if err != nil {
		return fmt.Errorf("mount over FUSE: %w", err)
	}
	r := rpc.NewServer()
	if err := r.RegisterName("Disk", &Calls{s}); err != nil {
		return err
	}
	r.ServeConn(conn)
	for range 50 {
		if err = mount.Unmount(); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond) // somebody still has a file open
	}
	return errors.Join(err, syscall.Unmount(dir, syscall.MNT_DETACH))
}

// server holds all volumes; one lock for all.
type server struct {
	mu      sync.Mutex
	volumes map[string]*mounted
	number  uint64
}

func (s *server) put(name string, v *volume) {
	s.number++
	s.volumes[name] = &mounted{volume: v, s: s, number: s.number}
}

// Calls is what a test may ask of the server, over net/rpc.
type Calls struct{ s *server }

// CutArgs asks for the disk that a power cut leaves.
type CutArgs struct {
	From, To string
	After    int // calls of From's record; -1: now
	How      Survive
	Seed     uint64
}

// ArmArgs arms a fault.
type ArmArgs struct {
	Name  string
	Fault Fault
	Reads int // reads that succeed before the rest fails; -1: all
}

// SizeArgs sets how large a disk is and how much of it somebody else has.
type SizeArgs struct {
	Name              string
	Capacity, Ballast int64
}

// Status of a volume.
type Status struct {
	Calls  []string // of the record
	Since  int      // calls since the fault was armed
	Struck int
	Used   int64
	Digest [32]byte // of what is on the disk
}

func (c *Calls) on(name string, act func(m *mounted)) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	m := c.s.volumes[name]
	if m == nil {
		return fmt.Errorf("there is no volume %q", name)
	}
	act(m)
	return nil
}

// New makes an empty disk and begins to record its calls.
func (c *Calls) New(name string, _ *bool) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	v := newVolume()
	v.record()
	c.s.put(name, v)
	return nil
}

// Drop forgets a disk.
func (c *Calls) Drop(name string, _ *bool) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	delete(c.s.volumes, name)
	return nil
}

// Cut cuts the power of one disk and gives the disk that is left as another.
func (c *Calls) Cut(a CutArgs, digest *[32]byte) error {
	return c.on(a.From, func(m *mounted) {
		v := m.volume
		if a.After >= 0 {
			v = m.at(a.After)
		}
		left := v.cut(a.How, a.Seed)
		*digest = left.digest()
		left.record()
		c.s.put(a.To, left)
	})
}

// Arm arms a fault; the count of calls begins anew.
func (c *Calls) Arm(a ArmArgs, _ *bool) error {
	return c.on(a.Name, func(m *mounted) { m.fault, m.since, m.struck, m.reads = a.Fault, 0, 0, a.Reads })
}

// Size bounds a disk.
func (c *Calls) Size(a SizeArgs, _ *bool) error {
	return c.on(a.Name, func(m *mounted) { m.capacity, m.ballast = a.Capacity, a.Ballast })
}

// Look tells about a disk.
func (c *Calls) Look(name string, st *Status) error {
	return c.on(name, func(m *mounted) {
		for _, k := range m.calls {
			st.Calls = append(st.Calls, k.kind.String())
		}
		st.Since, st.Struck, st.Used, st.Digest = m.since, m.struck, m.used(), m.digest()
	})
}

// Count gives the number of recorded calls.
func (c *Calls) Count(name string, n *int) error {
	return c.on(name, func(m *mounted) { *n = len(m.calls) })
}
