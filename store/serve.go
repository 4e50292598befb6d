package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

const (
	greeting    = "buka journal 1, %d bytes\n" // then that many bytes of a bbolt file
	streamTime  = 5 * time.Minute              // for one snapshot; its pages cannot be used again meanwhile
	streamsOnce = 2                            // at the same time
)

// ServeSnapshots answers every connection to a unix socket with a consistent
// copy of the journal, until ctx ends; then it returns nil. Only the user that
// the station runs as, and root, get one. An old socket in the way is removed:
// whoever holds the journal owns it. Stop it before Close.
func (s *Store) ServeSnapshots(ctx context.Context, socketPath string) error {
	if len(socketPath) > 107 {
		return fmt.Errorf("serve snapshots: %s is longer than a socket's path may be (107 bytes): choose a shorter data directory", socketPath)
	}
	if info, err := os.Lstat(socketPath); err == nil && info.Mode().Type() == fs.ModeSocket {
		os.Remove(socketPath)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socketPath, Net: "unix"})
	if err != nil {
		return fmt.Errorf("serve snapshots: %w", err)
	}
	defer l.Close()
	if err := os.Chmod(socketPath, 0o600); err != nil {
		return fmt.Errorf("serve snapshots: %w", err)
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var streams sync.WaitGroup
	defer streams.Wait()
	slots := make(chan struct{}, streamsOnce)
	for {
		slots <- struct{}{}
		conn, err := l.AcceptUnix()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("serve snapshots: %w", err)
		}
		streams.Go(func() {
			defer func() { <-slots }()
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			if err := s.stream(conn); err != nil {
				s.log.Warn("snapshot of the journal was not delivered", "err", err)
			}
		})
	}
}

func (s *Store) stream(conn *net.UnixConn) error {
	if err := mayRead(conn); err != nil {
		return err
	}
	conn.SetDeadline(time.Now().Add(streamTime))
	s.use.RLock()
	defer s.use.RUnlock()
	err := s.bolt.View(func(tx *bolt.Tx) error {
		if _, err := fmt.Fprintf(conn, greeting, tx.Size()); err != nil {
			return err
		}
		_, err := tx.WriteTo(conn)
		return err
	})
	if errors.Is(err, bolt.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// mayRead asks the kernel who is at the other end: between listen and chmod
// the socket is open to more people than it should be.
func mayRead(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		peer, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if credErr != nil {
		return fmt.Errorf("who asks for a snapshot: %w", credErr)
	}
	if peer.Uid != 0 && int(peer.Uid) != os.Geteuid() {
		return fmt.Errorf("user %d asked for a snapshot and got none", peer.Uid)
	}
	return nil
}

// readGreeting gives the number of bytes that follow.
func readGreeting(r io.Reader) (size int64, err error) {
	line := make([]byte, 0, 64)
	for b := make([]byte, 1); len(line) < cap(line); {
		if _, err := io.ReadFull(r, b); err != nil {
			return 0, err
		}
		if line = append(line, b[0]); b[0] == '\n' {
			if _, err := fmt.Sscanf(string(line), greeting, &size); err != nil || size <= 0 || size > 1<<40 {
				return 0, fmt.Errorf("what answers there is not a station: %q", line)
			}
			return size, nil
		}
	}
	return 0, fmt.Errorf("what answers there is not a station: %q", line)
}
