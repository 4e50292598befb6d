package login

import (
	"fmt"
	"io"
)

// PrintFirst shows a first password on the console of whoever started the
// program: once, and nowhere else.
func PrintFirst(out io.Writer, page string, f *First) {
	if f != nil {
		fmt.Fprintf(out, "First login of the %s page, shown only now: name %s, password %s\n", page, f.Name, f.Password)
	}
}
