// Package host is the reference host as a library: a bank that holds accounts,
// checks the cryptograms of its cards and online PINs, and settles the batches of
// terminals; and a load authority that holds an issuer's master keys; behind the
// switch link, over one SQLite database.
//
// It promises that an answer leaves only after the transaction that it reports
// is committed and synced (WAL, synchronous FULL). A request that is repeated
// under its key (merchant, terminal, batch, STAN, message class) with the same
// content gets the same answer; with other content it is refused with 94. A
// payment moves money once, a reversal gives it back once, and a reversal that
// comes before its payment makes the payment fail when it comes. A load is
// authorised only for a sale whose payment stands, and every authorisation ever
// given stays in the slot ledger. A chip's transaction counter serves once. What
// is in a batch that both sides have counted never changes: money of it goes back
// by a refund, in a later one.
//
// It never keeps a PAN, a PIN or a PIN block: accounts are found by a keyed hash
// whose key lies in a file beside the database. Cards' keys are derived when
// they are needed, and working keys of terminals rest under their master keys.
//
// Whatever was answered survives a crash at any instant; what was not answered
// may or may not have been committed, and a repeat tells.
//
// It is a reference: keys lie in memory, not in an HSM, and one process serves
// one database.
package host
