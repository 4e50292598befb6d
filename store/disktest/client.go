package disktest

import (
	"errors"
	"fmt"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

// Server is the disks' process.
type Server struct {
	cmd   *exec.Cmd
	rpc   *rpc.Client
	in    *os.File
	mount string
	next  atomic.Int64
}

// Start runs this very program again as the server of disks, and mounts them
// below dir. The program must call Main before anything else.
func Start(dir string) (*Server, error) {
	if err := haveFUSE(); err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &Server{mount: filepath.Join(dir, "disks"), cmd: exec.Command(exe)}
	if err := os.MkdirAll(s.mount, 0o700); err != nil {
		return nil, err
	}
	askR, askW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	answer, answerW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.cmd.Env = append(os.Environ(), Env+"="+s.mount)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = askR, answerW, os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	askR.Close()
	answerW.Close()
	s.in = askW
	s.rpc = rpc.NewClient(duplex{answer, askW})
	if err := s.rpc.Call("Disk.New", "first", nil); err != nil {
		return nil, errors.Join(fmt.Errorf("the disk's server does not answer (see above what it said): %w", err), s.Close())
	}
	return s, nil
}

// haveFUSE says in clear words what is missing.
func haveFUSE() error {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("this test mounts a disk that fails and needs /dev/fuse: %w "+
			"(load the kernel's module fuse; a container needs the device /dev/fuse and the capability SYS_ADMIN)", err)
	}
	return f.Close()
}

type duplex struct{ r, w *os.File }

func (d duplex) Read(b []byte) (int, error)  { return d.r.Read(b) }
func (d duplex) Write(b []byte) (int, error) { return d.w.Write(b) }
func (d duplex) Close() error                { return errors.Join(d.w.Close(), d.r.Close()) }

// endWait bounds how long the server may take to unmount.
const endWait = 20 * time.Second

// Close unmounts and ends the server. Files on its disks must be closed.
func (s *Server) Close() error {
	err := s.rpc.Close()
	timer := time.AfterFunc(endWait, func() { s.cmd.Process.Kill() })
	defer timer.Stop()
	if werr := s.cmd.Wait(); werr != nil {
		_ = syscall.Unmount(s.mount, syscall.MNT_DETACH) // if it could not itself
		err = errors.Join(err, fmt.Errorf("the disk's server: %w", werr))
	}
	return err
}

// Disk is one volume, empty when it is new.
type Disk struct {
	s    *Server
	name string
	Path string // its root
}

// New makes an empty disk.
func (s *Server) New() (*Disk, error) {
	d := s.disk()
	return d, s.rpc.Call("Disk.New", d.name, nil)
}

func (s *Server) disk() *Disk {
	name := fmt.Sprintf("d%d", s.next.Add(1))
	return &Disk{s: s, name: name, Path: filepath.Join(s.mount, name)}
}

// Cut gives the disk that a power cut after the first calls of the record would
// have left (-1: a cut now), as another disk with a record of its own. This one
// is as it was. digest tells equal disks.
func (d *Disk) Cut(after int, how Survive, seed uint64) (left *Disk, digest [32]byte, err error) {
	left = d.s.disk()
	err = d.s.rpc.Call("Disk.Cut", CutArgs{d.name, left.name, after, how, seed}, &digest)
	return left, digest, err
}

// Drop forgets the disk. Its files must be closed.
func (d *Disk) Drop() error { return d.s.rpc.Call("Disk.Drop", d.name, nil) }

// Arm arms a fault and counts calls anew; the zero Fault disarms.
func (d *Disk) Arm(f Fault) error {
	return d.s.rpc.Call("Disk.Arm", ArmArgs{d.name, f, -1}, nil)
}

// ArmReads has every read fail after some more that succeed.
func (d *Disk) ArmReads(more int) error {
	return d.s.rpc.Call("Disk.Arm", ArmArgs{Name: d.name, Reads: more}, nil)
}

// Size bounds the disk to so many bytes, of which somebody else has ballast.
func (d *Disk) Size(capacity, ballast int64) error {
	return d.s.rpc.Call("Disk.Size", SizeArgs{d.name, capacity, ballast}, nil)
}

// Look tells about the disk.
func (d *Disk) Look() (st Status, err error) { return st, d.s.rpc.Call("Disk.Look", d.name, &st) }

// Count gives the number of calls recorded until now.
func (d *Disk) Count() (n int, err error) { return n, d.s.rpc.Call("Disk.Count", d.name, &n) }
