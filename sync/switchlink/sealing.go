package switchlink

import (
	"errors"
	"fmt"
)

// held says whether a call waits for the keys of the sign-on under way.
func (o *owner) held(c *call) bool {
	if o.signOn != nil && (o.signOn.state.Load() == callOver || o.waiters[o.signOn.key] != o.signOn) {
		o.signOn = nil
	}
	return c.sealed && o.signOn != nil
}

// release sends what waited for a sign-on.
func (o *owner) release() {
	if o.conn == nil {
		return
	}
	queued := o.queued
	o.queued = nil
	for _, c := range queued {
		o.take(c)
	}
}

// seal writes the MAC under the keys of this moment.
func (o *owner) seal(c *call) error {
	if !c.sealed {
		return nil
	}
	auth := o.cfg.MAC
	if o.cfg.Keys != nil {
		if err := o.cfg.Keys.hold(&c.held); err != nil {
			return err
		}
		auth = &c.held
	}
	mac, err := auth.MAC(c.frame[c.mab:c.mac.from])
	if err != nil {
		return err
	}
	c.mac.put(c.frame, mac[:])
	return nil
}

// judge looks at the MAC of an answer and takes the keys of a sign-on. It does so
// in the order in which answers come: what is behind a sign-on has a MAC under
// its keys.
func (o *owner) judge(c *call, m *Message) result {
	if c.sealed {
		if err := o.authentic(c, m); err != nil {
			o.log.Warn("switch link: an answer whose MAC is wrong", "message", m, "error", err)
			return result{err: ErrBadMAC}
		}
	}
	if c.kind == KindSignOn {
		if o.cfg.Keys == nil || !Approved(m.Text(39)) {
			return result{message: m}
		}
		if err := o.takeKeys(m); err != nil {
			o.log.Error("switch link: a sign-on without keys", "message", m, "error", err)
			return result{err: fmt.Errorf("%w: %w", ErrBadAnswer, err)}
		}
		return result{message: m}
	}
	return result{message: m}
}

// wants tells what the host wants after an answer. What an answer to a sign-on says
// about signing on it says about the one that is over: else one would follow the
// other without end. So do code and MAC of an answer to what was sent before it.
func (o *owner) wants(c *call, requirement byte, r result) {
	if c.kind == KindSignOn {
		if r.err == nil && Approved(r.message.Text(39)) {
			o.signOns++
		}
		if requirement == RequireSignOn {
			return
		}
	}
	current := c.signOns == o.signOns && c.kind != KindSignOn
	switch {
	case requirement != 0:
		o.require(requirement)
	case !current:
	case errors.Is(r.err, ErrBadMAC) || r.err == nil && OutOfStep(r.message.Text(39)):
		o.require(RequireSignOn)
	case r.err == nil && c.kind != KindEcho && o.cfg.OnInStep != nil:
		o.cfg.OnInStep()
	}
}

// authentic checks the MAC of an answer: under the key of its request, or under
// the one that a sign-on has brought since.
func (o *owner) authentic(c *call, m *Message) error {
	if o.cfg.Keys != nil && m.sealedBy(&c.held) == nil {
		return nil
	}
	return m.sealedBy(o.cfg.MAC)
}

// takeKeys gives the ring what a sign-on brought. A host that sends none leaves
// those that are there.
func (o *owner) takeKeys(m *Message) error {
	if len(m.Fields[62]) == 0 && o.cfg.Keys.Ready() {
		return nil
	}
	return o.cfg.Keys.Take(m.Fields[62])
}

func (o *owner) require(what byte) {
	if o.cfg.OnRequirement != nil {
		o.cfg.OnRequirement(what)
	}
}
