package switchlink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"time"
)

// Handler answers requests. It is called from many goroutines. What it returns
// goes onto the wire at once, so it returns only what is committed. False: no
// answer, ever.
type Handler interface {
	Handle(ctx context.Context, r *Request) (Response, bool)
}

// ServerConfig of a Server; only Handler is wanted.
type ServerConfig struct {
	Handler Handler
	Spec    *Spec // default UnionPay
	// MAC gives the authenticator of a terminal; nil: messages of this terminal
	// have no MAC. Nil itself: none has.
	MAC          func(ctx context.Context, terminal, merchant string) (Authenticator, error)
	Logger       *slog.Logger
	IdleTimeout  time.Duration // a connection that says nothing; default 5 min
	WriteTimeout time.Duration // default 5 s
	MaxConns     int           // default 1024; more are hung up on
	MaxUnderway  int           // requests at once on a connection; default 32
}

// Server is the host's end: it decodes requests and encodes answers. It holds no
// state about money.
type Server struct {
	cfg   ServerConfig
	ctx   context.Context
	stop  context.CancelFunc
	mu    sync.Mutex
	conns map[net.Conn]struct{}
	lns   []net.Listener
	work  sync.WaitGroup
}

// NewServer makes a server that listens nowhere yet.
func NewServer(cfg ServerConfig) *Server {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Spec == nil {
		cfg.Spec = UnionPay()
	}
	if cfg.IdleTimeout <= 0 {
		cfg.IdleTimeout = 5 * time.Minute
	}
	if cfg.WriteTimeout <= 0 {
		cfg.WriteTimeout = 5 * time.Second
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = 1024
	}
	if cfg.MaxUnderway <= 0 {
		cfg.MaxUnderway = 32
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Server{cfg: cfg, ctx: ctx, stop: stop, conns: map[net.Conn]struct{}{}}
}

// Serve accepts connections until the server or the listener is closed; then it
// gives nil, or the listener's error.
func (s *Server) Serve(ln net.Listener) error {
	s.mu.Lock()
	s.lns = append(s.lns, ln)
	s.mu.Unlock()
	if s.ctx.Err() != nil {
		return ln.Close()
	}
	for {
		conn, err := ln.Accept()
		switch {
		case s.ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			if conn != nil {
				conn.Close()
			}
			return nil
		case err != nil:
			s.cfg.Logger.Warn("switch host: accept", "error", err)
			select {
			case <-s.ctx.Done():
				return nil
			case <-time.After(50 * time.Millisecond): // out of descriptors, perhaps
			}
			continue
		}
		if s.keep(conn) {
			go s.serveConn(conn)
		}
	}
}

// keep registers a connection, or hangs up. The wait group grows under the lock
// that Close takes, so Close never misses one.
func (s *Server) keep(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil || len(s.conns) >= s.cfg.MaxConns {
		conn.Close()
		return false
	}
	s.conns[conn] = struct{}{}
	s.work.Add(1)
	return true
}

// Close hangs up on everybody and waits for the handlers under way; their
// answers are lost. ctx of the handlers ends first.
func (s *Server) Close() error {
	s.mu.Lock()
	s.stop()
	for _, ln := range s.lns {
		ln.Close()
	}
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.work.Wait()
	return nil
}

func (s *Server) serveConn(conn net.Conn) {
	defer s.work.Done()
	var underway sync.WaitGroup
	defer underway.Wait()
	defer func() {
		conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	if !s.welcome(conn) {
		return
	}
	out := &answers{spec: s.cfg.Spec, conn: conn, timeout: s.cfg.WriteTimeout, log: s.cfg.Logger}
	slots := make(chan struct{}, s.cfg.MaxUnderway)
	for {
		if conn.SetReadDeadline(time.Now().Add(s.cfg.IdleTimeout)) != nil {
			return
		}
		f, err := s.cfg.Spec.frame.read(conn)
		if err != nil {
			if errors.Is(err, ErrFrame) {
				s.cfg.Logger.Warn("switch host: hanging up", "error", err)
			}
			return
		}
		m, err := s.cfg.Spec.Unpack(f.Message)
		clear(f.Message)
		if err != nil {
			s.cfg.Logger.Warn("switch host: a message that cannot be read", "error", err)
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-s.ctx.Done():
			return
		}
		underway.Go(func() {
			defer func() { <-slots }()
			s.answer(f, m, out)
		})
	}
}

// broke tells of a panic what cannot hold a secret: the run time's own words, or
// of which type the value is.
func broke(p any) string {
	if e, ok := p.(runtime.Error); ok {
		return e.Error()
	}
	return fmt.Sprintf("%T", p)
}

func (s *Server) answer(f Frame, m *Message, out *answers) {
	defer func() {
		// One bad request must not take the others' host away. What it began is
		// rolled back, and nothing is answered: the outcome is unknown.
		if p := recover(); p != nil {
			s.cfg.Logger.Error("switch host: a request broke its handler", "message", m, "panic", broke(p))
		}
	}()
	defer m.forgetSeal()
	r, err := s.cfg.Spec.DecodeRequest(m)
	m.Zero()
	defer r.PIN.Wipe()
	if r.Kind == KindNone { // nobody knows whom to answer, or as what
		s.cfg.Logger.Warn("switch host: a message that is no request", "message", m, "error", err)
		return
	}
	mac, bad := s.authenticate(m, r) // before a word of it is believed, also that it is malformed
	switch {
	case bad != nil:
		s.cfg.Logger.Warn("switch host: a request whose MAC is wrong", "message", m, "error", bad)
		out.write(f, r, Response{Code: CodeBadMAC, At: time.Now()}, mac)
		return
	case err != nil:
		s.cfg.Logger.Warn("switch host: a request that cannot be read", "message", m, "error", err)
		out.write(f, r, Response{Code: CodeFormat, At: time.Now()}, mac)
		return
	}
	a, ok := s.cfg.Handler.Handle(s.ctx, r)
	if ok && s.ctx.Err() == nil {
		out.write(f, r, a, mac)
	}
}

// authenticate checks the MAC of a request that must have one, and gives the
// authenticator for its answer, whatever the check says: whoever has the keys
// shall believe that the request was refused. Nil with an error: the host has no
// keys of this terminal.
func (s *Server) authenticate(m *Message, r *Request) (Authenticator, error) {
	if s.cfg.MAC == nil || s.cfg.Spec.mac.without[r.Kind] {
		return nil, nil
	}
	a, err := s.cfg.MAC(s.ctx, r.Terminal, r.Merchant)
	if a == nil || err != nil {
		return nil, err
	}
	return a, m.checkSeal(a)
}

// answers writes to one connection, one frame at a time.
type answers struct {
	spec    *Spec
	mu      sync.Mutex
	conn    net.Conn
	timeout time.Duration
	log     *slog.Logger
}

func (o *answers) write(f Frame, r *Request, a Response, mac Authenticator) {
	m, err := o.spec.EncodeResponse(r, a)
	if err != nil {
		o.log.Error("switch host: an answer that cannot be written", "kind", r.Kind.String(), "error", err)
		return
	}
	packed, err := m.packSealed(mac)
	if err != nil {
		o.log.Error("switch host: an answer that cannot be packed", "message", m, "error", err)
		return
	}
	frame, err := o.spec.frame.bytes(f.Reply(packed))
	if err != nil {
		o.log.Error("switch host: an answer that is too long", "message", m, "error", err)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conn.SetWriteDeadline(time.Now().Add(o.timeout)) != nil {
		return
	}
	if _, err := o.conn.Write(frame); err != nil {
		o.log.Warn("switch host: the answer was lost", "message", m, "error", err)
		o.conn.Close()
	}
}
