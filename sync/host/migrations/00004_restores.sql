-- +goose Up

-- How many payments were taken that the restored journal had never heard of: a
-- repeated query gets the same answer and takes nothing.
ALTER TABLE restores ADD COLUMN taken INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE restores DROP COLUMN taken;
