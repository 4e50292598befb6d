package config

import (
	"fmt"

	"buka/internal/mac"
)

// Switch is the payment host.
type Switch struct {
	Address   string   `toml:"address"`
	Terminal  string   `toml:"terminal"`
	Merchant  string   `toml:"merchant"`
	Timeout   Duration `toml:"timeout"`
	Spec      string   `toml:"spec"`
	MAC       string   `toml:"mac"`
	MasterKey string   `toml:"master_key"`
	Name      string   `toml:"name"`
	CA        string   `toml:"ca"`
	Cert      string   `toml:"cert"`
	Key       string   `toml:"key"`
	Answers   string   `toml:"answers"`
	Settle    DayTime  `toml:"settle"`
}

// Authority is the load authority, where it is another party.
type Authority struct {
	Address   string `toml:"address"`
	Spec      string `toml:"spec"`
	MAC       string `toml:"mac"`
	MasterKey string `toml:"master_key"`
	Name      string `toml:"name"`
	CA        string `toml:"ca"`
	Cert      string `toml:"cert"`
	Key       string `toml:"key"`
}

// Link is how the other end of a switch link is reached and trusted.
type Link struct {
	Address   string        // host:port
	Spec      string        // name of a built-in message spec, or a file
	MAC       mac.Algorithm // 0: none
	MasterKey string        // file of the terminal's master key, or none
	Name      string        // in the host's certificate
	CA        string        // PEM files; all empty: plain TCP
	Cert, Key string
}

// TLS says whether the link is protected.
func (l Link) TLS() bool { return l.CA != "" }

var macs = map[string]mac.Algorithm{"none": 0, "unionpay": mac.UnionPayECB, "x9.9": mac.X99, "x9.19": mac.X919}

// Payments is the link to the payment host.
func (c Config) Payments() Link {
	s := c.Switch
	return Link{s.Address, s.Spec, macs[s.MAC], s.MasterKey, s.Name, s.CA, s.Cert, s.Key}
}

// Loads is the link to the load authority, and whether it is one of its own.
func (c Config) Loads() (Link, bool) {
	a := c.Authority
	return Link{a.Address, a.Spec, macs[a.MAC], a.MasterKey, a.Name, a.CA, a.Cert, a.Key}, a.Address != ""
}

// checkLinks finds the first value of [switch] and [authority] that cannot work.
// Files are opened when the service starts.
func (c *Config) checkLinks() *Error {
	loads, _ := c.Loads()
	for _, l := range []struct {
		Link
		table, mac string
	}{{c.Payments(), "switch", c.Switch.MAC}, {loads, "authority", c.Authority.MAC}} {
		bad := func(key, what string, a ...any) *Error {
			return &Error{0, l.table + "." + key, fmt.Sprintf(what, a...)}
		}
		_, known := macs[l.mac]
		switch {
		case l.Spec == "":
			return bad("spec", "unionpay, ascii87 or a file is wanted")
		case !known:
			return bad("mac", "%q: none, unionpay, x9.9 or x9.19 is wanted", l.mac)
		case l.Link.MAC != 0 && l.MasterKey == "":
			return bad("mac", "it wants master_key: the file of the terminal's master key")
		case (l.CA == "") != (l.Cert == "") || (l.CA == "") != (l.Key == ""):
			return bad("ca", "ca, cert and key are wanted together, or none of them")
		case l.CA != "" && l.Name == "":
			return bad("name", "the name in the host's certificate is wanted")
		}
	}
	return nil
}
