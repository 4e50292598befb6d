package fleetside

import (
	"context"
	"database/sql"
)

// rowSource is a database or a transaction.
type rowSource interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}

// collect reads all rows of a query that has its own LIMIT or is small.
func collect[T any](ctx context.Context, q rowSource, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// column reads a query of one column.
func column[T any](ctx context.Context, q rowSource, query string, args ...any) ([]T, error) {
	return collect(ctx, q, func(rows *sql.Rows) (v T, err error) {
		err = rows.Scan(&v)
		return v, err
	}, query, args...)
}

type storedRow struct {
	seq    uint64
	hash   []byte
	stored []byte
}

func scanStored(rows *sql.Rows) (r storedRow, err error) {
	err = rows.Scan(&r.seq, &r.hash, &r.stored)
	return r, err
}

// pageRows bounds how many entries are in memory at once.
const pageRows = 500

// entries gives the next stored entries of an epoch after number after.
func entries(ctx context.Context, q rowSource, epochID int64, after uint64) ([]storedRow, error) {
	return collect(ctx, q, scanStored, `SELECT seq, hash, stored FROM fleet_entry WHERE epoch_id = ? AND seq > ? ORDER BY seq LIMIT ?`, epochID, after, pageRows)
}
