// Package virtualprinter is a receipt printer with a pty for a line. It reads
// ESC/POS as its makers publish it, written for itself: it shares no code with
// the driver. Of each slip that it cuts it keeps a picture and the text.
//
// It promises to behave as a thermal printer does: it answers questions at once
// even while it cannot print, keeps what it cannot print yet, tells a sender
// that is too fast to wait, loses power and memory when it is unplugged, and
// what is on the paper stays there until it is cut off. `kiosk run` never
// starts it.
//
// The pictures survive in its folder; everything else is gone with the process.
//
// printer.go is the owner, arrive.go what a byte does before it is its turn,
// command.go the commands, paper.go what is on the paper, picture.go how that
// looks, keep.go the slips in the folder.
package virtualprinter
