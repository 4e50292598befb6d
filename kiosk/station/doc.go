// Package station is the kiosk's service as a library: the composition root
// that gives the sale (topup) its readers, its PIN pad, its links, its journal
// and its pages.
//
// It decides nothing about money: the core does, and here its commands are
// carried out and their outcomes brought back. Each device and link has one
// owner goroutine and a bounded queue; every wait has a deadline. What cannot
// be reached is said on the pages and tried again for ever.
//
// Nothing here survives a crash but what the journal holds. The means of
// payment (card data, PIN block) is in memory only, for one payment, and is
// overwritten after it; so are working keys, until the next sign-on. What a chip
// adds to a reversal and the results of issuer scripts are in memory too: a crash
// forgets them, and no money depends on them.
package station
