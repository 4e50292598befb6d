-- +goose Up

-- Bank accounts. The PAN is a keyed hash, the PIN a keyed hash with the salt.
CREATE TABLE accounts (
    pan_hash   BLOB PRIMARY KEY,
    pan_masked TEXT    NOT NULL,
    salt       BLOB    NOT NULL,
    pin_hash   BLOB    NOT NULL,
    expiry     TEXT    NOT NULL, -- YYMM
    funds      INTEGER NOT NULL CHECK (funds >= 0), -- fen, what may still be spent
    tries_left INTEGER NOT NULL,
    blocked    INTEGER NOT NULL DEFAULT 0
) STRICT;

-- PIN pads: the counter of the last KSN that was used.
CREATE TABLE ksns (
    device  BLOB PRIMARY KEY, -- the KSN with its counter at zero
    counter INTEGER NOT NULL
) STRICT;

CREATE TABLE terminals (
    merchant   TEXT NOT NULL,
    terminal   TEXT NOT NULL,
    batch      INTEGER NOT NULL,
    last_stan  INTEGER NOT NULL, -- highest that was seen in the batch
    sign_on_ms INTEGER NOT NULL,
    PRIMARY KEY (merchant, terminal)
) STRICT;

-- What was answered. A repeat of the key with the same content gets the same
-- answer, with other content it is refused. stage is the answer's MTI class and
-- function, because a reversal has the STAN of its payment.
CREATE TABLE answers (
    merchant TEXT NOT NULL,
    terminal TEXT NOT NULL,
    batch    INTEGER NOT NULL,
    stan     INTEGER NOT NULL,
    stage    TEXT NOT NULL,
    digest   BLOB NOT NULL,
    answer   TEXT NOT NULL, -- JSON
    at_ms    INTEGER NOT NULL,
    PRIMARY KEY (merchant, terminal, batch, stan, stage)
) STRICT;

-- Every payment that was decided, approved or not.
CREATE TABLE payments (
    id          INTEGER PRIMARY KEY,
    merchant    TEXT NOT NULL,
    terminal    TEXT NOT NULL,
    batch       INTEGER NOT NULL,
    stan        INTEGER NOT NULL,
    sale        TEXT NOT NULL,
    family      TEXT NOT NULL,
    number      TEXT NOT NULL,
    slot        INTEGER NOT NULL,
    account     BLOB NOT NULL,
    pan_masked  TEXT NOT NULL,
    amount      INTEGER NOT NULL, -- fen
    code        TEXT NOT NULL,
    rrn         TEXT NOT NULL,
    auth        TEXT NOT NULL,
    reversed    INTEGER NOT NULL DEFAULT 0,
    at_ms       INTEGER NOT NULL,
    reversed_ms INTEGER,
    UNIQUE (merchant, terminal, batch, stan)
) STRICT;
CREATE INDEX payments_by_sale ON payments (sale);
CREATE INDEX payments_by_account ON payments (account);
-- Law 2: one sale has at most one payment that stands.
CREATE UNIQUE INDEX payments_standing ON payments (sale) WHERE code = '00' AND reversed = 0;

-- Reversals, also those whose original never came: it is declined if it does.
CREATE TABLE reversals (
    id       INTEGER PRIMARY KEY,
    merchant TEXT NOT NULL,
    terminal TEXT NOT NULL,
    batch    INTEGER NOT NULL,
    stan     INTEGER NOT NULL,
    sale     TEXT NOT NULL,
    amount   INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    code     TEXT NOT NULL,
    found    INTEGER NOT NULL,
    at_ms    INTEGER NOT NULL,
    UNIQUE (merchant, terminal, batch, stan)
) STRICT;

-- The slot ledger: every authorisation ever given. A row with authorised = 0 is
-- a void that came before its authorisation.
CREATE TABLE ledger (
    id            INTEGER PRIMARY KEY,
    family        TEXT NOT NULL,
    number        TEXT NOT NULL,
    slot          INTEGER NOT NULL,
    random        BLOB NOT NULL,
    sale          TEXT NOT NULL,
    amount        INTEGER NOT NULL,
    old_balance   INTEGER NOT NULL,
    load_terminal BLOB NOT NULL, -- as in the card's MACs
    key_version   INTEGER NOT NULL,
    algorithm     INTEGER NOT NULL,
    mac1          BLOB NOT NULL,
    merchant      TEXT NOT NULL,
    terminal      TEXT NOT NULL,
    batch         INTEGER NOT NULL,
    stan          INTEGER NOT NULL,
    stamp         TEXT NOT NULL,
    authorised    INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('authorised', 'confirmed', 'disputed', 'voided')),
    at_ms         INTEGER NOT NULL,
    UNIQUE (family, number, slot, random)
) STRICT;
CREATE INDEX ledger_by_sale ON ledger (sale);

-- Answers of INITIALIZE that were shown to us, so that none passes as fresh twice.
CREATE TABLE challenges (
    family TEXT NOT NULL,
    number TEXT NOT NULL,
    slot   INTEGER NOT NULL,
    random BLOB NOT NULL,
    at_ms  INTEGER NOT NULL,
    PRIMARY KEY (family, number, slot, random)
) STRICT;

-- What kiosks said about loads that were written, true or not.
CREATE TABLE confirmations (
    id       INTEGER PRIMARY KEY,
    ledger   INTEGER REFERENCES ledger (id), -- null: no such authorisation
    merchant TEXT NOT NULL,
    terminal TEXT NOT NULL,
    batch    INTEGER NOT NULL,
    stan     INTEGER NOT NULL,
    sale     TEXT NOT NULL,
    attempt  TEXT NOT NULL, -- JSON
    tac      BLOB NOT NULL,
    proven   TEXT NOT NULL, -- card, tac, log, ledger
    code     TEXT NOT NULL,
    at_ms    INTEGER NOT NULL
) STRICT;
CREATE INDEX confirmations_by_sale ON confirmations (sale);

CREATE TABLE hotlist (
    family TEXT NOT NULL,
    number TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (family, number)
) STRICT;

-- +goose Down
DROP TABLE hotlist;
DROP TABLE confirmations;
DROP TABLE challenges;
DROP TABLE ledger;
DROP TABLE reversals;
DROP TABLE payments;
DROP TABLE answers;
DROP TABLE terminals;
DROP TABLE ksns;
DROP TABLE accounts;
