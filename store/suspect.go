package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// SuspectName of the small file beside a journal that a verification in the
// background leaves when it finds damage that Open would not see. The next Open
// verifies the whole journal first.
const SuspectName = "journal.suspect"

func markPath(path string) string { return filepath.Join(filepath.Dir(path), SuspectName) }

// Suspect has the next Open verify everything, and fail if there is damage.
func Suspect(path string, why error) error {
	b, err := json.Marshal(map[string]string{"why": fmt.Sprint(why)})
	if err == nil {
		err = writeFile(markPath(path), append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("note that the journal is damaged: %w", err)
	}
	return nil
}

func suspected(path string) bool {
	_, err := os.Lstat(markPath(path))
	return err == nil || !errors.Is(err, os.ErrNotExist)
}
