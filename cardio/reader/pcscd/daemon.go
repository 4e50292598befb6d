package pcscd

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// daemon is a service that we started.
type daemon struct {
	process *os.Process
	ended   chan struct{}
	clean   func()
	once    sync.Once
	out     tail
}

// start runs the program on a thread of its own that lives as long as it does:
// the kernel ends the child when that thread ends, so a killed parent leaves no
// service behind.
func start(program string, args []string, clean func()) (*daemon, error) {
	d := &daemon{ended: make(chan struct{}), clean: clean}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &d.out, &d.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer close(d.ended)
		err := cmd.Start()
		d.process = cmd.Process
		started <- err
		if err == nil {
			cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		clean()
		return nil, fmt.Errorf("pcscd does not start: %w", err)
	}
	return d, nil
}

const (
	gentle = 5 * time.Second // between asking the service to end and killing it
	last   = 5 * time.Second // after that
)

// stop ends the service by its process id and waits until it is gone.
func (d *daemon) stop() {
	d.once.Do(func() {
		defer d.clean()
		for _, step := range []struct {
			signal os.Signal
			wait   time.Duration
		}{{syscall.SIGTERM, gentle}, {syscall.SIGKILL, last}} {
			d.process.Signal(step.signal)
			timer := time.NewTimer(step.wait)
			select {
			case <-d.ended:
				timer.Stop()
				return
			case <-timer.C:
			}
		}
	})
}

// said is the end of what the service printed.
func (d *daemon) said() string { return strings.TrimSpace(d.out.String()) }

// tail keeps the last bytes written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const tailBytes = 2048

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(b)
	if n := t.buf.Len() - tailBytes; n > 0 {
		t.buf.Next(n)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}
