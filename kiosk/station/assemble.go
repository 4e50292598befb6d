package station

import (
	"encoding/hex"
	"fmt"
	"time"

	"buka/cardio/emv"
	"buka/cardio/pboc"
	"buka/cardio/purse"
	"buka/cardio/reader"
	"buka/internal/entry"
	"buka/internal/money"
	"buka/internal/pin"
	"buka/kiosk/device"
	"buka/kiosk/risk"
	"buka/sync/fleetlink"
	"buka/topup"
)

func (s *Station) rules() topup.Rules {
	r := topup.DefaultRules()
	r.Version = s.parts.Version
	r.Choices = nil
	for _, a := range s.cfg.Sale.Amounts {
		r.Choices = append(r.Choices, money.Fen(a))
	}
	r.MaxBalance = money.Fen(s.cfg.Purse.MaxBalance)
	r.OfferMS = time.Duration(s.cfg.Sale.Offer).Milliseconds()
	r.IdleMS = time.Duration(s.cfg.Sale.Idle).Milliseconds()
	r.WarnMS = time.Duration(s.cfg.Sale.Warn).Milliseconds()
	r.PINs = s.cfg.Sale.PINs
	r.HandOverMS = time.Duration(s.cfg.Sale.HandOver).Milliseconds()
	r.PatienceMS = time.Duration(s.cfg.Sale.Patience).Milliseconds()
	r.Terminal = s.cfg.Switch.Merchant + "/" + s.cfg.Switch.Terminal
	return r
}

func (s *Station) assembleLinks(epoch string) error {
	c := s.cfg
	if err := s.openLinks(); err != nil {
		return err
	}
	s.hosts = newHosts(s.links, s.post, s.parts.Clock, s.log)
	s.hosts.answers = s.core.Answers
	s.hosts.terminal, s.hosts.journal = s.core.Rules.Terminal, s.journal
	if c.Fleet.URL == "" {
		return nil
	}
	id, err := hex.DecodeString(epoch)
	if err != nil {
		return fmt.Errorf("epoch: %w", err)
	}
	s.fleet, err = fleetlink.New(fleetlink.Config{
		URL: c.Fleet.URL, Kiosk: c.Kiosk, Epoch: id, Password: c.Fleet.Password, Dial: s.parts.DialFleet,
		Status: s.heartbeat, OnRewrites: s.rewritesKnown, OnState: func(fleetlink.State) { s.faces.tell() }, Log: s.log,
		HeartbeatEvery: time.Duration(c.Fleet.Heartbeat), RequestTimeout: min(5*time.Second, time.Duration(c.Switch.Timeout)),
	}, s.journal.Store)
	if err != nil {
		return fmt.Errorf("fleet link: %w", err)
	}
	s.hosts.keeper = s.fleet
	return nil
}

func (s *Station) assembleCards() error {
	c := s.cfg
	rules := map[reader.Role]string{reader.Transit: c.Readers.Transit, reader.Bank: c.Readers.Bank}
	if c.Readers.Desk != "" {
		rules[reader.Desk] = c.Readers.Desk
	}
	roles, err := reader.NewRoles(rules)
	if err != nil {
		return err
	}
	terminal, err := hex.DecodeString(c.Purse.Terminal)
	if err != nil {
		return fmt.Errorf("purse.terminal: %w", err)
	}
	family, err := s.family()
	if err != nil {
		return err
	}
	keys, err := caKeysOf(c.BankCard.CAKeys)
	if err != nil {
		return err
	}
	source := s.parts.Readers
	s.watch = &watch{source: source, roles: roles, desk: c.Readers.Desk != "", post: s.post, present: make(chan struct{}, 1), log: s.log, broken: map[topup.Place]time.Time{}}
	s.places = map[topup.Place]*cards{}
	for place, role := range map[topup.Place]reader.Role{topup.Front: reader.Transit, topup.Desk: reader.Desk} {
		s.places[place] = &cards{
			place: place, source: source, find: cardIn(source, roles, role), families: []purse.Family{family}, auth: s.hosts,
			terminal: terminal, now: s.now, post: s.post, lost: s.watch.lost, log: s.log, queue: make(chan topup.Command, cardQueue),
		}
	}
	s.post(topup.DeviceChanged{Name: "pinpad", Why: padStateOf("")}) // no payment before it has said that it is there
	s.pad = device.New(device.Config{
		Port: c.PINPad.Port, Baud: c.PINPad.Baud, Mode: c.PINPad.Mode, KeySlot: c.PINPad.KeySlot,
		Scheme: c.PINPad.Keys, Format: pin.Format(c.PINPad.Format), Packet: device.Packet(c.PINPad.Packet), Serial: c.PINPad.Serial,
		EntryTimeout: time.Duration(c.PINPad.EntryTimeout), Logger: s.log,
		OnState: func(ok bool, what string, _ time.Time) {
			s.log.Info("PIN pad", "ok", ok, "what", what)
			s.post(topup.DeviceChanged{Name: "pinpad", OK: ok, Why: padStateOf(what)})
		},
	})
	card := &bankCard{
		slot: &bankSlot{source: source, find: cardIn(source, roles, reader.Bank), present: s.watch.present},
		pad:  s.pad, link: s.hosts, judge: s.risk.judge, changed: s.faces.tell, log: s.log,
		terminal: func(c topup.TakeTender) emv.Terminal { return s.terminal(c, keys) },
	}
	if c.PINPad.Keys == pin.MasterSession {
		card.pinKey, card.wantKeys = s.hosts.pinKey, func() { go s.post(topup.SignOnAsked{}) }
	}
	s.till = newTill(card, s.post)
	s.hosts.tender = card
	return nil
}

// terminal is what a bank card is told about this kiosk.
func (s *Station) terminal(c topup.TakeTender, keys *emv.CATable) emv.Terminal {
	state, _ := s.engine.State()
	return emv.Terminal{
		Amount: c.Amount, Now: s.now().Local(), Serial: s.cfg.Switch.Terminal, Count: uint32(state.Durable.Opened),
		NoCVM: money.Fen(s.cfg.BankCard.NoPIN), NoDevice: !s.cfg.BankCard.DeviceCVM, Keys: keys,
	}
}

// assembleRisk compiles the operator's rules; a bad one stops the start.
func (s *Station) assembleRisk() error {
	set, err := risk.Compile(s.cfg.Risk.Rules)
	if err != nil {
		return err
	}
	s.risk = &riskJudge{
		rules: set, journal: s.journal, post: s.post, log: s.log, now: func() time.Time { return s.now().Local() },
		sale:   func(id entry.SaleID) topup.Sale { state, _ := s.engine.State(); return state.Durable.Sales[id] },
		filled: make(chan struct{}), open: map[entry.SaleID]payer{},
	}
	return nil
}

func (s *Station) family() (purse.Family, error) {
	cfg := pboc.Config{Limit: money.Fen(s.cfg.Purse.MaxBalance), NotSent: reader.NotSent}
	if len(s.cfg.Purse.Issuers) > 0 {
		cfg.Issuers = s.cfg.Purse.Issuers
	}
	for _, digits := range s.cfg.Purse.PINs {
		p, err := pboc.ParsePIN(0, digits)
		if err != nil {
			return nil, fmt.Errorf("purse.pins: %w", err)
		}
		cfg.PINs = append(cfg.PINs, p)
	}
	return pboc.New(cfg)
}
