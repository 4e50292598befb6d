-- +goose Up
CREATE TABLE fleet_kiosk (
    kiosk             TEXT    NOT NULL PRIMARY KEY,
    turn              INTEGER NOT NULL DEFAULT 0, -- changed by every writer first: the lock of this kiosk
    beat              BLOB,                       -- the last heartbeat, as it came
    last_seen_ms      INTEGER NOT NULL DEFAULT 0, -- host clock; may lag by the time between two saved heartbeats
    last_sync_ms      INTEGER NOT NULL DEFAULT 0, -- host clock; when the host last had all that the kiosk had
    conflict          TEXT    NOT NULL DEFAULT '',
    conflict_since_ms INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE fleet_epoch (
    id           INTEGER PRIMARY KEY AUTOINCREMENT, -- later epochs have higher numbers
    kiosk        TEXT    NOT NULL REFERENCES fleet_kiosk (kiosk),
    epoch        BLOB    NOT NULL,
    began_ms     INTEGER NOT NULL,           -- host clock
    seq          INTEGER NOT NULL DEFAULT 0, -- last committed entry
    hash         BLOB    NOT NULL,           -- its hash
    fold_version INTEGER NOT NULL,           -- of the program that folded fleet_sale
    UNIQUE (kiosk, epoch)
);

CREATE TABLE fleet_entry (
    epoch_id INTEGER NOT NULL REFERENCES fleet_epoch (id),
    seq      INTEGER NOT NULL,
    hash     BLOB    NOT NULL,
    kind     TEXT    NOT NULL,
    sale     TEXT    NOT NULL DEFAULT '',
    at_ms    INTEGER NOT NULL, -- kiosk clock
    stored   BLOB    NOT NULL, -- exactly the bytes of the kiosk's journal
    PRIMARY KEY (epoch_id, seq)
);

CREATE INDEX fleet_entry_sale ON fleet_entry (sale) WHERE sale <> '';

-- What the entries of each sale add up to; made from fleet_entry alone.
CREATE TABLE fleet_sale (
    epoch_id INTEGER NOT NULL REFERENCES fleet_epoch (id),
    sale     TEXT    NOT NULL,
    open     INTEGER NOT NULL, -- 1: an open rewrite
    owed     INTEGER NOT NULL, -- obligations to the switch
    last_seq INTEGER NOT NULL,
    fold     BLOB    NOT NULL,
    PRIMARY KEY (epoch_id, sale)
);

CREATE INDEX fleet_sale_open ON fleet_sale (epoch_id) WHERE open = 1;
CREATE INDEX fleet_sale_owed ON fleet_sale (epoch_id, owed) WHERE owed > 0;
CREATE INDEX fleet_sale_last ON fleet_sale (epoch_id, last_seq);

-- For people and reports.
CREATE VIEW fleet_journal AS
SELECT e.kiosk, e.epoch, j.seq, j.hash, j.kind, j.sale, j.at_ms, j.stored
FROM fleet_entry j JOIN fleet_epoch e ON e.id = j.epoch_id;

-- +goose Down
DROP VIEW fleet_journal;
DROP TABLE fleet_sale;
DROP TABLE fleet_entry;
DROP TABLE fleet_epoch;
DROP TABLE fleet_kiosk;
