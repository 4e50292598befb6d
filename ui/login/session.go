package login

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"net/url"
	"time"
)

func (g *Gate) cookie() string { return "buka_" + g.o.Name }
func (g *Gate) path() string   { return "/" + g.o.Name }

// Who gives the name of the person behind a request, and whether somebody is
// signed in. It counts as use of the session.
func (g *Gate) Who(r *http.Request) (string, bool) {
	g.refresh()
	c, err := r.Cookie(g.cookie())
	if err != nil {
		return "", false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.live(hashToken(c.Value))
	if s == nil {
		return "", false
	}
	s.used = g.o.Now()
	return s.who, true
}

// Alive gives a function that says whether the request's session still
// holds, without counting as use: for a websocket that stays open.
func (g *Gate) Alive(r *http.Request) func() bool {
	c, err := r.Cookie(g.cookie())
	if err != nil {
		return func() bool { return false }
	}
	id := hashToken(c.Value)
	return func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.live(id) != nil
	}
}

// live gives a session that has not expired. Call with mu held.
func (g *Gate) live(id [32]byte) *session {
	s := g.sessions[id]
	if s == nil {
		return nil
	}
	now := g.o.Now()
	if now.Sub(s.begun) >= g.o.Lifetime || now.Sub(s.used) >= g.o.Idle {
		delete(g.sessions, id)
		return nil
	}
	return s
}

// SignIn checks a posted form (name, password, form) and begins a session.
// Errors: ErrForm, ErrWrong, ErrBusy, *SlowDown.
func (g *Gate) SignIn(w http.ResponseWriter, r *http.Request) error {
	if err := g.CheckForm(r); err != nil {
		return err
	}
	name := r.PostFormValue("name")
	if len(name) > 64 {
		name = name[:64]
	}
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		from = r.RemoteAddr
	}
	if err := g.Check(name, r.PostFormValue("password"), from); err != nil {
		return err
	}
	g.begin(w, r, name)
	return nil
}

// begin makes a session with a new token: one from before is never raised.
func (g *Gate) begin(w http.ResponseWriter, r *http.Request, who string) {
	token := newToken()
	now := g.o.Now()
	g.mu.Lock()
	if c, err := r.Cookie(g.cookie()); err == nil {
		delete(g.sessions, hashToken(c.Value))
	}
	for len(g.sessions) >= g.o.Sessions {
		var oldest *session
		for _, s := range g.sessions {
			if oldest == nil || s.used.Before(oldest.used) {
				oldest = s
			}
		}
		delete(g.sessions, oldest.token)
	}
	id := hashToken(token)
	g.sessions[id] = &session{who: who, token: id, begun: now, used: now}
	g.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: g.cookie(), Value: token, Path: g.path(), HttpOnly: true,
		Secure: secure(r), SameSite: http.SameSiteStrictMode, MaxAge: int(g.o.Lifetime / time.Second)})
}

// SignOut ends the request's session. The form must carry its token.
func (g *Gate) SignOut(w http.ResponseWriter, r *http.Request) error {
	if err := g.CheckForm(r); err != nil {
		return err
	}
	if c, err := r.Cookie(g.cookie()); err == nil {
		g.mu.Lock()
		delete(g.sessions, hashToken(c.Value))
		g.mu.Unlock()
	}
	http.SetCookie(w, &http.Cookie{Name: g.cookie(), Path: g.path(), MaxAge: -1, HttpOnly: true,
		Secure: secure(r), SameSite: http.SameSiteStrictMode})
	return nil
}

// FormToken gives what a form of this browser must send back as "form". It
// sets a cookie that the token is tied to, if the browser has none yet.
func (g *Gate) FormToken(w http.ResponseWriter, r *http.Request) string {
	name := g.cookie() + "_form"
	nonce := ""
	if c, err := r.Cookie(name); err == nil && len(c.Value) == 64 {
		nonce = c.Value
	} else {
		nonce = newToken()
		http.SetCookie(w, &http.Cookie{Name: name, Value: nonce, Path: g.path(), HttpOnly: true,
			Secure: secure(r), SameSite: http.SameSiteStrictMode})
	}
	return g.sign(nonce)
}

func (g *Gate) sign(nonce string) string {
	mac := hmac.New(sha256.New, g.formKey[:])
	mac.Write([]byte(nonce))
	return hex.EncodeToString(mac.Sum(nil))
}

// CheckForm says whether a posted form comes from our own page in the same
// browser.
func (g *Gate) CheckForm(r *http.Request) error {
	if !SameOrigin(r) {
		return ErrForm
	}
	c, err := r.Cookie(g.cookie() + "_form")
	if err != nil || !hmac.Equal([]byte(g.sign(c.Value)), []byte(r.PostFormValue("form"))) {
		return ErrForm
	}
	return nil
}

// SameOrigin says whether a request was made by a page of the same origin. A
// request that does not say where it comes from is refused.
func SameOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	u, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && u.Host != "" && u.Host == r.Host
}
