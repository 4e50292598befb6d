package disktest

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// top is the root of the mount: each volume is a directory in it.
type top struct {
	fs.Inode
	s *server
}

var (
	_ fs.NodeLookuper = (*top)(nil)
	_ fs.NodeFsyncer  = (*top)(nil)
)

// Fsync of the directory of volumes: they are all there always.
func (t *top) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno { return 0 }

// Lookup finds a volume by its name.
func (t *top) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	m := t.s.volumes[name]
	if m == nil {
		return nil, syscall.ENOENT
	}
	return m.child(ctx, &t.Inode, rootNode, out), 0
}

// inode is a file or directory of a volume, as the kernel sees it.
type inode struct {
	fs.Inode
	m  *mounted
	id int
}

// mounted is a volume under its name.
type mounted struct {
	*volume
	s      *server
	number uint64 // of the volume, for inode numbers
}

var (
	_ fs.NodeLookuper  = (*inode)(nil)
	_ fs.NodeGetattrer = (*inode)(nil)
	_ fs.NodeSetattrer = (*inode)(nil)
	_ fs.NodeReaddirer = (*inode)(nil)
	_ fs.NodeOpener    = (*inode)(nil)
	_ fs.NodeCreater   = (*inode)(nil)
	_ fs.NodeReader    = (*inode)(nil)
	_ fs.NodeWriter    = (*inode)(nil)
	_ fs.NodeFsyncer   = (*inode)(nil)
	_ fs.NodeAllocater = (*inode)(nil)
	_ fs.NodeMkdirer   = (*inode)(nil)
	_ fs.NodeRenamer   = (*inode)(nil)
	_ fs.NodeUnlinker  = (*inode)(nil)
	_ fs.NodeStatfser  = (*inode)(nil)
)

func (m *mounted) mode(id int) uint32 {
	if m.nodes[id].dir {
		return syscall.S_IFDIR | 0o700
	}
	return syscall.S_IFREG | 0o600
}

func (m *mounted) child(ctx context.Context, parent *fs.Inode, id int, out *fuse.EntryOut) *fs.Inode {
	m.attr(id, &out.Attr)
	return parent.NewInode(ctx, &inode{m: m, id: id}, fs.StableAttr{Mode: m.mode(id), Ino: m.number<<32 | uint64(id)})
}

func (m *mounted) attr(id int, out *fuse.Attr) {
	n := m.nodes[id]
	out.Mode, out.Nlink = m.mode(id), 1
	out.Size, out.Blksize = uint64(n.now.Size), pageBytes
	out.Blocks = uint64(len(n.now.Pages)) * pageBytes / 512
}

// run does something to the volume while nothing else does.
func (i *inode) run(act func(v *volume) syscall.Errno) syscall.Errno {
	i.m.s.mu.Lock()
	defer i.m.s.mu.Unlock()
	return act(i.m.volume)
}

func (i *inode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (child *fs.Inode, errno syscall.Errno) {
	errno = i.run(func(v *volume) syscall.Errno {
		id, ok := v.nodes[i.id].names[name]
		if !ok {
			return syscall.ENOENT
		}
		child = i.m.child(ctx, &i.Inode, id, out)
		return 0
	})
	return child, errno
}

func (i *inode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	return i.run(func(*volume) syscall.Errno { i.m.attr(i.id, &out.Attr); return 0 })
}

func (i *inode) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return i.run(func(v *volume) syscall.Errno {
		size, ok := in.GetSize()
		var errno syscall.Errno
		if ok {
			errno = v.do(call{kind: Truncate, node: i.id, size: int64(size)})
		}
		i.m.attr(i.id, &out.Attr)
		return errno
	})
}

func (i *inode) Readdir(context.Context) (s fs.DirStream, errno syscall.Errno) {
	errno = i.run(func(v *volume) syscall.Errno {
		var list []fuse.DirEntry
		for name, id := range v.nodes[i.id].names {
			list = append(list, fuse.DirEntry{Name: name, Mode: i.m.mode(id), Ino: i.m.number<<32 | uint64(id)})
		}
		s = fs.NewListDirStream(list)
		return 0
	})
	return s, errno
}

