// Package login lets staff in.
//
// It promises: passwords are kept as argon2id hashes only, in a file that
// nobody else may read; there is no default password, the first one is made
// at the first start and given out once; sessions live in memory, are
// bounded in number and time and end with the process; failures are slowed
// down; a form that another site makes a browser send is refused. It never
// logs a password or a session's token. The file survives a crash: it is
// replaced in one step.
package login

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
)

// Errors of signing in.
var (
	ErrWrong = errors.New("name or password is wrong")
	ErrForm  = errors.New("the form does not belong to this browser or is out of date: load the page again")
	ErrBusy  = errors.New("too many people sign in at once: try again")
)

// SlowDown says that there were too many failures, and how long to wait.
type SlowDown struct{ Wait time.Duration }

func (s *SlowDown) Error() string {
	return fmt.Sprintf("too many failures: wait %d s", int(s.Wait.Seconds()+0.999))
}

// Options of a gate. Zero values mean the defaults.
type Options struct {
	Name     string        // of the page: "cashier"; it names the cookie and, as /NAME, its path
	First    string        // name of the first account; Name
	Lifetime time.Duration // of a session at most; 12 h
	Idle     time.Duration // of a session without a request; 2 h
	Sessions int           // at a time; the oldest goes first; 256
	Params   *argon2id.Params
	Now      func() time.Time
}

func (o Options) filled() Options {
	if o.Name == "" {
		o.Name = "staff"
	}
	if o.First == "" {
		o.First = o.Name
	}
	if o.Lifetime <= 0 {
		o.Lifetime = 12 * time.Hour
	}
	if o.Idle <= 0 {
		o.Idle = 2 * time.Hour
	}
	if o.Sessions <= 0 {
		o.Sessions = 256
	}
	if o.Params == nil {
		// RFC 9106 §4, second recommendation, with less memory-hungry lanes:
		// a kiosk has two cores and runs a sale meanwhile.
		o.Params = &argon2id.Params{Memory: 64 * 1024, Iterations: 3, Parallelism: 2, SaltLength: 16, KeyLength: 32}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Gate keeps a page behind a name and a password.
type Gate struct {
	o        Options
	accounts *accounts
	formKey  [32]byte // of this process: forms do not outlive it
	dummy    string   // a hash for names that do not exist, so that time tells nothing
	hashing  chan struct{}

	mu       sync.Mutex
	sessions map[[32]byte]*session // by SHA-256 of the token
	strikes  *strikes
}

type session struct {
	who         string
	token       [32]byte // the key in the map, for the form token
	begun, used time.Time
}

// First is the account made at the first start. It is printed once and kept
// nowhere.
type First struct{ Name, Password string }

// Open reads the accounts of a file, or makes the file with a first account
// if there is none; first is nil otherwise.
func Open(file string, o Options) (g *Gate, first *First, err error) {
	o = o.filled()
	a, fresh, err := openAccounts(file)
	if err != nil {
		return nil, nil, err
	}
	g = &Gate{o: o, accounts: a, hashing: make(chan struct{}, 2), sessions: map[[32]byte]*session{}, strikes: newStrikes()}
	if _, err := rand.Read(g.formKey[:]); err != nil {
		return nil, nil, fmt.Errorf("no random numbers: %w", err)
	}
	if g.dummy, err = argon2id.CreateHash(rand.Text(), o.Params); err != nil {
		return nil, nil, fmt.Errorf("hash: %w", err)
	}
	if fresh {
		first = &First{Name: o.First, Password: newPassword()}
		if err := g.SetPassword(first.Name, first.Password); err != nil {
			return nil, nil, err
		}
	}
	return g, first, nil
}

// MinPassword is the least length of a password that a person chooses, in
// bytes.
const MinPassword = 12

// SetPassword makes an account or changes its password. Sessions of that
// account end.
func (g *Gate) SetPassword(name, password string) error {
	if !validName(name) {
		return fmt.Errorf("%q: a name has 1 to 64 printable characters", name)
	}
	if len(password) < MinPassword || len(password) > 256 {
		return fmt.Errorf("a password has %d to 256 characters", MinPassword)
	}
	hash, err := argon2id.CreateHash(password, g.o.Params)
	if err != nil {
		return fmt.Errorf("hash: %w", err)
	}
	if err := g.accounts.set(name, hash); err != nil {
		return err
	}
	g.endAll(name)
	return nil
}

// Remove deletes an account and ends its sessions.
func (g *Gate) Remove(name string) error {
	if err := g.accounts.set(name, ""); err != nil {
		return err
	}
	g.endAll(name)
	return nil
}

// Names lists the accounts, sorted.
func (g *Gate) Names() []string { return g.accounts.names() }

// Check compares a name and a password. It answers ErrWrong, a *SlowDown or
// ErrBusy; from is where the request came from.
func (g *Gate) Check(name, password, from string) error {
	now := g.o.Now()
	if wait := g.strikes.wait(now, name, from); wait > 0 {
		return &SlowDown{Wait: wait}
	}
	select { // hashing takes memory: two at a time, and nobody waits long
	case g.hashing <- struct{}{}:
		defer func() { <-g.hashing }()
	case <-time.After(5 * time.Second):
		return ErrBusy
	}
	g.refresh()
	hash, known := g.accounts.hash(name)
	if !known {
		hash = g.dummy
	}
	if len(password) > 256 {
		password, known = "", false
	}
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return fmt.Errorf("account %q: %w", name, err)
	}
	if !ok || !known {
		g.strikes.add(now, name, from)
		return ErrWrong
	}
	g.strikes.clear(name, from)
	return nil
}

// refresh takes what the staff command has changed meanwhile: sessions of
// accounts that are gone, or have another password, end.
func (g *Gate) refresh() {
	for _, name := range g.accounts.refresh() {
		g.endAll(name)
	}
}

// Add makes an account, or gives one a new password, in the file of a page that
// may be running. The password is made here and printed once.
func Add(file, page, name string) (*First, error) {
	g, first, err := Open(file, Options{Name: page, First: name})
	if err != nil || first != nil {
		return first, err
	}
	made := &First{Name: name, Password: newPassword()}
	return made, g.SetPassword(made.Name, made.Password)
}

func (g *Gate) endAll(who string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, s := range g.sessions {
		if s.who == who {
			delete(g.sessions, id)
		}
	}
}

func hashToken(token string) [32]byte { return sha256.Sum256([]byte(token)) }

// newToken gives 256 random bits as hex digits.
func newToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

// newPassword gives 100 random bits in five groups that can be read aloud.
func newPassword() string {
	const letters = "0123456789abcdefghjkmnpqrstvwxyz"
	var b [20]byte
	_, _ = rand.Read(b[:])
	out := make([]byte, 0, 24)
	for i, c := range b {
		if i > 0 && i%4 == 0 {
			out = append(out, '-')
		}
		out = append(out, letters[c%32])
	}
	return string(out)
}

func secure(r *http.Request) bool { return r.TLS != nil }
