package ui

import (
	"bytes"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/skip2/go-qrcode"

	"buka/ui/hub"
	"buka/ui/lang"
	"buka/ui/login"
	"buka/ui/wire"
)

// shellData is what the frame around a page needs.
type shellData struct {
	Page      string // passenger, bench, cashier, operator
	Title     string
	Socket    string
	Root      map[string]string
	Fragments []template.HTML
	Sale      string
	Rev       uint64
	NowMS     int64
	Nav       []navLink
	Who       string
	Form      string
	OtherLang string // where the same page is in the other language
	Down      []*lang.Catalogue
	Passenger bool // there is a passenger's page to look at
	Error     string
}

type navLink struct{ Name, Path string }

// pages lists the pages that there are.
func (s *Server) pages() []navLink {
	var list []navLink
	for _, p := range []struct {
		name, path string
		there      bool
	}{
		{"passenger", "/", s.o.Passenger != nil},
		{"bench", "/bench", s.o.Bench != nil},
		{"cashier", "/cashier", s.o.Desk != nil},
		{"operator", "/operator", s.o.Fleet != nil},
	} {
		if p.there {
			list = append(list, navLink{p.name, p.path})
		}
	}
	return list
}

// shell sends the whole page once, with its current state in it.
func (s *Server) shell(w http.ResponseWriter, r *http.Request, name string, p hub.Page, gate *login.Gate, who string) {
	view := viewOf(r)
	f := p.Frame(view)
	code := lang.Known(r.URL.Query().Get("lang"))
	if name == "passenger" {
		code = lang.Known(f.Root["data-lang"])
	}
	d := s.data(r, name, code)
	d.Root, d.Sale, d.Rev, d.Who = f.Root, f.Sale, f.Rev, who
	for _, fr := range f.Fragments {
		d.Fragments = append(d.Fragments, template.HTML(fr.HTML)) // rendered by our own templates
	}
	socket := url.Values{"lang": {code}}
	if k := r.URL.Query().Get("kiosk"); k != "" {
		socket.Set("kiosk", k)
	}
	d.Socket = "/ws"
	if name != "passenger" {
		d.Socket = "/" + name + "/ws?" + socket.Encode()
	}
	if gate != nil {
		d.Form = gate.FormToken(w, r)
	}
	layout := "shell-staff"
	if name == "passenger" {
		layout = "shell-kiosk"
	}
	s.send(w, code, layout, d, http.StatusOK)
}

func (s *Server) data(r *http.Request, name, code string) shellData {
	c := s.theme.words[code]
	other := url.Values{"lang": {c.T("app.lang-other-code")}}
	if k := r.URL.Query().Get("kiosk"); k != "" {
		other.Set("kiosk", k)
	}
	d := shellData{Page: name, NowMS: time.Now().UnixMilli(), Nav: s.pages(),
		Title: c.T("app.name") + " · " + c.T("page."+name), OtherLang: r.URL.Path + "?" + other.Encode(),
		Passenger: s.o.Passenger != nil}
	for _, code := range lang.Codes() {
		d.Down = append(d.Down, s.theme.words[code])
	}
	return d
}

// send renders into memory first, so that a mistake never leaves half a page.
func (s *Server) send(w http.ResponseWriter, code, name string, d any, status int) {
	var b bytes.Buffer
	if err := s.theme.pages[code].ExecuteTemplate(&b, name, d); err != nil {
		s.log.Error("a page could not be rendered", "template", name, "err", err)
		http.Error(w, "this page could not be rendered; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// fragment renders one piece of a page. A mistake in a theme that shows only
// with certain data becomes an empty element, and a line in the log.
func (t *theme) fragment(code, id, name string, data any, log func(msg string, args ...any)) wire.Fragment {
	var b bytes.Buffer
	if err := t.pages[code].ExecuteTemplate(&b, name, data); err != nil {
		log("a fragment could not be rendered", "template", name, "err", err)
		return wire.Fragment{ID: id, HTML: `<div id="` + template.HTMLEscapeString(id) + `"></div>`}
	}
	return wire.Fragment{ID: id, HTML: strings.TrimSpace(b.String())}
}

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request, name string, gate *login.Gate, problem string, status int) {
	code := lang.Known(r.URL.Query().Get("lang"))
	d := s.data(r, name, code)
	d.Form, d.Error = gate.FormToken(w, r), problem
	s.send(w, code, "login", d, status)
}

func (s *Server) signIn(w http.ResponseWriter, r *http.Request, name string, gate *login.Gate) {
	c := s.theme.words[lang.Known(r.URL.Query().Get("lang"))]
	err := gate.SignIn(w, r)
	var slow *login.SlowDown
	switch {
	case err == nil:
		s.log.Info("signed in", "page", name, "name", r.PostFormValue("name"))
		http.Redirect(w, r, "/"+name+"?"+langQuery(r), http.StatusSeeOther)
	case errors.As(err, &slow):
		s.log.Warn("sign-in slowed down", "page", name, "remote", r.RemoteAddr)
		s.loginForm(w, r, name, gate, c.T("login.slow", "s", int(slow.Wait/time.Second)+1), http.StatusTooManyRequests)
	case errors.Is(err, login.ErrForm):
		s.loginForm(w, r, name, gate, c.T("login.again"), http.StatusForbidden)
	case errors.Is(err, login.ErrWrong):
		s.log.Warn("sign-in failed", "page", name, "remote", r.RemoteAddr)
		s.loginForm(w, r, name, gate, c.T("login.wrong"), http.StatusUnauthorized)
	default:
		s.log.Error("sign-in failed", "page", name, "err", err)
		s.loginForm(w, r, name, gate, c.T("login.again"), http.StatusServiceUnavailable)
	}
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request, name string, gate *login.Gate) {
	if err := gate.SignOut(w, r); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	http.Redirect(w, r, "/"+name+"/login?"+langQuery(r), http.StatusSeeOther)
}

var claimForm = regexp.MustCompile(`^[0-9A-Z][0-9A-Z-]{3,23}$`)

// claim draws a claim number as a QR code.
func (s *Server) claim(w http.ResponseWriter, r *http.Request) {
	claim := r.URL.Query().Get("c")
	if !claimForm.MatchString(claim) {
		http.NotFound(w, r)
		return
	}
	text := claim
	if s.o.ClaimURL != "" {
		text = strings.ReplaceAll(s.o.ClaimURL, "{claim}", url.QueryEscape(claim))
	}
	png, err := qrcode.Encode(text, qrcode.Medium, 512)
	if err != nil {
		s.log.Error("no QR code", "err", err)
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(png)
}
