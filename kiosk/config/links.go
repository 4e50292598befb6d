package config

import (
	"fmt"

	"buka/internal/mac"
)

// Peer is how the other end of a switch link is reached and trusted, as the file
// says it.
type Peer struct {
	Address   string `toml:"address"`    // host:port
	Spec      string `toml:"spec"`       // name of a built-in message spec, or a file
	MAC       string `toml:"mac"`        // a key of macs
	MasterKey string `toml:"master_key"` // file of the terminal's master key, or none
	Name      string `toml:"name"`       // in the host's certificate
	CA        string `toml:"ca"`         // PEM files; all empty: plain TCP
	Cert      string `toml:"cert"`
	Key       string `toml:"key"`
}

// Switch is the payment host.
type Switch struct {
	Peer
	Terminal string   `toml:"terminal"`
	Merchant string   `toml:"merchant"`
	Timeout  Duration `toml:"timeout"`
	Answers  string   `toml:"answers"`
	Settle   DayTime  `toml:"settle"`
}

// Authority is the load authority, where it is another party.
type Authority struct{ Peer }

// Link is a Peer that was understood.
type Link struct {
	Peer
	MAC mac.Algorithm // 0: none
}

// TLS says whether the link is protected.
func (l Link) TLS() bool { return l.CA != "" }

var macs = map[string]mac.Algorithm{"none": 0, "unionpay": mac.UnionPayECB, "x9.9": mac.X99, "x9.19": mac.X919}

func (p Peer) link() Link { return Link{p, macs[p.MAC]} }

// Payments is the link to the payment host.
func (c Config) Payments() Link { return c.Switch.link() }

// Loads is the link to the load authority, and whether it is one of its own.
func (c Config) Loads() (Link, bool) { return c.Authority.link(), c.Authority.Address != "" }

// checkLinks finds the first value of [switch] and [authority] that cannot work.
// Files are opened when the service starts.
func (c *Config) checkLinks() *Error {
	loads, _ := c.Loads()
	for _, l := range []struct {
		Link
		table string
	}{{c.Payments(), "switch"}, {loads, "authority"}} {
		bad := func(key, what string, a ...any) *Error {
			return &Error{0, l.table + "." + key, fmt.Sprintf(what, a...)}
		}
		_, known := macs[l.Peer.MAC]
		switch {
		case l.Spec == "":
			return bad("spec", "unionpay, ascii87 or a file is wanted")
		case !known:
			return bad("mac", "%q: none, unionpay, x9.9 or x9.19 is wanted", l.Peer.MAC)
		case l.MAC != 0 && l.MasterKey == "":
			return bad("mac", "it wants master_key: the file of the terminal's master key")
		case (l.CA == "") != (l.Cert == "") || (l.CA == "") != (l.Key == ""):
			return bad("ca", "ca, cert and key are wanted together, or none of them")
		case l.CA != "" && l.Name == "":
			return bad("name", "the name in the host's certificate is wanted")
		}
	}
	return nil
}
