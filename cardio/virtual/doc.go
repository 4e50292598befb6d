// Package virtual is the card side of the protocols: programs that answer
// commands as a transit purse card or a bank card does, on a reader in memory
// or on vpcd behind a real pcscd. They are part of the product: demo,
// scenarios, tests and integrators' acceptance use the same ones.
//
// A purse card promises what a real one does: a load or purchase changes
// balance, counter, log and proof in one EEPROM commit, or nothing. What is
// committed survives reset, tearing and the end of the process (DirStore);
// everything else (selection, PIN, INITIALIZE) is lost with power. A card can
// be torn before or after any command.
//
// Nothing here knows the kiosk, and `kiosk run` starts nothing of it. The card
// files hold test keys' effects and test card numbers, never a real card's.
package virtual
