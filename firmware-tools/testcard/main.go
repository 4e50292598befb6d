// The command testcard lays a virtual transit card on a vpcd reader, for
// integrators who try a kiosk, or their own software, without a real card. Its
// keys are derived from the published test keys, or from masters given in hex;
// what it derives it prints, so never give it the keys of real cards.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"buka/cardio/virtual"
	"buka/internal/money"
	"buka/internal/pboc"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "testcard:", err)
		os.Exit(1)
	}
}

func run() error {
	number := flag.String("number", "3105170010170907984", "card number, 19 digits")
	balance := flag.String("balance", "28.50", "in yuan, of a new card")
	load := flag.String("load", "", "master load key, 32 hex digits; empty: the published test key")
	tac := flag.String("tac", "", "master TAC key, 32 hex digits; empty: the published test key")
	vpcd := flag.String("vpcd", "127.0.0.1:35963", "address of the vpcd slot")
	dir := flag.String("data", "", "directory of the card's EEPROM; empty: it is forgotten at the end")
	keysOnly := flag.Bool("keys", false, "print the card's keys and end")
	flag.Parse()

	o := virtual.PurseOptions{Number: *number}
	var err error
	if o.Balance, err = money.Parse(*balance); err != nil {
		return err
	}
	o.LoadMaster, _, o.TACMaster = virtual.DefaultKeys()
	for _, k := range []struct {
		text string
		to   *pboc.Key
	}{{*load, &o.LoadMaster}, {*tac, &o.TACMaster}} {
		if k.text == "" {
			continue
		}
		if *k.to, err = pboc.ParseKey(k.text); err != nil {
			return err
		}
	}
	asn, err := pboc.ParseASN("0" + *number)
	if err != nil {
		return err
	}
	dlk, dtk := o.LoadMaster.Diversify(asn.X()), o.TACMaster.Diversify(asn.X())
	fmt.Printf("card %s\nload key %X\nTAC key  %X\n", *number, [16]byte(dlk), [16]byte(dtk))
	if *keysOnly {
		return nil
	}
	var store virtual.Store = virtual.NewMemoryStore()
	if *dir != "" {
		if store, err = virtual.NewDirStore(*dir); err != nil {
			return err
		}
	}
	card, err := virtual.NewPurse(o, store)
	if err != nil {
		return err
	}
	slot := virtual.NewVPCD(*vpcd)
	if err := slot.Insert(card); err != nil {
		return err
	}
	defer slot.Remove()
	fmt.Printf("on the reader at %s with %s; Ctrl-C takes it away\n", *vpcd, card.Balance())
	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt, syscall.SIGTERM)
	<-end
	fmt.Printf("taken away with %s\n", card.Balance())
	return nil
}
