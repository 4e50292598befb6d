package host

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"buka/internal/entry"
	"buka/internal/pin"
	"buka/sync/switchlink"
)

// deciding is what carries out one kind of request inside a transaction. What it
// returns is stored as the answer and sent once it is committed. An error rolls
// everything back and is answered 96, which is not stored.
type deciding func(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (switchlink.Response, error)

// Handle answers as the host's one link does; ctx ends with the link. What is
// being decided goes on under the host's own context.
func (h *Host) Handle(ctx context.Context, r *switchlink.Request) (switchlink.Response, bool) {
	return h.handle(ctx, paymentsLink, r)
}

func (h *Host) handle(ctx context.Context, link string, r *switchlink.Request) (switchlink.Response, bool) {
	act := h.ask(r)
	if act.Silent {
		return switchlink.Response{}, false
	}
	a, err := h.decide(link, r, act.Decline)
	if err != nil {
		h.log.Error("host: request failed", "kind", r.Kind.String(), "terminal", r.Terminal, "stan", r.STAN, "error", err)
		a = h.plain(switchlink.CodeMalfunction)
	}
	if act.Delay > 0 {
		select {
		case <-time.After(act.Delay):
		case <-ctx.Done():
			return a, false
		}
	}
	return a, !act.Drop
}

func (h *Host) plain(code string) switchlink.Response {
	return switchlink.Response{Code: code, At: h.Now()}
}

func (h *Host) decide(link string, r *switchlink.Request, decline string) (switchlink.Response, error) {
	switch r.Kind {
	case switchlink.KindEcho:
		return h.plain(switchlink.CodeApproved), nil
	case switchlink.KindSignOn:
		return h.signOn(h.ctx, link, r)
	}
	if code, err := h.heard(h.ctx, link, r); err != nil || code != "" {
		return h.plain(code), err
	}
	var fn deciding
	switch r.Kind {
	case switchlink.KindQuery:
		return h.queryPayment(h.ctx, r)
	case switchlink.KindPay:
		fn = h.pay
		if decline != "" {
			fn = h.declined(decline)
		}
	case switchlink.KindAuthorise:
		fn = h.authorise
		if decline != "" {
			fn = func(context.Context, *sql.Tx, *switchlink.Request) (switchlink.Response, error) {
				return h.plain(decline), nil
			}
		}
	case switchlink.KindEligible:
		fn = h.eligible
	case switchlink.KindVerifyTAC:
		fn = h.verifyTAC
	case switchlink.KindVerifyCounter:
		fn = h.verifyCounter
	case switchlink.KindReverse:
		fn = h.reverse
		if decline != "" {
			return h.plain(decline), nil // nothing is kept, so a later repeat is decided anew
		}
	case switchlink.KindConfirm:
		fn = h.confirm
	case switchlink.KindVoid:
		fn = h.void
	case switchlink.KindRefund:
		fn = h.refund
	case switchlink.KindSettle:
		fn = h.settleBatch
	case switchlink.KindUpload:
		fn = h.upload
	case switchlink.KindScript:
		fn = h.scriptResult
	default:
		return h.plain(switchlink.CodeInvalid), nil
	}
	return h.once(h.ctx, r, fn)
}

// once carries out a request unless it was carried out before.
func (h *Host) once(ctx context.Context, r *switchlink.Request, fn deciding) (a switchlink.Response, err error) {
	digest, err := h.digest(r)
	if err != nil {
		return a, err
	}
	err = h.Write(ctx, func(tx *sql.Tx) error {
		if a, err = h.stored(ctx, tx, r, digest); err != nil || a.Code != "" {
			return err
		}
		code, err := h.admit(ctx, tx, r)
		if err != nil || code != "" {
			a = h.plain(code)
			return err
		}
		if a, err = fn(ctx, tx, r); err != nil {
			return err
		}
		return h.keep(ctx, tx, r, digest, a)
	})
	return a, err
}

// stage tells messages apart that share a STAN: a payment and its reversal, a
// settlement and each message of its upload.
func stage(r *switchlink.Request) string {
	s := r.Kind.AnswerMTI()[:3]
	if r.Kind == switchlink.KindUpload {
		s = fmt.Sprintf("%s/%d", s, r.Index)
	}
	return s
}

// stored finds the answer that this request had before; Code "" if none. The
// same key with other content is a duplicate.
func (h *Host) stored(ctx context.Context, tx *sql.Tx, r *switchlink.Request, digest []byte) (a switchlink.Response, err error) {
	var was []byte
	var answer string
	err = tx.QueryRowContext(ctx, `SELECT digest, answer FROM answers
		WHERE merchant = ? AND terminal = ? AND batch = ? AND stan = ? AND stage = ?`,
		r.Merchant, r.Terminal, r.Batch, r.STAN, stage(r)).Scan(&was, &answer)
	if errors.Is(err, sql.ErrNoRows) {
		return a, nil
	}
	if err != nil {
		return a, fmt.Errorf("stored answer: %w", err)
	}
	if !bytes.Equal(was, digest) {
		h.log.Warn("host: a key was used twice with different content", "kind", r.Kind.String(), "terminal", r.Terminal, "stan", r.STAN)
		return h.plain(switchlink.CodeDuplicate), nil
	}
	if err := json.Unmarshal([]byte(answer), &a); err != nil {
		return a, fmt.Errorf("stored answer: %w", err)
	}
	return a, nil
}

func (h *Host) keep(ctx context.Context, tx *sql.Tx, r *switchlink.Request, digest []byte, a switchlink.Response) error {
	answer, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO answers (merchant, terminal, batch, stan, stage, digest, answer, at_ms) VALUES (?,?,?,?,?,?,?,?)`,
		r.Merchant, r.Terminal, r.Batch, r.STAN, stage(r), digest, string(answer), h.Now().UnixMilli()); err != nil {
		return fmt.Errorf("keep the answer: %w", err)
	}
	_, err = tx.ExecContext(ctx, `UPDATE terminals SET last_stan = max(last_stan, ?) WHERE merchant = ? AND terminal = ? AND batch = ?`,
		r.STAN, r.Merchant, r.Terminal, r.Batch)
	return err
}

// admit wants a signed-on terminal and its open batch for what begins something
// new, and a batch that was opened for its settlement. What finishes or undoes
// something is taken in any batch. A batch that is being settled takes loads
// still: they are no part of its totals.
func (h *Host) admit(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (code string, err error) {
	switch r.Kind {
	case switchlink.KindPay, switchlink.KindEligible, switchlink.KindAuthorise, switchlink.KindSettle, switchlink.KindUpload:
	default:
		return "", nil
	}
	var open uint32
	err = tx.QueryRowContext(ctx, `SELECT batch FROM terminals WHERE merchant = ? AND terminal = ?`, r.Merchant, r.Terminal).Scan(&open)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return switchlink.CodeNotRegistered, nil
	case err != nil:
		return "", fmt.Errorf("terminal: %w", err)
	}
	state, err := batchState(ctx, tx, r.Merchant, r.Terminal, r.Batch)
	if err != nil {
		return "", err
	}
	switch r.Kind {
	case switchlink.KindSettle:
		return orNotFound(state != ""), nil
	case switchlink.KindUpload:
		whole := true
		if r.Last {
			whole, err = complete(ctx, tx, r)
		}
		return orNotFound(settled(state) && whole), err
	case switchlink.KindPay:
		if settled(state) {
			return switchlink.CodeBatch, nil
		}
	}
	if open != r.Batch {
		return switchlink.CodeBatch, nil
	}
	return "", nil
}

func orNotFound(ok bool) string {
	if ok {
		return ""
	}
	return switchlink.CodeNotFound
}

// digest is over what makes two requests the same. The PIN block stays out, as
// nothing of it may be kept; the KSN stands for it. So do the reason of a
// reversal and what it knows of the approval, which may differ between sendings.
func (h *Host) digest(r *switchlink.Request) ([]byte, error) {
	type content struct {
		Kind           switchlink.Kind
		Sale           entry.SaleID
		Amount         int64
		Attempt, Probe entry.Attempt
		Proof          entry.Proof
		By             string
		Card           entry.Card
		Slot           entry.Slot
		PAN            []byte
		KSN            pin.KSN
		AESKSN         *pin.AESKSN `json:",omitempty"`

		OrigSTAN, OrigBatch uint32 `json:",omitempty"`

		ICC    []byte        `json:",omitempty"` // its hash
		Totals *entry.Totals `json:",omitempty"`
		Last   bool          `json:",omitempty"`
	}
	c := content{Kind: r.Kind, Sale: r.Sale, Amount: int64(r.Amount), Attempt: r.Attempt, Probe: r.Probe,
		Proof: r.Proof, By: r.By, Card: r.Card, Slot: r.Slot,
		OrigSTAN: r.OrigSTAN, OrigBatch: r.OrigBatch}
	switch r.Kind {
	case switchlink.KindPay, switchlink.KindScript:
		if len(r.ICC) > 0 { // of a reversal it may differ between sendings
			c.ICC = h.cfg.Keys.keyed("icc", r.ICC)
		}
	case switchlink.KindSettle:
		c.Totals = &r.Totals
	case switchlink.KindUpload:
		c.Last = r.Last
	}
	if r.PIN != nil {
		c.KSN = r.PIN.KSN
		if r.PIN.Scheme == pin.AESDUKPT {
			c.AESKSN = &r.PIN.AESKSN
		}
	}
	if r.PAN != "" {
		c.PAN = h.panHash(r.PAN)
	}
	if r.Kind == switchlink.KindConfirm || r.Kind == switchlink.KindVoid {
		// Which attempt it was is enough: what a kiosk remembers beside may differ
		// between sendings, and must not keep it from being heard.
		c.Attempt = entry.Attempt{Card: r.Attempt.Card, Slot: r.Attempt.Slot, Random: r.Attempt.Random, Amount: r.Attempt.Amount}
		c.By = ""
	}
	b, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return h.cfg.Keys.keyed("content", b), nil
}
