// Package pcscd sees to it that a PC/SC service answers, for the commands and
// tests that bring virtual cards behind a real reader stack. It uses the one
// that runs; if none answers it starts its own and ends that one by its process
// id. It never touches a service that it did not start, and it never installs
// anything: its errors say what to do.
package pcscd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/ebfe/scard"
)

// Names of the readers that vpcd shows: the first two as Debian installs the
// driver, two more with Options.Desk.
const (
	Reader0 = "Virtual PCD 00 00" // port 35963
	Reader1 = "Virtual PCD 00 01" // port 35964
	Desk0   = "Virtual Desk 00 00"
	Desk1   = "Virtual Desk 00 01"

	Port0     = 35963
	Port1     = 35964
	DeskPort0 = 35965
	DeskPort1 = 35966
)

var (
	// ErrNotAllowed says that no service answers and this user may not start one.
	ErrNotAllowed = errors.New("no PC/SC service answers, and only root may start one: start pcscd, or run this as root")
	// ErrNotInstalled says that a program or driver is missing.
	ErrNotInstalled = errors.New("install the Debian packages pcscd and vsmartcard-vpcd")
	// ErrNoReader says that the service that runs lacks a reader that is wanted.
	ErrNoReader = errors.New("the running PC/SC service lacks a reader: stop it, then one with all readers is started")
)

// Options of Ensure.
type Options struct {
	// Desk wants two more readers of vpcd, Desk0 and Desk1.
	Desk bool
	// Wait bounds the start once vpcd's ports are free: default 20 s.
	Wait time.Duration
}

func (o Options) readers() []string {
	if o.Desk {
		return []string{Reader0, Reader1, Desk0, Desk1}
	}
	return []string{Reader0, Reader1}
}

// Ensure returns when a service answers and shows vpcd's readers. stop ends the
// service if Ensure started it, else it does nothing; it may be called twice.
// The service does not outlive this process.
func Ensure(ctx context.Context, o Options) (stop func(), err error) {
	if o.Wait <= 0 {
		o.Wait = 20 * time.Second
	}
	answers, silent := awaitAnswer(ctx)
	if answers {
		if err := awaitReaders(ctx, o.readers(), nil); err != nil {
			return nil, err
		}
		return func() {}, nil
	}
	if os.Geteuid() != 0 {
		return nil, ErrNotAllowed
	}
	program, err := find()
	if err != nil {
		return nil, err
	}
	args := []string{"--foreground"}
	clean := func() {}
	if o.Desk {
		conf, dir, err := desk()
		if err != nil {
			return nil, err
		}
		clean = func() { os.RemoveAll(dir) }
		args = append(args, "--config", conf) // absolute: pcscd changes directory
	}
	if silent == nil {
		silent = clearStale()
	}
	if silent != nil {
		clean()
		return nil, silent
	}
	if err := awaitPorts(ctx, o.ports()); err != nil {
		clean()
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Wait)
	defer cancel()
	d, err := start(program, args, clean)
	if err != nil {
		return nil, err
	}
	if err := awaitReaders(ctx, o.readers(), d); err != nil {
		d.stop()
		return nil, err
	}
	return d.stop, nil
}

// silentMax is how long a service that runs may say nothing: it starts or ends.
const silentMax = 10 * time.Second

// awaitAnswer reports whether a service answers, and waits for one that runs and
// does not yet; one that stays silent is an error.
func awaitAnswer(ctx context.Context) (answers bool, silent error) {
	ctx, cancel := context.WithTimeout(ctx, silentMax)
	defer cancel()
	for {
		if Answers() {
			return true, nil
		}
		if silent = running(); silent == nil {
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, silent
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Answers reports whether a PC/SC service answers now.
func Answers() bool {
	c, err := scard.EstablishContext()
	if err != nil {
		return false
	}
	c.Release()
	return true
}

// find looks for the program; many users' paths lack the system directories.
func find() (string, error) {
	if p, err := exec.LookPath("pcscd"); err == nil {
		return p, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if p, err := exec.LookPath(filepath.Join(dir, "pcscd")); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("pcscd is not there: %w", ErrNotInstalled)
}

// awaitReaders waits until all names are listed. d is the service that we
// started, nil for another's, which gets a short time only.
func awaitReaders(ctx context.Context, names []string, d *daemon) error {
	var ended <-chan struct{}
	if d != nil {
		ended = d.ended
	} else {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		missing := missingReaders(names)
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ended:
			return fmt.Errorf("pcscd ended at once: %s", d.said())
		case <-ctx.Done():
			list := strings.Join(missing, ", ")
			if d == nil {
				return fmt.Errorf("%s: %w", list, ErrNoReader)
			}
			return fmt.Errorf("pcscd shows no reader %s: %w (it said: %s)", list, ErrNotInstalled, d.said())
		}
	}
}

func missingReaders(names []string) []string {
	listed := map[string]bool{}
	if c, err := scard.EstablishContext(); err == nil {
		have, _ := c.ListReaders()
		c.Release()
		for _, name := range have {
			listed[name] = true
		}
	}
	var missing []string
	for _, name := range names {
		if !listed[name] {
			missing = append(missing, name)
		}
	}
	return missing
}