// Open keeps what the page cache has: it is the cache of the disk under test.
func (i *inode) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_KEEP_CACHE, i.run(func(v *volume) syscall.Errno {
		return v.do(call{kind: Open, node: i.id, keep: flags&syscall.O_ACCMODE != syscall.O_RDONLY})
	})
}

func (i *inode) made(ctx context.Context, kind Kind, name string, out *fuse.EntryOut) (child *fs.Inode, errno syscall.Errno) {
	errno = i.run(func(v *volume) syscall.Errno {
		id := v.next
		if errno := v.do(call{kind: kind, node: id, dir: i.id, name: name}); errno != 0 {
			return errno
		}
		child = i.m.child(ctx, &i.Inode, id, out)
		return 0
	})
	return child, errno
}

func (i *inode) Create(ctx context.Context, name string, _, _ uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	child, errno := i.made(ctx, Create, name, out)
	return child, nil, fuse.FOPEN_KEEP_CACHE, errno
}

func (i *inode) Mkdir(ctx context.Context, name string, _ uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return i.made(ctx, Mkdir, name, out)
}

func (i *inode) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (r fuse.ReadResult, errno syscall.Errno) {
	errno = i.run(func(v *volume) syscall.Errno {
		if v.reads == 0 {
			return syscall.EIO
		}
		if v.reads > 0 {
			v.reads--
		}
		r = fuse.ReadResultData(dest[:v.nodes[i.id].now.read(dest, off)])
		return 0
	})
	return r, errno
}

func (i *inode) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	errno := i.run(func(v *volume) syscall.Errno {
		return v.do(call{kind: Write, node: i.id, off: off, data: append([]byte(nil), data...)})
	})
	if errno != 0 {
		return 0, errno
	}
	return uint32(len(data)), 0
}

func (i *inode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	return i.run(func(v *volume) syscall.Errno {
		kind := Sync
		if v.nodes[i.id].dir {
			kind = SyncDir
		}
		return v.do(call{kind: kind, node: i.id})
	})
}

// modeKeepSize of fallocate(2).
const modeKeepSize = 1

func (i *inode) Allocate(_ context.Context, _ fs.FileHandle, off, size uint64, mode uint32) syscall.Errno {
	if mode&^modeKeepSize != 0 {
		return syscall.EOPNOTSUPP
	}
	return i.run(func(v *volume) syscall.Errno {
		return v.do(call{kind: Allocate, node: i.id, off: int64(off), size: int64(size), keep: mode == modeKeepSize})
	})
}

func (i *inode) Rename(_ context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	dir, ok := to.(*inode)
	if !ok || dir.m != i.m || flags != 0 {
		return syscall.EXDEV
	}
	return i.run(func(v *volume) syscall.Errno {
		id, ok := v.nodes[i.id].names[name]
		if !ok {
			return syscall.ENOENT
		}
		return v.do(call{kind: Rename, node: id, dir: i.id, name: name, dir2: dir.id, new: newName})
	})
}

func (i *inode) Unlink(_ context.Context, name string) syscall.Errno {
	return i.run(func(v *volume) syscall.Errno {
		id, ok := v.nodes[i.id].names[name]
		if !ok {
			return syscall.ENOENT
		}
		return v.do(call{kind: Unlink, node: id, dir: i.id, name: name})
	})
}

func (i *inode) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	return i.run(func(v *volume) syscall.Errno {
		out.Bsize, out.Frsize, out.NameLen = pageBytes, pageBytes, 255
		out.Blocks = uint64(max(v.capacity, 1<<40) / pageBytes)
		out.Bfree = uint64(v.room() / pageBytes)
		out.Bavail = out.Bfree
		return 0
	})
}
