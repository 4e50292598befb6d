// Package login lets staff in.
package login

// Gate keeps a page behind a name and a password.
type Gate struct{}
