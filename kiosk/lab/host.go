package lab

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/crypto/bcrypt"

	"buka/internal/mac"
	"buka/sync/host"
	"buka/sync/host/fleetside"
	"buka/sync/host/operator"
	"buka/ui"
)

type listening struct{ swtch, fleet string }

// secrets makes the kiosk's password for the fleet host, once, and the file of its
// terminal's master key.
func (l *Lab) secrets() error {
	master := host.DefaultKeys().TMK.Reveal()
	defer clear(master)
	if err := os.WriteFile(l.path(masterKeyFile), []byte(hex.EncodeToString(master)), 0o600); err != nil {
		return err
	}
	file := l.path("fleet.password")
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		b := make([]byte, 16)
		rand.Read(b) // never fails
		data = []byte(hex.EncodeToString(b))
		err = os.WriteFile(file, data, 0o600)
	}
	l.fleetPassword = string(data)
	return err
}

const masterKeyFile = "terminal.key"

// keys are the host's; the virtual devices have theirs from the same masters.
func (l *Lab) keys() host.Keys {
	k, d := l.opts.Keys, host.DefaultKeys()
	if k.Load == (d.Load) || k.Load == [16]byte{} {
		k.Load = d.Load
	}
	if k.TAC == [16]byte{} {
		k.TAC = d.TAC
	}
	if k.Purchase == [16]byte{} {
		k.Purchase = d.Purchase
	}
	if k.BDK == [16]byte{} {
		k.BDK = d.BDK
	}
	return k
}

// keepPorts finds where the host shall listen, at every start of it.
func (l *Lab) keepPorts() (err error) {
	for i, at := range []*string{&l.listen.swtch, &l.listen.fleet} {
		if l.ports[i], err = keepPort(); err != nil {
			return err
		}
		if *at, err = l.ports[i].addr(); err != nil {
			return err
		}
	}
	return nil
}

// StartHost opens the host's database and listens, on the same ports each time.
func (l *Lab) StartHost(ctx context.Context) error {
	h, err := host.Open(ctx, host.Config{Dir: l.path("host"), Keys: l.keys(), Listen: l.listen.swtch, Logger: l.log, Gate: l.Faults.Gate,
		Clock: l.hostNow, Shared: l.opts.Shared, RequireICC: true, NoCVM: l.opts.NoCVM, MAC: mac.UnionPayECB})
	if err != nil {
		return fmt.Errorf("host: %w", err)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(l.fleetPassword), bcrypt.MinCost) // as a real host's configuration has it
	if err != nil {
		return errors.Join(fmt.Errorf("the kiosk's password: %w", err), h.Close())
	}
	side, err := fleetside.Start(ctx, fleetside.Config{
		DB: h.DB(), Write: h.Write, Passed: h.Passed, Ledger: h.Ledger(), Absent: 6 * time.Second, Listen: l.listen.fleet, Kiosks: map[string]string{l.opts.Kiosk: string(hash)}, Log: l.log,
	})
	if err != nil {
		return errors.Join(fmt.Errorf("fleet side of the host: %w", err), h.Close())
	}
	l.mu.Lock()
	l.host, l.side = h, side
	l.mu.Unlock()
	return nil
}

func (l *Lab) hostNow() time.Time {
	if at := l.hostClock.Load(); at != nil {
		return *at
	}
	return time.Now()
}

// HostClock makes the host's clock stand still; nil lets it run again.
func (l *Lab) HostClock(at *time.Time) { l.hostClock.Store(at) }

// KillHost ends the host at once, without a good-bye.
func (l *Lab) KillHost() error {
	l.mu.Lock()
	h, side := l.host, l.side
	l.host, l.side = nil, nil
	l.mu.Unlock()
	if h == nil {
		return nil
	}
	side.Close()
	return h.Kill()
}

// Host is the running host, nil while it is down.
func (l *Lab) Host() *host.Host {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.host
}

// Side is the fleet half of the running host.
func (l *Lab) Side() *fleetside.Side {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.side
}

// Fleet is the operator's page over the host, whichever is running.
func (l *Lab) Fleet(ctx context.Context) ui.Fleet {
	return operator.New(ctx, l.Side, l.log).WithHost(func() operator.Ledger {
		if h := l.Host(); h != nil {
			return h
		}
		return nil
	})
}

// Synced checks that the host has every entry of the kiosk's journal, that
// the kiosk knows it, and that what the host holds is one unbroken chain.
func (l *Lab) Synced(ctx context.Context) error {
	st, side := l.Station(), l.Side()
	if st == nil || side == nil {
		return errors.New("kiosk or host is down")
	}
	s := st.Fleet().State()
	tail, _ := st.Journal().Tail()
	if s.Conflict != nil {
		return s.Conflict
	}
	if s.Mark != tail {
		return fmt.Errorf("the host has acknowledged %d of %d entries", s.Mark, tail)
	}
	n, err := side.Verify(ctx, l.opts.Kiosk)
	if err == nil && n < tail {
		err = fmt.Errorf("the host holds %d of %d entries", n, tail)
	}
	return err
}
