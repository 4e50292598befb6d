-- +goose Up

-- Refunds, as they were asked for.
CREATE TABLE refunds (
    id       INTEGER PRIMARY KEY,
    merchant TEXT NOT NULL,
    terminal TEXT NOT NULL,
    batch    INTEGER NOT NULL,
    stan     INTEGER NOT NULL,
    sale     TEXT NOT NULL,
    payment  INTEGER REFERENCES payments (id), -- null: no such payment
    amount   INTEGER NOT NULL,
    code     TEXT NOT NULL,
    at_ms    INTEGER NOT NULL
) STRICT;

-- Rewrites that the host owns: value that is paid for and not known to be on its
-- card, and that no kiosk may decide about.
CREATE TABLE rewrites (
    sale     TEXT PRIMARY KEY,
    family   TEXT NOT NULL,
    number   TEXT NOT NULL,
    amount   INTEGER NOT NULL CHECK (amount > 0),
    slot     INTEGER NOT NULL, -- as far as it is known
    origin   TEXT NOT NULL CHECK (origin IN ('remote', 'lost', 'handed-over')),
    kiosk    TEXT NOT NULL,    -- that had it; '' for one that was paid elsewhere
    state    TEXT NOT NULL CHECK (state IN ('open', 'credited', 'disputed', 'returned', 'decided')),
    doubt    INTEGER REFERENCES ledger (id), -- the write whose end nobody knows
    holder   TEXT NOT NULL DEFAULT '',       -- merchant/terminal that was authorised and has not finished
    since_ms INTEGER NOT NULL,
    note     TEXT NOT NULL DEFAULT ''        -- who settled it, and how
) STRICT;
CREATE INDEX rewrites_by_card ON rewrites (family, number) WHERE state = 'open';

-- Kiosks ask for the list again when its number has changed.
CREATE TABLE rewrite_list (version INTEGER NOT NULL) STRICT;
INSERT INTO rewrite_list VALUES (0);
-- +goose StatementBegin
CREATE TRIGGER rewrites_added AFTER INSERT ON rewrites BEGIN UPDATE rewrite_list SET version = version + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER rewrites_changed AFTER UPDATE ON rewrites BEGIN UPDATE rewrite_list SET version = version + 1; END;
-- +goose StatementEnd

-- Journals that were restored, and what was open at that terminal then.
CREATE TABLE restores (
    merchant  TEXT NOT NULL,
    terminal  TEXT NOT NULL,
    epoch     BLOB NOT NULL,
    last_stan INTEGER NOT NULL, -- highest that was seen in the batch that the restore ended
    at_ms     INTEGER NOT NULL,
    PRIMARY KEY (merchant, terminal, epoch)
) STRICT;

-- +goose Down
DROP TABLE restores;
DROP TABLE rewrite_list;
DROP TABLE rewrites;
DROP TABLE refunds;
