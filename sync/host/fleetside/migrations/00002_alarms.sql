-- +goose Up

-- What people shall look at. Made from fleet_entry, but for who has seen it;
-- kind 'journal' says that a kiosk's journal cannot be trusted.
CREATE TABLE fleet_alarm (
    id       INTEGER PRIMARY KEY AUTOINCREMENT, -- later ones have higher numbers
    kiosk    TEXT    NOT NULL REFERENCES fleet_kiosk (kiosk),
    hash     BLOB    UNIQUE,                -- of the entry; null: this host says so
    epoch_id INTEGER REFERENCES fleet_epoch (id),
    kind     TEXT    NOT NULL,              -- risk, long, conflict, batch or journal
    detail   TEXT    NOT NULL,              -- the rule, the batch's number, or what is wrong
    sale     TEXT    NOT NULL DEFAULT '',
    at_ms    INTEGER NOT NULL,              -- kiosk clock; of kind journal, host clock
    who      TEXT    NOT NULL DEFAULT '',   -- who has acknowledged it
    seen_ms  INTEGER NOT NULL DEFAULT 0     -- host clock; 0: nobody has
);

CREATE INDEX fleet_alarm_kiosk ON fleet_alarm (kiosk, id);
CREATE INDEX fleet_alarm_new ON fleet_alarm (kiosk, id) WHERE seen_ms = 0;

-- +goose Down
DROP TABLE fleet_alarm;
