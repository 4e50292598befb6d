package disktest

import (
	"maps"
	"slices"
	"syscall"
)

// Kind of a call that counts.
type Kind uint8

const (
	Open Kind = iota + 1
	Create
	Write
	Sync // fsync and fdatasync of a file
	Truncate
	Allocate
	Mkdir
	Rename
	Unlink
	SyncDir
)

var kindNames = [...]string{"", "open", "create", "write", "sync", "truncate", "allocate", "mkdir", "rename", "unlink", "sync-dir"}

func (k Kind) String() string { return kindNames[k] }

// call is one that counts and has succeeded, or failed while it left traces.
type call struct {
	kind       Kind
	node       int // of the file or directory that it is about
	off, size  int64
	data       []byte
	dir, dir2  int // names: where, and where to
	name, new  string
	keep       bool   // allocate: the size stays
	lost       bool   // sync: it failed, and what was pending was lost
	seed       uint64 // of what a lost sync had written before
	failedOnly bool   // it failed and changed nothing
}

// change of a file's content that is not on the disk yet.
type change struct {
	data []byte
	off  int64
	size int64 // ≥ 0: the file is cut or grows to it
}

// rename, create, unlink and mkdir are changes of names: of one that goes (old)
// and one that comes (new), each may be absent.
type naming struct {
	node           int
	oldDir         int
	oldName        string
	newDir         int
	newName        string
	hasOld, hasNew bool
}

type node struct {
	dir     bool
	now     content // as the page cache should have it
	safe    content // on the disk
	pending []change
	names   map[string]int // of a directory, now
	stored  map[string]int // on the disk
}

// volume is one disk.
type volume struct {
	nodes   map[int]*node
	next    int
	pending []naming
	calls   []call
	base    *volume // before calls; nil while nothing is recorded

	capacity int64 // bytes; 0: no bound
	ballast  int64 // bytes that somebody else has written
	fault    Fault
	since    int // calls since the fault was armed
	struck   int
	reads    int // reads still to succeed before one fails; -1: all succeed
}

const rootNode = 1

func newVolume() *volume {
	return &volume{next: rootNode + 1, reads: -1, nodes: map[int]*node{
		rootNode: {dir: true, names: map[string]int{}, stored: map[string]int{}},
	}}
}

// clone copies the state, without the record of calls.
func (v *volume) clone() *volume {
	c := &volume{nodes: map[int]*node{}, next: v.next, pending: slices.Clone(v.pending), capacity: v.capacity, ballast: v.ballast, reads: -1}
	for id, n := range v.nodes {
		c.nodes[id] = &node{n.dir, n.now.clone(), n.safe.clone(), slices.Clone(n.pending), maps.Clone(n.names), maps.Clone(n.stored)}
	}
	return c
}

// record begins to remember calls, from the present state.
func (v *volume) record() {
	v.base = v.clone()
	v.calls = nil
}

// at gives the state after the first n calls of the record.
func (v *volume) at(n int) *volume {
	c := v.base.clone()
	for _, k := range v.calls[:n] {
		c.apply(k)
	}
	return c
}

// used bytes of the disk.
func (v *volume) used() (n int64) {
	for _, f := range v.nodes {
		n += int64(len(f.now.Pages)) * pageBytes
	}
	return n + v.ballast
}

func (v *volume) room() int64 {
	if v.capacity == 0 {
		return 1 << 40
	}
	return max(0, v.capacity-v.used())
}

// do checks a call against the fault that is armed, and applies it.
func (v *volume) do(k call) syscall.Errno {
	v.since++
	errno := v.strikes(k)
	if errno == 0 && v.capacity > 0 && v.needs(k) > v.room() {
		errno = syscall.ENOSPC
	}
	if errno != 0 {
		k.failedOnly = true
		if k.kind == Sync && len(v.nodes[k.node].pending) > 0 {
			k.failedOnly, k.lost, k.seed = false, true, v.fault.Seed+uint64(v.since)
		}
	}
	if v.base != nil {
		v.calls = append(v.calls, k)
	}
	v.apply(k)
	return errno
}

// needs says how much more of the disk a call takes.
func (v *volume) needs(k call) int64 {
	n := v.nodes[k.node]
	switch k.kind {
	case Write:
		return n.now.holes(k.off, k.off+int64(len(k.data))) * pageBytes
	case Allocate:
		return n.now.holes(k.off, k.off+k.size) * pageBytes
	case Create, Mkdir:
		return 1 // a full disk takes no new names either
	}
	return 0
}

func (v *volume) apply(k call) {
	if k.failedOnly {
		return
	}
	n := v.nodes[k.node]
	switch k.kind {
	case Write:
		n.now.write(k.data, k.off)
		n.now.Size = max(n.now.Size, k.off+int64(len(k.data)))
		n.pending = append(n.pending, change{data: k.data, off: k.off, size: -1})
	case Truncate:
		n.now.resize(k.size)
		n.pending = append(n.pending, change{size: k.size})
	case Allocate:
		n.now.secure(k.off, k.off+k.size)
		if end := k.off + k.size; !k.keep && end > n.now.Size {
			n.now.Size = end
			n.pending = append(n.pending, change{size: end})
		}
	case Sync:
		n.sync(k)
	case SyncDir:
		v.syncDir(k.node)
	case Create, Mkdir:
		v.next = max(v.next, k.node+1)
		v.nodes[k.node] = &node{dir: k.kind == Mkdir, names: map[string]int{}, stored: map[string]int{}}
		v.rename(naming{node: k.node, newDir: k.dir, newName: k.name, hasNew: true})
	case Unlink:
		v.rename(naming{node: k.node, oldDir: k.dir, oldName: k.name, hasOld: true})
	case Rename:
		v.rename(naming{node: k.node, oldDir: k.dir, oldName: k.name, hasOld: true, newDir: k.dir2, newName: k.new, hasNew: true})
	}
}

func (v *volume) rename(r naming) {
	r.apply(func(dir int) map[string]int { return v.nodes[dir].names })
	v.pending = append(v.pending, r)
}

func (r naming) apply(names func(dir int) map[string]int) {
	if r.hasOld && names(r.oldDir)[r.oldName] == r.node {
		delete(names(r.oldDir), r.oldName)
	}
	if r.hasNew {
		names(r.newDir)[r.newName] = r.node
	}
}

func (v *volume) stored(dir int) map[string]int { return v.nodes[dir].stored }

// syncDir makes every change of a name in that directory durable.
func (v *volume) syncDir(dir int) {
	v.pending = slices.DeleteFunc(v.pending, func(r naming) bool {
		if r.hasOld && r.oldDir == dir || r.hasNew && r.newDir == dir {
			r.apply(v.stored)
			return true
		}
		return false
	})
}

// sync makes the content durable, or loses some of it and forgets that.
func (n *node) sync(k call) {
	if !k.lost {
		n.safe, n.pending = n.now.clone(), nil
		return
	}
	n.safe = n.survive(Subset, newChance(k.seed))
	size, pages := n.now.Size, n.now.Pages
	n.now = n.safe.clone()
	for p := range pages { // their room stays taken
		n.now.secure(p*pageBytes, (p+1)*pageBytes)
	}
	n.now.Size, n.pending = size, nil
	if size != n.safe.Size {
		n.pending = []change{{size: size}}
	}
}
