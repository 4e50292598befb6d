package answers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// place is where a value of a JSON object is, by the keys that lead to it, as line
// and column, both from 1 and in bytes; if the last key is not there, where the
// object is in which it should be. Keys are compared as encoding/json does.
func place(file []byte, keys ...string) string {
	at := 0
	for rest := file; len(keys) > 0; keys = keys[1:] {
		from, ok := member(rest, keys[0])
		if !ok {
			break
		}
		at += from
		rest = rest[from:]
	}
	before := file[:at]
	return fmt.Sprintf("line %d, column %d", 1+bytes.Count(before, []byte("\n")), at-bytes.LastIndexByte(before, '\n'))
}

// member gives where the value of a key of the first object in a text begins; the
// last one, if the key is there twice.
func member(text []byte, key string) (from int, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return 0, false
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			break
		}
		begin := int(dec.InputOffset())
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			break
		}
		if s, is := name.(string); is && strings.EqualFold(s, key) {
			from, ok = begin+len(text[begin:])-len(bytes.TrimLeft(text[begin:], ": \t\r\n")), true
		}
	}
	return from, ok
}
