-- +goose Up

-- Batches of terminals and their settlement.
CREATE TABLE batches (
    merchant      TEXT NOT NULL,
    terminal      TEXT NOT NULL,
    batch         INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('open', 'uploading', 'balanced', 'differs')),
    stan          INTEGER NOT NULL DEFAULT 0, -- of the last settlement
    kiosk_debit   INTEGER NOT NULL DEFAULT 0, -- fen; what the terminal said
    kiosk_debits  INTEGER NOT NULL DEFAULT 0,
    kiosk_credit  INTEGER NOT NULL DEFAULT 0,
    kiosk_credits INTEGER NOT NULL DEFAULT 0,
    host_debit    INTEGER NOT NULL DEFAULT 0, -- fen; what the host had then
    host_debits   INTEGER NOT NULL DEFAULT 0,
    host_credit   INTEGER NOT NULL DEFAULT 0,
    host_credits  INTEGER NOT NULL DEFAULT 0,
    opened_ms     INTEGER NOT NULL,
    settled_ms    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (merchant, terminal, batch)
) STRICT;
INSERT INTO batches (merchant, terminal, batch, state, opened_ms)
    SELECT merchant, terminal, batch, 'open', min(at_ms) FROM answers WHERE batch > 0 GROUP BY merchant, terminal, batch;
INSERT INTO batches (merchant, terminal, batch, state, opened_ms)
    SELECT merchant, terminal, batch, 'open', sign_on_ms FROM terminals WHERE true ON CONFLICT DO NOTHING;

-- What a terminal said one by one, because its totals did not balance.
CREATE TABLE uploads (
    merchant   TEXT NOT NULL,
    terminal   TEXT NOT NULL,
    batch      INTEGER NOT NULL,
    settlement INTEGER NOT NULL, -- STAN of the settlement
    idx        INTEGER NOT NULL, -- 1, 2, …
    sale       TEXT NOT NULL,
    stan       INTEGER NOT NULL,
    amount     INTEGER NOT NULL, -- fen
    credit     INTEGER NOT NULL, -- a refund
    PRIMARY KEY (merchant, terminal, batch, settlement, idx)
) STRICT;

-- What only one side had, for people.
CREATE TABLE differences (
    merchant   TEXT NOT NULL,
    terminal   TEXT NOT NULL,
    batch      INTEGER NOT NULL,
    settlement INTEGER NOT NULL,
    sale       TEXT NOT NULL,
    stan       INTEGER NOT NULL,
    kiosk      INTEGER NOT NULL, -- fen; a refund is negative, 0 is nothing
    host       INTEGER NOT NULL
) STRICT;
CREATE INDEX differences_by_batch ON differences (merchant, terminal, batch);

-- A payment that was refunded stays a debit of its batch; the refund is a credit
-- of the batch in which it is booked, 0: it moved no money.
ALTER TABLE payments ADD COLUMN refunded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN entry_mode TEXT NOT NULL DEFAULT '';
ALTER TABLE payments ADD COLUMN atc INTEGER; -- of the chip that made a cryptogram; null: none did
ALTER TABLE refunds ADD COLUMN booked INTEGER NOT NULL DEFAULT 0;
UPDATE refunds SET booked = batch WHERE id IN (SELECT min(r.id) FROM refunds r JOIN payments p ON p.id = r.payment
    WHERE r.code = '00' AND p.reversed = 1 AND NOT EXISTS (SELECT 1 FROM reversals v WHERE v.code = '00' AND v.merchant = p.merchant
        AND v.terminal = p.terminal AND v.batch = p.batch AND v.stan = p.stan) GROUP BY r.payment);
UPDATE payments SET refunded = 1 WHERE id IN (SELECT payment FROM refunds WHERE booked > 0);
CREATE INDEX refunds_booked ON refunds (merchant, terminal, booked);

-- The chip of an account's card: the highest transaction counter whose
-- cryptogram was good, and what was answered to it.
CREATE TABLE chips (
    account    BLOB NOT NULL,
    sequence   INTEGER NOT NULL,
    atc        INTEGER NOT NULL,
    cryptogram BLOB NOT NULL,
    sale       TEXT NOT NULL,
    code       TEXT NOT NULL,
    PRIMARY KEY (account, sequence)
) STRICT;

-- Commands of the issuer to a card.
CREATE TABLE scripts (
    id       INTEGER PRIMARY KEY, -- tag 9F18
    account  BLOB NOT NULL,
    command  TEXT NOT NULL CHECK (command IN ('block', 'unblock', 'pin')),
    state    TEXT NOT NULL CHECK (state IN ('asked', 'sent', 'done', 'failed')),
    payment  INTEGER REFERENCES payments (id), -- whose answer took it along last
    asked_ms INTEGER NOT NULL,
    told_ms  INTEGER
) STRICT;
CREATE INDEX scripts_by_account ON scripts (account) WHERE state IN ('asked', 'sent');

-- A credit account's funds are what is left of its limit.
ALTER TABLE accounts ADD COLUMN credit INTEGER NOT NULL DEFAULT 0;

-- Working keys of terminals as DE62 carried them: under the terminal's master
-- key, which is not here. One set for each link.
CREATE TABLE working_keys (
    link     TEXT NOT NULL CHECK (link IN ('payments', 'loads')),
    merchant TEXT NOT NULL,
    terminal TEXT NOT NULL,
    block    BLOB NOT NULL,
    wanted   INTEGER NOT NULL DEFAULT 0, -- others are to be drawn at a sign-on before anything else
    drawn_ms INTEGER NOT NULL,
    PRIMARY KEY (link, merchant, terminal)
) STRICT;

-- +goose Down
DROP TABLE working_keys;
ALTER TABLE accounts DROP COLUMN credit;
DROP TABLE scripts;
DROP TABLE chips;
DROP INDEX refunds_booked;
ALTER TABLE refunds DROP COLUMN booked;
ALTER TABLE payments DROP COLUMN atc;
ALTER TABLE payments DROP COLUMN entry_mode;
ALTER TABLE payments DROP COLUMN refunded;
DROP TABLE differences;
DROP TABLE uploads;
DROP TABLE batches;
