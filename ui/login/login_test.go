package login

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
)

var cheap = &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func open(t *testing.T) (*Gate, *First, *clock, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "accounts.json")
	c := &clock{now: time.Unix(1700000000, 0)}
	g, first, err := Open(file, Options{Name: "cashier", Params: cheap, Now: c.Now})
	if err != nil || first == nil {
		t.Fatal(first, err)
	}
	return g, first, c, file
}

func TestFirstStart(t *testing.T) {
	g, first, _, file := open(t)
	if len(first.Password) != 24 || first.Name != "cashier" {
		t.Errorf("%+v", first)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode(), err)
	}
	data, _ := os.ReadFile(file)
	if strings.Contains(string(data), first.Password) || !strings.Contains(string(data), "$argon2id$") {
		t.Error("the file does not hold just a hash")
	}
	if err := g.Check(first.Name, first.Password, "a"); err != nil {
		t.Error(err)
	}
	again, second, err := Open(file, Options{Name: "cashier", Params: cheap})
	if err != nil || second != nil {
		t.Fatal(second, err)
	}
	if err := again.Check(first.Name, first.Password, "a"); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(file, Options{}); err == nil {
		t.Error("a file that others may read was accepted")
	}
}

func TestDamagedFileIsNotReset(t *testing.T) {
	_, _, _, file := open(t)
	for _, bad := range []string{"", "{", `{"accounts":[{"name":"","argon2id":"x"}]}`} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, first, err := Open(file, Options{Params: cheap}); err == nil || first != nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestThrottle(t *testing.T) {
	g, first, c, _ := open(t)
	for range freePair {
		if err := g.Check(first.Name, "wrong-password", "a"); !errors.Is(err, ErrWrong) {
			t.Fatal(err)
		}
	}
	var slow *SlowDown
	if err := g.Check(first.Name, first.Password, "a"); !errors.As(err, &slow) || slow.Wait <= 0 {
		t.Fatal(err)
	}
	if err := g.Check(first.Name, first.Password, "b"); err != nil {
		t.Fatal("somebody elsewhere was locked out:", err)
	}
	c.add(slow.Wait)
	if err := g.Check(first.Name, first.Password, "a"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 * maxStrikes {
		g.strikes.add(c.Now(), fmt.Sprint(i), fmt.Sprint(i))
	}
	if len(g.strikes.m) > maxStrikes {
		t.Error("the map of failures grows without bound")
	}
}

// browser keeps cookies as a browser does.
type browser struct {
	cookies map[string]string
}

func (b *browser) do(r *http.Request, h func(http.ResponseWriter, *http.Request)) {
	for k, v := range b.cookies {
		r.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	w := httptest.NewRecorder()
	h(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
			panic("a cookie is too open")
		}
		b.cookies[c.Name] = c.Value
	}
}

func post(form url.Values, origin string) *http.Request {
	r := httptest.NewRequest("POST", "http://kiosk.example/cashier/login", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	return r
}

func TestSession(t *testing.T) {
	g, first, c, _ := open(t)
	b := &browser{cookies: map[string]string{}}
	var form string
	get := func() *http.Request { return httptest.NewRequest("GET", "http://kiosk.example/cashier", nil) }
	b.do(get(), func(w http.ResponseWriter, r *http.Request) { form = g.FormToken(w, r) })
	values := url.Values{"name": {first.Name}, "password": {first.Password}, "form": {form}}
	signIn := func(values url.Values, origin string) (err error) {
		b.do(post(values, origin), func(w http.ResponseWriter, r *http.Request) { err = g.SignIn(w, r) })
		return err
	}
	for _, origin := range []string{"", "null", "http://evil.example"} {
		if err := signIn(values, origin); !errors.Is(err, ErrForm) {
			t.Errorf("origin %q: %v", origin, err)
		}
	}
	if err := signIn(url.Values{"name": {first.Name}, "password": {first.Password}, "form": {"00"}}, "http://kiosk.example"); !errors.Is(err, ErrForm) {
		t.Error(err)
	}
	if err := signIn(values, "http://kiosk.example"); err != nil {
		t.Fatal(err)
	}
	who := func() (name string, ok bool) {
		b.do(get(), func(_ http.ResponseWriter, r *http.Request) { name, ok = g.Who(r) })
		return
	}
	if name, ok := who(); !ok || name != first.Name {
		t.Fatal(name, ok)
	}
	var alive func() bool
	b.do(get(), func(_ http.ResponseWriter, r *http.Request) { alive = g.Alive(r) })
	if !alive() {
		t.Error("a fresh session is not alive")
	}
	b.do(post(url.Values{"form": {form}}, "http://kiosk.example"), func(w http.ResponseWriter, r *http.Request) {
		if err := g.SignOut(w, r); err != nil {
			t.Error(err)
		}
	})
	if _, ok := who(); ok || alive() {
		t.Error("the session outlived signing out")
	}
	if err := signIn(values, "http://kiosk.example"); err != nil {
		t.Fatal(err)
	}
	c.add(3 * time.Hour)
	if _, ok := who(); ok {
		t.Error("an idle session goes on")
	}
	if err := signIn(values, "http://kiosk.example"); err != nil {
		t.Fatal(err)
	}
	if err := g.SetPassword(first.Name, "another password"); err != nil {
		t.Fatal(err)
	}
	if _, ok := who(); ok {
		t.Error("a session outlived its password")
	}
}

func TestSessionsAreBounded(t *testing.T) {
	g, _, _, _ := open(t)
	g.o.Sessions = 3
	for range 10 {
		g.begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), "x")
	}
	if len(g.sessions) != 3 {
		t.Errorf("%d sessions", len(g.sessions))
	}
}

// Another process adds and changes accounts while the page runs: the new one may
// sign in, and whoever has lost the account is out.
func TestAnotherProcessChangesAccounts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "accounts.json")
	cheap := &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	g, first, err := Open(file, Options{Name: "cashier", Params: cheap})
	if err != nil {
		t.Fatal(err)
	}
	second, err := Add(file, "cashier", "mei")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Check("mei", second.Password, "there"); err != nil {
		t.Error("the new account:", err)
	}
	if err := g.Check(first.Name, first.Password, "here"); err != nil {
		t.Error("the old one:", err)
	}
	again, err := Add(file, "cashier", "mei")
	if err != nil || again.Password == second.Password {
		t.Fatal(again, err)
	}
	if err := g.Check("mei", second.Password, "here"); err == nil {
		t.Error("a password that was changed still opens")
	}
	if _, err := Add(file, "cashier", "a\nb"); err == nil {
		t.Error("a name with a line break")
	}
}
