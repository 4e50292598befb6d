package killtest

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"sync"
	"time"
)

const startWait = 30 * time.Second

// kiosk is one life of the real program.
type kiosk struct {
	cmd   *exec.Cmd
	addr  string // of its pages
	ended chan struct{}
	said  said
}

var pages = regexp.MustCompile(`passenger http://([^/]+)/`)

// startKiosk runs `kiosk run` until its pages are there.
func (w *world) startKiosk() (*kiosk, error) {
	k := &kiosk{cmd: exec.Command(w.program, "run", "--config", w.config), ended: make(chan struct{})}
	k.cmd.Stderr = &k.said
	out, err := k.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := k.cmd.Start(); err != nil {
		return nil, err
	}
	addr := make(chan string, 1)
	go func() {
		defer close(k.ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if m := pages.FindStringSubmatch(lines.Text()); m != nil {
				addr <- m[1]
			}
		}
		io.Copy(io.Discard, out)
		k.cmd.Wait()
	}()
	select {
	case k.addr = <-addr:
		return k, nil
	case <-k.ended:
		return nil, fmt.Errorf("%w: %s", errEnded, k.said.String())
	case <-time.After(startWait):
		k.kill()
		<-k.ended
		return nil, fmt.Errorf("no page within %s: %s", startWait, k.said.String())
	}
}

func (k *kiosk) kill() { k.cmd.Process.Kill() }

// said is the end of what the kiosk has logged.
type said struct {
	mu   sync.Mutex
	text []byte
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, b...)
	s.text = s.text[max(0, len(s.text)-8192):]
	return len(b), nil
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text)
}
