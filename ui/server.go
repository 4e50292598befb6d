package ui

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"buka/ui/hub"
	"buka/ui/lang"
	"buka/ui/login"
)

// Server serves the pages that its options name. Close ends its sockets and
// goroutines; the http.Server around it is the caller's.
type Server struct {
	o     Options
	theme *theme
	mux   *http.ServeMux
	hubs  []*hub.Hub
	log   *slog.Logger
}

// NewServer loads the theme and starts a hub for each page. It fails on a
// mistake in the theme or a staff page without a login.
func NewServer(o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if (o.Desk != nil && o.DeskLogin == nil) || (o.Fleet != nil && o.FleetLogin == nil) {
		return nil, errors.New("a page for staff needs a login")
	}
	t, err := loadTheme(o.ThemeDir)
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, theme: t, mux: http.NewServeMux(), log: o.Logger}
	s.mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(t.static)))
	if o.Passenger != nil {
		s.open("/{$}", "/ws", "passenger", &passengerPage{src: o.Passenger, theme: t, kiosk: o.Kiosk, place: o.Place, log: s.log}, nil, hub.Options{})
		s.mux.HandleFunc("GET /claim.png", s.claim)
		s.mux.HandleFunc("GET /slip.png", s.slip)
	} else {
		s.mux.HandleFunc("GET /{$}", s.home)
	}
	if o.Bench != nil {
		s.mux.HandleFunc("GET /bench/slip.svg", s.benchSlip)
		s.page("bench", &benchPage{src: o.Bench, theme: t, log: s.log}, nil, hub.Options{})
	}
	if o.Desk != nil {
		s.page("cashier", &deskPage{src: o.Desk, theme: t, log: s.log}, o.DeskLogin, hub.Options{Every: 15 * time.Second})
	}
	if o.Fleet != nil {
		s.page("operator", &fleetPage{src: o.Fleet, theme: t, log: s.log}, o.FleetLogin,
			hub.Options{Gap: 100 * time.Millisecond, Every: 15 * time.Second})
	}
	return s, nil
}

// OperatorHandler is a server with the operator's page alone, for the host.
func OperatorHandler(o Options) (*Server, error) {
	o.Passenger, o.Bench, o.Desk = nil, nil, nil
	return NewServer(o)
}

// Close ends every websocket and waits for the hubs.
func (s *Server) Close() {
	for _, h := range s.hubs {
		h.Close()
	}
}

// page opens a page under its own name.
func (s *Server) page(name string, p hub.Page, gate *login.Gate, ho hub.Options) {
	s.open("/"+name, "/"+name+"/ws", name, p, gate, ho)
	if gate != nil {
		s.mux.HandleFunc("GET /"+name+"/login", func(w http.ResponseWriter, r *http.Request) { s.loginForm(w, r, name, gate, "", http.StatusOK) })
		s.mux.HandleFunc("POST /"+name+"/login", func(w http.ResponseWriter, r *http.Request) { s.signIn(w, r, name, gate) })
		s.mux.HandleFunc("POST /"+name+"/logout", func(w http.ResponseWriter, r *http.Request) { s.signOut(w, r, name, gate) })
	}
}

// open puts a page and its socket on the mux.
func (s *Server) open(path, socket, name string, p hub.Page, gate *login.Gate, ho hub.Options) {
	ho.Logger = s.log.With("page", name)
	ho.Upgrader = &websocket.Upgrader{HandshakeTimeout: 5 * time.Second, ReadBufferSize: 1024, WriteBufferSize: 8192,
		CheckOrigin: login.SameOrigin}
	h := hub.New(p, ho)
	s.hubs = append(s.hubs, h)
	s.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		who := ""
		if gate != nil {
			var ok bool
			if who, ok = gate.Who(r); !ok {
				http.Redirect(w, r, "/"+name+"/login?"+langQuery(r), http.StatusSeeOther)
				return
			}
		}
		s.shell(w, r, name, p, gate, who)
	})
	s.mux.HandleFunc("GET "+socket, func(w http.ResponseWriter, r *http.Request) {
		who, alive := "", func() bool { return true }
		if gate != nil {
			var ok bool
			if who, ok = gate.Who(r); !ok {
				http.Error(w, "sign in first", http.StatusUnauthorized)
				return
			}
			alive = gate.Alive(r)
		}
		h.Serve(w, r, viewOf(r), who, alive)
	})
}

// ServeHTTP adds what every answer needs and bounds what every request may
// bring.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.knownHost(r.Host) {
		http.Error(w, "this name is not ours: call the page by its IP address, or list the name in hosts", http.StatusMisdirectedRequest)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "+
		"media-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=()")
	if strings.HasPrefix(r.URL.Path, "/static/") {
		h.Set("Cache-Control", "no-cache")
	} else {
		h.Set("Cache-Control", "no-store")
	}
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	s.mux.ServeHTTP(w, r)
}

// knownHost says whether the pages may be called by this name. A name of
// somebody else that resolves to us (DNS rebinding) may not.
func (s *Server) knownHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	return host == "localhost" || net.ParseIP(host) != nil || slices.Contains(s.o.Hosts, host)
}

// home leads to the first page that there is.
func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	for _, p := range s.pages() {
		http.Redirect(w, r, p.Path, http.StatusSeeOther)
		return
	}
	http.NotFound(w, r)
}

// viewOf is the view that a request asks for: a language, and for the
// operator a kiosk.
func viewOf(r *http.Request) string {
	kiosk := r.URL.Query().Get("kiosk")
	if len(kiosk) > 64 {
		kiosk = ""
	}
	view := lang.Known(r.URL.Query().Get("lang"))
	if kiosk != "" {
		view += "|" + kiosk
	}
	return view
}

func langQuery(r *http.Request) string { return "lang=" + lang.Known(r.URL.Query().Get("lang")) }
