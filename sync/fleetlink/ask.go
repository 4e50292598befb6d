package fleetlink

import (
	"context"
	"fmt"

	"buka/internal/entry"
	"buka/sync/fleetlink/fleetmsg"
)

// ConfirmRestore asks the host what it knows of the sales that a restored
// journal leaves open. It may be called from any goroutine. Until the host has
// the whole journal it answers with an error: ask again.
func (l *Link) ConfirmRestore(ctx context.Context, terminal string, open []entry.SaleID) (entry.RestoreConfirmed, error) {
	q := fleetmsg.RestoreQuery{Kiosk: l.cfg.Kiosk, Epoch: l.cfg.Epoch, Terminal: terminal, Open: open}
	q.TailSeq, q.TailHash = l.journal.Tail()
	data, err := q.Encode()
	if err != nil {
		return entry.RestoreConfirmed{}, err
	}
	answer, err := l.request(ctx, fleetmsg.RestoreSubject(l.cfg.Kiosk), data)
	if err != nil {
		return entry.RestoreConfirmed{}, err
	}
	l.Changed() // the answer may have made rewrites
	a, err := fleetmsg.DecodeRestoreAnswer(answer)
	if err == nil && a.Code != fleetmsg.CodeOK {
		err = &RefusedError{Code: a.Code, Detail: a.Detail}
	}
	return a.Facts, err
}

// request is one question and its answer, beside what the owner ships.
func (l *Link) request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	l.mu.Lock()
	nc := l.conn
	l.mu.Unlock()
	if nc == nil {
		return nil, errNoAnswer
	}
	ctx, cancel := context.WithTimeout(ctx, l.cfg.RequestTimeout)
	defer cancel()
	msg, err := nc.RequestWithContext(ctx, subject, data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	return msg.Data, nil
}

// pull gets the host's open rewrites if they have changed. A failure is made
// good by the next heartbeat.
func (l *Link) pull(ctx context.Context, version uint64) {
	if l.cfg.OnRewrites == nil || version == 0 || version == l.rewrites {
		return
	}
	data, err := l.request(ctx, fleetmsg.RewritesSubject(l.cfg.Kiosk), nil)
	if err != nil {
		l.cfg.Log.Info("fleet link: the host's rewrites did not come", "error", err)
		return
	}
	list, err := fleetmsg.DecodeRewriteList(data)
	if err != nil || list.Code != fleetmsg.CodeOK {
		l.cfg.Log.Warn("fleet link: the host's rewrites cannot be read", "code", list.Code, "error", err)
		return
	}
	l.rewrites = list.List
	l.cfg.OnRewrites(list.Open)
}
