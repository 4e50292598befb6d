package config

import "fmt"

// Printer is the receipt printer. Without a port there is none, and the
// passenger is shown the slip as a code.
type Printer struct {
	Port    string `toml:"port"`
	Baud    int    `toml:"baud"`
	Mode    string `toml:"mode"`
	Columns int    `toml:"columns"`
	Charset string `toml:"charset"`
	QR      string `toml:"qr"`
	Cut     bool   `toml:"cut"`
}

func defaultPrinter() Printer {
	return Printer{Baud: 9600, Mode: "8N1", Columns: 48, Charset: "gb18030", QR: "command", Cut: true}
}

// checkPrinter finds the first value of [printer] that cannot work.
func (c *Config) checkPrinter() *Error {
	bad := func(key, what string, a ...any) *Error { return &Error{0, "printer." + key, fmt.Sprintf(what, a...)} }
	p := c.Printer
	switch {
	case p.Baud < 300 || p.Baud > 921600:
		return bad("baud", "%d: 300 to 921600 is wanted", p.Baud)
	case p.Mode != "8N1" && p.Mode != "7E1" && p.Mode != "7O1":
		return bad("mode", "%q: 8N1, 7E1 or 7O1 is wanted", p.Mode)
	case p.Mode != "8N1" && p.Charset == "gb18030":
		return bad("mode", "%q: Chinese characters want eight data bits, 8N1", p.Mode)
	case p.Columns < 16 || p.Columns > 64:
		return bad("columns", "%d: 16 to 64 is wanted: 48 on 80 mm paper, 32 on 58 mm", p.Columns)
	case p.Charset != "gb18030" && p.Charset != "ascii":
		return bad("charset", "%q: gb18030 or ascii is wanted", p.Charset)
	case p.QR != "command" && p.QR != "dots":
		return bad("qr", "%q: command or dots is wanted", p.QR)
	}
	return nil
}
