package fleetside

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"golang.org/x/crypto/bcrypt"

	"buka/sync/fleetlink/fleetmsg"
)

// hostUser is our own name at the server. No kiosk can have it: '~' is not in
// a kiosk's name.
const hostUser = "~host"

// broker is the embedded NATS server and our own connection inside it.
type broker struct {
	srv *server.Server
	nc  *nats.Conn
}

// startBroker listens at addr ("host:port", port 0 for any). Nobody enters
// without a name: each kiosk may publish only under its own name and listen
// only to its own inbox.
func startBroker(addr string, kiosks map[string]string, tlsConfig *tls.Config, log *slog.Logger) (*broker, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("address of the fleet link: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil || port < 0 || port > 65535 {
		return nil, fmt.Errorf("address of the fleet link: port %q", portText)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	password := rand.Text()
	own, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost) // 130 random bits need no slow hash
	if err != nil {
		return nil, fmt.Errorf("fleet server: our own password: %w", err)
	}
	users, err := accounts(kiosks, string(own))
	if err != nil {
		return nil, err
	}
	srv, err := server.NewServer(&server.Options{
		ServerName:      "buka-fleet",
		Host:            host,
		Port:            port,
		Users:           users,
		TLSConfig:       tlsConfig,
		TLS:             tlsConfig != nil,
		TLSTimeout:      5,
		AuthTimeout:     5,
		MaxPayload:      fleetmsg.MaxPayload,
		MaxConn:         max(64, 4*len(kiosks)),
		MaxSubs:         16,
		PingInterval:    10 * time.Second,
		MaxPingsOut:     2,
		WriteDeadline:   10 * time.Second,
		NoSigs:          true,
		NoSystemAccount: true,
	})
	if err != nil {
		return nil, fmt.Errorf("fleet server: %w", err)
	}
	words := &serverLog{log: log}
	srv.SetLoggerV2(words, false, false, false)
	srv.Start()
	b := &broker{srv: srv}
	ready := false
	for end := time.Now().Add(10 * time.Second); !ready && !words.fatal.Load() && time.Now().Before(end); {
		ready = srv.ReadyForConnections(50 * time.Millisecond)
	}
	if !ready {
		b.close()
		return nil, fmt.Errorf("fleet server does not listen at %s: %s", addr, words.last())
	}
	b.nc, err = nats.Connect("", nats.InProcessServer(srv), nats.UserInfo(hostUser, password), nats.MaxReconnects(-1), nats.Name("host"))
	if err != nil {
		b.close()
		return nil, fmt.Errorf("enter our own fleet server: %w", err)
	}
	return b, nil
}

// accounts gives the names that may enter. The server warns of a kiosk's password
// that is in clear in the configuration, and rightly so.
func accounts(kiosks map[string]string, own string) ([]*server.User, error) {
	users := []*server.User{{Username: hostUser, Password: own}}
	for name, secret := range kiosks {
		if err := fleetmsg.CheckKiosk(name); err != nil {
			return nil, err
		}
		if secret == "" {
			return nil, fmt.Errorf("kiosk %s has no password for the fleet link", name)
		}
		users = append(users, &server.User{
			Username: name,
			Password: secret, // as it is, or its bcrypt hash
			Permissions: &server.Permissions{
				Publish:   &server.SubjectPermission{Allow: []string{"fleet.*." + name}},
				Subscribe: &server.SubjectPermission{Allow: []string{fleetmsg.InboxPrefix(name) + ".>"}},
			},
		})
	}
	return users, nil
}

func (b *broker) addr() string {
	if a := b.srv.Addr(); a != nil {
		return a.String()
	}
	return ""
}

func (b *broker) close() {
	if b.nc != nil {
		b.nc.Close()
	}
	b.srv.Shutdown()
	b.srv.WaitForShutdown()
}

// serverLog gives the server's words to slog.
type serverLog struct {
	log   *slog.Logger
	worst atomic.Value // string
	fatal atomic.Bool
}

var errNothingSaid = errors.New("it said nothing")

func (l *serverLog) last() string {
	if s, ok := l.worst.Load().(string); ok {
		return s
	}
	return errNothingSaid.Error()
}

func (l *serverLog) say(level func(string, ...any), format string, args []any) {
	level("fleet server", "says", fmt.Sprintf(format, args...))
}

func (l *serverLog) Noticef(format string, args ...any) { l.say(l.log.Debug, format, args) }
func (l *serverLog) Warnf(format string, args ...any)   { l.say(l.log.Warn, format, args) }
func (l *serverLog) Debugf(format string, args ...any)  {}
func (l *serverLog) Tracef(format string, args ...any)  {}

func (l *serverLog) Errorf(format string, args ...any) {
	l.worst.Store(fmt.Sprintf(format, args...))
	l.say(l.log.Warn, format, args)
}

// Fatalf never ends the process: the host decides about that.
func (l *serverLog) Fatalf(format string, args ...any) {
	l.worst.Store(fmt.Sprintf(format, args...))
	l.fatal.Store(true)
	l.say(l.log.Error, format, args)
}
