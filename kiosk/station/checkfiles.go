package station

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"buka/kiosk/config"
	"buka/sync/switchlink"
)

// CheckFiles reads every file that the configuration of links and bank cards
// names, as the service does when it starts, and says what is wrong with each.
func CheckFiles(cfg config.Config) error {
	var all []error
	loads, own := cfg.Loads()
	for _, l := range []struct {
		config.Link
		table string
		used  bool
	}{{cfg.Payments(), "switch", true}, {loads, "authority", own}} {
		if !l.used {
			continue
		}
		if _, err := specOf(l.Spec); err != nil {
			all = append(all, fmt.Errorf("%s.spec: %w", l.table, err))
		}
		if l.TLS() {
			if _, err := TLSOf(l.Link); err != nil {
				all = append(all, fmt.Errorf("%s.ca: %w", l.table, err))
			}
			all = append(all, private(l.table+".key", l.Key))
		}
		if l.MAC != 0 {
			key, err := masterKey(l.MasterKey)
			if key.Zero(); err != nil {
				all = append(all, fmt.Errorf("%s.master_key: %w", l.table, err))
			}
			all = append(all, private(l.table+".master_key", l.MasterKey))
		}
	}
	_, err1 := answersOf(cfg.Switch.Answers)
	_, err2 := caKeysOf(cfg.BankCard.CAKeys)
	return errors.Join(append(all, err1, err2)...)
}

// private says that others than the service may read a secret.
func private(key, path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return nil // a file that cannot be read is said by whoever reads it
	}
	return fmt.Errorf("%s: %s can be read by others: take that right away (chmod 600)", key, path)
}

// TLSOf is how a link is protected; nil: it is not.
func TLSOf(l config.Link) (*tls.Config, error) {
	if !l.TLS() {
		return nil, nil
	}
	return switchlink.ClientTLS(switchlink.TLSFiles{CA: l.CA, Cert: l.Cert, Key: l.Key}, l.Name)
}
