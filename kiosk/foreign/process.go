package foreign

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Env names the variable that makes a program with Main in it this card; its
// value are the options.
const Env = "BUKA_FOREIGN_CARD"

// Main is called first thing by a test binary. It returns at once, or it is the
// card until its standard input ends, and never returns.
func Main() {
	text, is := os.LookupEnv(Env)
	if !is {
		return
	}
	if err := serve(text, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "foreign card:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve is the card's process: it is in the field from the start unless the
// options begin with "absent ". Each line of in is answered by one line of out.
//
//	leave | return          out of the field, into it
//	tear before|after|off   at the next CREDIT, once
//	away ride 2.00          happens while it is gone after the next tear
//	ride 2.00 | load 20.00  happens elsewhere, now
//	balance                 the purse
//	loads                   how many CREDITs it has committed, and of how much
//	torn                    how often it was torn
//	other                   what the card that took its place has gained; none if none did
func serve(options string, in io.Reader, out io.Writer) error {
	rest, absent := strings.CutPrefix(options, "absent ")
	o, err := ParseOptions(rest)
	if err != nil {
		return err
	}
	c, err := newCard(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f := newField(c)
	f.put(!absent)
	go f.run(ctx)
	sc := bufio.NewScanner(in)
	for sc.Scan() {
		answer, err := f.told(strings.Fields(sc.Text()))
		if err != nil {
			answer = "error: " + err.Error()
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return err
		}
	}
	return sc.Err()
}

func (f *field) told(words []string) (string, error) {
	c := f.card
	if len(words) == 0 {
		return "", errors.New("an empty line")
	}
	rest := strings.Join(words[1:], " ")
	switch words[0] {
	case "leave":
		f.put(false)
	case "return":
		f.put(true)
	case "ride", "load":
		return "ok", c.elsewhere(strings.Join(words, " "))
	case "other":
		return f.otherGained(), nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch words[0] {
	case "leave", "return":
	case "tear":
		if rest != "before" && rest != "after" && rest != "off" {
			return "", errors.New("tear before, after or off")
		}
		c.opts.Tear = strings.TrimPrefix(rest, "off")
	case "away":
		c.opts.Away = rest
	case "balance":
		return yuan(uint64(c.balance)), nil
	case "loads":
		return fmt.Sprintf("%d %s", c.loads, yuan(c.credited)), nil
	case "torn":
		return fmt.Sprint(c.torn), nil
	default:
		return "", fmt.Errorf("%q is no command", words[0])
	}
	return "ok", nil
}

// Process is a card in another process.
type Process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	mu  sync.Mutex
}

// Start runs this very program again as a card. The program must call Main
// before anything else.
func Start(options string) (*Process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: exec.Command(exe)}
	p.cmd.Env = append(os.Environ(), Env+"="+options)
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// Do tells it a line and gives its answer.
func (p *Process) Do(line string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		return "", fmt.Errorf("foreign card: %s: %w", line, err)
	}
	answer, err := p.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("foreign card: %s: %w", line, err)
	}
	answer = strings.TrimSpace(answer)
	if why, bad := strings.CutPrefix(answer, "error: "); bad {
		return "", fmt.Errorf("foreign card: %s: %s", line, why)
	}
	return answer, nil
}

const endWait = 5 * time.Second

// Close ends the process; the card is gone with it.
func (p *Process) Close() error {
	p.in.Close()
	timer := time.AfterFunc(endWait, func() { p.cmd.Process.Kill() })
	defer timer.Stop()
	return p.cmd.Wait()
}
