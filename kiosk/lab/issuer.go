package lab

import (
	"context"
	"errors"

	"buka/sync/host"
)

// Order has the issuer send a command to a bank card with its next payment:
// "block", "unblock" or "pin".
func (l *Lab) Order(ctx context.Context, name, command string) error {
	c, h, err := l.customer(name)
	if err != nil {
		return err
	}
	return h.AskCommand(ctx, c.PAN(), host.Command(command))
}

// Ordered lists what was ordered of a card and what became of it, such as
// "block done", oldest first.
func (l *Lab) Ordered(ctx context.Context, name string) ([]string, error) {
	c, h, err := l.customer(name)
	if err != nil {
		return nil, err
	}
	return h.Commands(ctx, c.PAN())
}

func (l *Lab) customer(name string) (*bankCard, *host.Host, error) {
	c, err := l.bank(name)
	if err != nil {
		return nil, nil, err
	}
	h := l.Host()
	if h == nil {
		return nil, nil, errors.New("the host is down")
	}
	return c, h, nil
}

// WantKeys has the host want new working keys of the kiosk: nothing is heard of
// it until it has signed on.
func (l *Lab) WantKeys(ctx context.Context) error {
	h := l.Host()
	if h == nil {
		return errors.New("the host is down")
	}
	cfg := l.Config()
	return h.RequireNewKeys(ctx, cfg.Switch.Merchant, cfg.Switch.Terminal)
}
