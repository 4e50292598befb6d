// Package e2e drives the demo as people do: real Chromium on the real pages of
// a real demo, readers in memory. It holds tests only.
//
// A test presses what is on a page and nothing else. What it expects, it
// expects twice: of the page, and of the truth behind it, which is the EEPROM
// of the cards, the ledger of the bank and the journal. Only what has no button
// (the host dies; what a disk holds) is done and looked at from behind.
//
// browser_test.go is Chromium, page_test.go one of its tabs, world_test.go the
// demo and the people around it. The tests: topup_test.go a passenger,
// staff_test.go cashier and operator, secrets_test.go what must be found
// nowhere. With -shots DIR the tests leave photographs of the key moments.
package e2e
