package host

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"strings"

	"buka/cardio/apdu"
	"buka/internal/cryptogram"
	"buka/internal/mac"
	"buka/sync/switchlink"
)

// Command is what an issuer may have done to a card at its next payment.
type Command string

// Commands, each an instruction of EMV Book 3 6.5.
const (
	BlockCard   Command = "block"   // APPLICATION BLOCK
	UnblockCard Command = "unblock" // APPLICATION UNBLOCK
	UnblockPIN  Command = "pin"     // PIN CHANGE/UNBLOCK: the card's own tries again
)

var instructions = map[Command][4]byte{
	BlockCard: {0x84, 0x1E, 0, 0}, UnblockCard: {0x84, 0x18, 0, 0}, UnblockPIN: {0x84, 0x24, 0, 0},
}

// AskCommand has a command sent to the account's card with every answer to its
// chip, until the result says that it was done or refused. Errors: ErrNoAccount.
func (h *Host) AskCommand(ctx context.Context, pan string, c Command) error {
	if _, ok := instructions[c]; !ok {
		return fmt.Errorf("host: %q is no command to a card", c)
	}
	return h.Write(ctx, func(tx *sql.Tx) error {
		_, found, err := h.account(ctx, tx, pan)
		if err == nil && !found {
			err = ErrNoAccount
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO scripts (account, command, state, asked_ms) VALUES (?,?,'asked',?)`,
			h.panHash(pan), string(c), h.Now().UnixMilli())
		return err
	})
}

// Commands gives what was asked of an account's card, oldest first, as "command
// state".
func (h *Host) Commands(ctx context.Context, pan string) (list []string, err error) {
	rows, err := h.db.QueryContext(ctx, `SELECT command || ' ' || state FROM scripts WHERE account = ? ORDER BY id`, h.panHash(pan))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

// answerChip makes DE55 of the answer: the issuer's own proof (91) and, to a
// contact card, which alone is still there to take it, one script (72). The
// payment has this id.
func (h *Host) answerChip(ctx context.Context, tx *sql.Tx, r *switchlink.Request, c *chip, acc account, code string, payment int64) ([]byte, error) {
	var status [4]byte // EMV Book 2 8.2.2: byte 2, bit 8: the issuer approves
	if switchlink.Approved(code) {
		status[1] = 0x80
	}
	proof, err := c.profile.ARPC(c.key, c.atc, c.arqc, [2]byte([]byte(code)), status, nil)
	if err != nil {
		return nil, err
	}
	out, err := apdu.Encode(0x91, proof)
	if err != nil || !strings.HasPrefix(r.EntryMode, "05") {
		return out, err
	}
	var id uint32
	var command Command
	err = tx.QueryRowContext(ctx, `SELECT id, command FROM scripts WHERE account = ? AND state IN ('asked', 'sent') ORDER BY id LIMIT 1`,
		acc.hash).Scan(&id, &command)
	if err == sql.ErrNoRows {
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("script: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE scripts SET state = 'sent', payment = ? WHERE id = ?`, payment, id); err != nil {
		return nil, fmt.Errorf("script: %w", err)
	}
	script, err := c.script(id, instructions[command])
	return append(out, script...), err
}

// script is template 72 with an identifier and one command. Its 4-byte code is
// over header, transaction counter, cryptogram and data under the session key of
// the card's key: the secure messaging of EMV Book 2 9.2 as the issuer profiles
// narrow it.
func (c *chip) script(id uint32, header [4]byte) ([]byte, error) {
	head := append(header[:], 4) // Lc: the code alone
	key := cryptogram.SessionKey(c.key, c.atc)
	defer clear(key[:])
	sum, err := mac.Sum(mac.X919, key[:], bytes.Join([][]byte{head, c.objects[0x9F36], c.arqc[:], {0x80}}, nil))
	if err != nil {
		return nil, err
	}
	name, err := apdu.Encode(0x9F18, binary.BigEndian.AppendUint32(nil, id))
	if err != nil {
		return nil, err
	}
	command, err := apdu.Encode(0x86, head, sum[:4])
	if err != nil {
		return nil, err
	}
	return apdu.Encode(0x72, name, command)
}

// scriptResult takes the notice of what became of scripts (0620).
func (h *Host) scriptResult(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (switchlink.Response, error) {
	a := h.plain(switchlink.CodeApproved)
	if _, err := apdu.ParseTLVs(r.ICC); err != nil || len(r.ICC) > maxICC {
		a.Code = switchlink.CodeFormat
		return a, nil
	}
	return a, h.noteScripts(ctx, tx, r)
}

// noteScripts reads script results (DF31), 5 bytes for each script: what came of
// it in the high half of the first, 2 is done, then its identifier. One counts
// only from the terminal whose payment took the script along; what cannot be
// read counts as not told.
func (h *Host) noteScripts(ctx context.Context, tx *sql.Tx, r *switchlink.Request) error {
	results, err := apdu.Find(r.ICC, 0xDF31)
	if err != nil || len(results)%5 != 0 {
		return nil
	}
	for one := results; len(one) > 0; one = one[5:] {
		state := "failed"
		if one[0]&0xF0 == 0x20 {
			state = "done"
		}
		if _, err := tx.ExecContext(ctx, `UPDATE scripts SET state = ?, told_ms = ? WHERE id = ? AND state = 'sent' AND payment IN
			(SELECT id FROM payments WHERE merchant = ? AND terminal = ?)`,
			state, h.Now().UnixMilli(), binary.BigEndian.Uint32(one[1:5]), r.Merchant, r.Terminal); err != nil {
			return fmt.Errorf("script result: %w", err)
		}
	}
	return nil
}
