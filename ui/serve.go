package ui

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Serve answers on a listener until ctx ends, with bounds on what a slow or
// greedy browser may hold.
func Serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-ctx.Done()
		wait, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = srv.Shutdown(wait) // websockets are ended by the pages' own Close
		srv.Close()
	}()
	err := srv.Serve(newBounded(ln))
	if errors.Is(err, http.ErrServerClosed) {
		<-ended
		return nil
	}
	return err
}
