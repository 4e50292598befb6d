package host

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"testing"
	"testing/fstest"

	"buka/internal/entry"
)

// TestAnOlderDatabase: batches of before are counted as the terminals counted
// them: a refund is a credit once, a reversed payment is nothing.
func TestAnOlderDatabase(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "host.db"))
	if err != nil {
		t.Fatal(err)
	}
	old := fstest.MapFS{}
	for _, name := range []string{"00001_switch.sql", "00002_rewrites.sql"} {
		file, err := fs.ReadFile(migrations, "migrations/"+name)
		if err != nil {
			t.Fatal(err)
		}
		old["m/"+name] = &fstest.MapFile{Data: file}
	}
	if err := Migrate(t.Context(), db, old, "m", "goose_switch"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO terminals VALUES ('BUKAMERCHANT001', 'BUKA0001', 2, 9, 1);
		INSERT INTO answers VALUES ('BUKAMERCHANT001', 'BUKA0001', 1, 1, '021', x'00', '{}', 5);
		INSERT INTO payments (id, merchant, terminal, batch, stan, sale, family, number, slot, account, pan_masked, amount, code, rrn, auth, reversed, at_ms)
			SELECT column1, 'BUKAMERCHANT001', 'BUKA0001', column2, column1, 'SALE' || column1, 'tunion', '1', 1, x'00', '', column3, column4, '', '', column5, 1 FROM
			(VALUES (1, 1, 100, '00', 0), (2, 1, 200, '00', 1), (3, 1, 400, '00', 1), (4, 1, 800, '51', 0), (5, 2, 1600, '00', 1));
		INSERT INTO reversals (merchant, terminal, batch, stan, sale, amount, reason, code, found, at_ms)
			VALUES ('BUKAMERCHANT001', 'BUKA0001', 1, 2, 'SALE2', 200, '98', '00', 1, 1);
		INSERT INTO refunds (merchant, terminal, batch, stan, sale, payment, amount, code, at_ms) SELECT 'BUKAMERCHANT001', 'BUKA0001', 2, column1, '', column2, column3, '00', 1 FROM
			(VALUES (20, 2, 200), (21, 3, 400), (22, 3, 400), (23, 5, 1600));`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	list, err := h.Batches(t.Context(), 10)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	want := map[uint32]entry.Totals{1: {Debit: 500, Debits: 2}, 2: {Debit: 1600, Debits: 1, Credit: 2000, Credits: 2}}
	for _, b := range list {
		if b.Host != want[b.Number] || b.State != BatchOpen {
			t.Errorf("%+v, want %+v", b, want[b.Number])
		}
	}
}
