package pcscd

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"
)

// portsWait bounds the wait for vpcd's ports. They lie in the range from which
// the kernel takes the local port of any connection, and a closed one keeps its
// port for a minute (TIME_WAIT).
const portsWait = 90 * time.Second

func (o Options) ports() []int {
	if o.Desk {
		return []int{Port0, Port1, DeskPort0, DeskPort1}
	}
	return []int{Port0, Port1}
}

// awaitPorts returns when every port can be listened on, as vpcd will.
func awaitPorts(ctx context.Context, ports []int) error {
	ctx, cancel := context.WithTimeout(ctx, portsWait)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for _, port := range ports {
		for {
			err := tryPort(ctx, port)
			if err == nil {
				break
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return fmt.Errorf("vpcd needs TCP port %d, and something else has it (find it with `ss -tanp`): %w", port, err)
			}
		}
	}
	return nil
}

func tryPort(ctx context.Context, port int) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return l.Close()
}
