package pcscd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

const (
	readerConf = "/etc/reader.conf.d" // pcscd(8)
	runDir     = "/run/pcscd"
	maxConf    = 64 << 10 // bytes of one configuration file
)

var libPath = regexp.MustCompile(`(?m)^\s*LIBPATH\s+"?(\S*libifdvpcd\S*?)"?\s*$`)

// desk makes a directory with the machine's reader configuration and two readers
// more. Those get a copy of the driver: it keeps its connections by slot number
// in one table for each loaded file, so from the same file the second pair would
// take over the first.
func desk() (conf, dir string, err error) {
	if dir, err = os.MkdirTemp("", "buka-readers-"); err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return "", "", fmt.Errorf("reader configuration: %w", err)
	}
	conf = filepath.Join(dir, "conf")
	if err := fillDesk(conf, filepath.Join(dir, "libifdvpcd-desk.so")); err != nil {
		os.RemoveAll(dir)
		return "", "", fmt.Errorf("reader configuration: %w", err)
	}
	return conf, dir, nil
}

func fillDesk(conf, driverCopy string) error {
	if err := os.Mkdir(conf, 0o700); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(readerConf, "*"))
	if err != nil {
		return err
	}
	driver := ""
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil || len(b) > maxConf {
			continue // pcscd would not read it either
		}
		if m := libPath.FindSubmatch(b); m != nil {
			driver = string(m[1])
		}
		if err := os.WriteFile(filepath.Join(conf, filepath.Base(f)), b, 0o600); err != nil {
			return err
		}
	}
	if driver == "" {
		return fmt.Errorf("no driver vpcd in %s: %w", readerConf, ErrNotInstalled)
	}
	b, err := os.ReadFile(driver)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotInstalled, err)
	}
	if err := os.WriteFile(driverCopy, b, 0o700); err != nil {
		return err
	}
	text := fmt.Sprintf("FRIENDLYNAME \"Virtual Desk\"\nDEVICENAME /dev/null:0x%X\nLIBPATH %s\nCHANNELID 0x%X\n",
		DeskPort0, driverCopy, DeskPort0)
	return os.WriteFile(filepath.Join(conf, "virtual-desk"), []byte(text), 0o600)
}

var pidFile = filepath.Join(runDir, "pcscd.pid")

// running is an error that names the service whose process id is written down,
// if it lives.
func running() error {
	b, err := os.ReadFile(pidFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pcscd's process id: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimRight(string(b), "\x00\n ")) // it ends with a NUL
	if err == nil && pid > 0 && isService(pid) {
		return fmt.Errorf("a pcscd runs (process %d) and does not answer: stop it", pid)
	}
	return nil
}

// clearStale removes what a killed service left behind, if its process id now
// belongs to nobody or to something else: pcscd would take that for itself and
// refuse to start.
func clearStale() error {
	if err := running(); err != nil {
		return err
	}
	for _, name := range []string{pidFile, filepath.Join(runDir, "pcscd.comm")} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("what a killed pcscd left: %w", err)
		}
	}
	return nil
}

// isService reports that the process lives and is a pcscd.
func isService(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return err == nil && strings.TrimSpace(string(name)) == "pcscd"
}
