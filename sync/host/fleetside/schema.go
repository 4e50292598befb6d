package fleetside

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables of the fleet link up to this version. It keeps its
// own version table, fleet_schema, beside those of other rooms.
func Migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrations of the fleet link: %w", err)
	}
	store, err := database.NewStore(database.DialectSQLite3, "fleet_schema")
	if err != nil {
		return fmt.Errorf("migrations of the fleet link: %w", err)
	}
	p, err := goose.NewProvider("", db, files, goose.WithStore(store), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrations of the fleet link: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the tables of the fleet link: %w", err)
	}
	return nil
}
