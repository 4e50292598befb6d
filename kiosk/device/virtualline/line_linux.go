// Package virtualline is the line between the kiosk and a virtual device: a pty
// with a path that stays the same. The device holds one end, the driver opens
// the other as it opens a serial port. Unplugging takes the line away; what
// nobody reads is lost, as on a wire.
package virtualline

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// linkName is the stable name of the line in its device's folder: a symbolic
// link to the pty of the moment.
const linkName = "tty"

// writeMax bounds a write to the line. Nobody reads it while the kiosk is off,
// and then bytes are lost, as on a wire.
const writeMax = time.Second

// Cable is one pty: from Plug to Unplug.
type Cable struct {
	master, slave *os.File
	rx            chan []byte
	quit          chan struct{}
}

// Path is where the driver finds the line of the device in that folder. It
// does not exist while the device is unplugged.
func Path(dir string) string { return filepath.Join(dir, linkName) }

// Plug makes a pty and points the link at it. Its own slave end stays open, so
// that the line survives a kiosk that opens and closes it.
func Plug(dir string) (*Cable, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("make a pty for a virtual device: %w", err)
	}
	if err := makeRaw(slave); err != nil {
		master.Close()
		slave.Close()
		return nil, fmt.Errorf("make the pty raw: %w", err)
	}
	// creack/pty leaves the master in blocking mode, in which a read can be
	// ended neither by a deadline nor by Close.
	polled, err := pollable(master)
	master.Close()
	if err != nil {
		slave.Close()
		return nil, fmt.Errorf("make the pty pollable: %w", err)
	}
	c := &Cable{master: polled, slave: slave, rx: make(chan []byte, 16), quit: make(chan struct{})}
	if err := relink(slave.Name(), Path(dir)); err != nil {
		c.master.Close()
		c.slave.Close()
		return nil, fmt.Errorf("link the pty: %w", err)
	}
	go c.read()
	return c, nil
}

// Received is what the kiosk has sent, in order. Whoever holds the cable takes
// it and may overwrite it.
func (c *Cable) Received() <-chan []byte { return c.rx }

// Unplug removes the link first: its target may soon be somebody else's pty.
func (c *Cable) Unplug(dir string) error {
	err := os.Remove(Path(dir))
	close(c.quit)
	c.master.Close()
	c.slave.Close()
	return err
}

func (c *Cable) read() {
	buf := make([]byte, 256)
	defer clear(buf)
	for {
		n, err := c.master.Read(buf)
		if err != nil {
			return
		}
		select {
		case c.rx <- append([]byte(nil), buf[:n]...):
		case <-c.quit:
			return
		}
	}
}

// Write sends to the kiosk. It takes no longer than a second.
func (c *Cable) Write(b []byte) {
	c.master.SetWriteDeadline(time.Now().Add(writeMax))
	c.master.Write(b)
}

func makeRaw(f *os.File) error {
	fd := int(f.Fd())
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

func pollable(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

func relink(target, link string) error {
	tmp := link + ".new"
	if err := os.Remove(tmp); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := os.Symlink(target, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, link)
}
