package device

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"buka/internal/mac"
	"buka/internal/pin"
)

const (
	// macChunk is how many bytes of a message fit into one Z66, in hex.
	macChunk = 112
	// macPackets bounds the packets of one code: two digits number them.
	macPackets = 100
	// macTries bounds how often a code is begun anew after the line has made
	// the pad lose count.
	macTries = 3
)

// MACRequest is one message to be authenticated by the pad, which holds the key.
type MACRequest struct {
	Algorithm mac.Algorithm
	// Key is the working key, enciphered under the pad's master key: 16 bytes
	// for X9.19, 8 for X9.9, either for UnionPay ECB.
	Key pin.WrappedKey
	// Message is up to 11,200 bytes; for UnionPay ECB of any length.
	Message []byte
}

// MAC makes a code in the pad (Z66 and Z67), for kiosks whose MAC key never
// leaves it. X9.19 is what the pad does by itself; under a key of one length that
// is X9.9, and over one block it is plain encipherment, of which UnionPay's
// algorithm is made. Errors: those of errors.go, ErrPrompt for a request that no
// pad can serve.
func (p *PinPad) MAC(ctx context.Context, req MACRequest) (mac.Code, error) {
	n := len(req.Key.Cryptogram)
	switch {
	case p.cfg.KeySlot == "":
		return mac.Code{}, fmt.Errorf("%w: no master key is chosen (key_slot)", ErrPrompt)
	case n != 8 && n != 16, req.Algorithm == mac.X99 && n != 8:
		return mac.Code{}, fmt.Errorf("%w: a MAC key of %d bytes for %v", ErrPrompt, n, req.Algorithm)
	case req.Algorithm != mac.UnionPayECB && req.Algorithm != mac.X99 && req.Algorithm != mac.X919:
		return mac.Code{}, fmt.Errorf("%w: %w", ErrPrompt, mac.ErrAlgorithm)
	case req.Algorithm != mac.UnionPayECB && len(req.Message) > macChunk*macPackets:
		return mac.Code{}, fmt.Errorf("%w: a message of %d bytes", ErrPrompt, len(req.Message))
	}
	var code mac.Code
	err := p.submit(ctx, &job{name: "MAC", do: func(ctx context.Context, l *link) (err error) {
		if req.Algorithm != mac.UnionPayECB {
			code, err = p.retail(ctx, l, req.Key, req.Message)
			return err
		}
		code, err = mac.UnionPay(func(b [mac.Size]byte) ([mac.Size]byte, error) {
			return p.retail(ctx, l, req.Key, b[:])
		}, req.Message)
		return err
	}})
	return code, err
}

// retail runs one MAC session of the pad, and begins anew when a packet was
// lost or came twice.
func (p *PinPad) retail(ctx context.Context, l *link, key pin.WrappedKey, message []byte) (code mac.Code, err error) {
	for range macTries {
		if err := p.fence(ctx, l); err != nil {
			return mac.Code{}, err
		}
		code, err = p.session(ctx, l, key, message)
		var refused ErrPadRefused
		if errors.As(err, &refused) && refused.Code == macOutOfOrder || errors.Is(err, errEOT) || errors.Is(err, errWait) {
			continue
		}
		break
	}
	if errors.Is(err, errEOT) || errors.Is(err, errWait) {
		err = fmt.Errorf("packet Z66: %w", ErrUnplugged)
	}
	return code, err
}

// macOutOfOrder is the status of a Z67 whose Z66 had not the next number.
const macOutOfOrder = "2"

func (p *PinPad) session(ctx context.Context, l *link, key pin.WrappedKey, message []byte) (mac.Code, error) {
	if len(message) == 0 {
		message = make([]byte, mac.Size) // as the algorithm has it; a pad refuses an empty one
	}
	isAnswer := func(f Frame) bool { return messageID(f) == "Z67" }
	for seq := 0; ; seq++ {
		part := message[:min(macChunk, len(message))]
		message = message[len(part):]
		last := len(message) == 0
		f := msgMAC(last, seq, p.cfg.KeySlot, key, part)
		err := l.send(ctx, f, p.cfg.AckTimeout, isAnswer)
		clear(f.Body)
		if err != nil {
			return mac.Code{}, err
		}
		answer, err := l.receive(ctx, time.Now().Add(p.cfg.ReplyTimeout), isAnswer)
		if err != nil {
			return mac.Code{}, err
		}
		code, more, err := parseMACAnswer(answer)
		switch {
		case err != nil:
			return mac.Code{}, err
		case more == last: // a code too early, or none at the end
			return mac.Code{}, fmt.Errorf("%w: packet Z67 out of step", ErrAnswer)
		case last:
			return code, nil
		}
	}
}

// msgMAC is Z66. The type's lowest bit says that it is the last packet, the next
// that the message is in hex; so '2' more follow, '3' the last. The field of the
// second master key stays empty.
func msgMAC(last bool, seq int, slot string, key pin.WrappedKey, part []byte) Frame {
	kind := byte('2')
	if last {
		kind = '3'
	}
	body := make([]byte, 0, MaxBody)
	body = append(body, 'Z', '6', '6', kind, '0'+byte(seq/10), '0'+byte(seq%10))
	body = append(append(body, slot...), fs)
	body = append(appendHex(body, key.Cryptogram), fs, fs)
	return Frame{Body: appendHex(body, part)}
}

// parseMACAnswer reads Z67: status 0 and 16 hex digits, or 1 for the next packet.
// Any other status is a refusal.
func parseMACAnswer(f Frame) (code mac.Code, more bool, err error) {
	rest := bytes.TrimPrefix(f.Body, []byte("Z67"))
	switch {
	case len(rest) == len(f.Body), len(rest) == 0:
		return mac.Code{}, false, fmt.Errorf("%w: packet Z67 of %d bytes", ErrAnswer, len(f.Body))
	case string(rest) == "1":
		return mac.Code{}, true, nil
	case len(rest) == 1 && rest[0] != '0':
		return mac.Code{}, false, ErrPadRefused{Message: "Z67", Code: string(rest)}
	case len(rest) != 1+2*mac.Size || rest[0] != '0':
		return mac.Code{}, false, fmt.Errorf("%w: packet Z67 of %d bytes", ErrAnswer, len(f.Body))
	}
	if _, err := hex.Decode(code[:], rest[1:]); err != nil {
		return mac.Code{}, false, fmt.Errorf("%w: packet Z67 is not hex", ErrAnswer)
	}
	return code, false, nil
}

// checkKey lets the pad encipher a block of zeros under a working key and
// compares with the check value that the host has sent along: only the pad whose
// master key the host knows gets it right. Once per key and connection. A pad
// that keeps PIN keys from Z66 cannot be asked; then the host finds out.
func (p *PinPad) checkKey(ctx context.Context, l *link, key pin.WrappedKey) error {
	if len(key.Check) == 0 || p.keyChecked == string(key.Cryptogram) {
		return nil
	}
	kcv, err := p.retail(ctx, l, key, make([]byte, mac.Size))
	var refused ErrPadRefused
	switch {
	case errors.As(err, &refused):
		p.log.Warn("pin pad: it does not check keys", "code", refused.Code)
	case err != nil:
		return err
	case !key.Matches([4]byte(kcv[:4])):
		return ErrWorkingKey
	}
	p.keyChecked = string(key.Cryptogram)
	return nil
}
