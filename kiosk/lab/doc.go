// Package lab is a whole small world in one process: a station, the reference
// host, and the virtual devices around them. Demo, scenarios and tests use it;
// `kiosk run` never starts it.
//
// The station in it is the real one, with its journal on disk and its links
// over TCP. Cards keep their EEPROM, the PIN pad its counter and the host its
// database in the data directory; they survive a power cut of the kiosk, which
// loses everything that was not fsynced.
package lab
