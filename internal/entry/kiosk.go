package entry

// EpochBegun is the first entry of a store. A restore from a backup begins a
// new epoch; the host tells the two apart by it.
type EpochBegun struct {
	Epoch Hex    `cbor:"1,keyasint" json:"epoch"` // 16 random bytes
	Kiosk string `cbor:"2,keyasint" json:"kiosk"`
}

// Restored: the journal that was here is put aside, and what comes before this
// entry was put back from a backup; or nothing was, and this is entry 2. A new
// epoch begins. Until the host has confirmed it, nothing that the entries
// before it leave open may be acted on: the card, the bank or the host may know
// more than they say.
type Restored struct {
	Epoch    Hex    `cbor:"1,keyasint" json:"epoch"`                   // from here on; 16 random bytes
	Was      Hex    `cbor:"2,keyasint,omitempty" json:"was,omitempty"` // epoch of the backup; empty: there was none to put back
	LastSeq  uint64 `cbor:"3,keyasint" json:"lastSeq"`                 // last entry of the backup; 0: none
	LastHash Hex    `cbor:"4,keyasint,omitempty" json:"lastHash,omitempty"`
	Backup   string `cbor:"5,keyasint,omitempty" json:"backup,omitempty"` // name of its file
	Aside    string `cbor:"6,keyasint,omitempty" json:"aside,omitempty"`  // name under which the damaged journal is kept; empty: it was gone
	Why      string `cbor:"7,keyasint" json:"why"`                        // what was found wrong
	Lost     bool   `cbor:"8,keyasint" json:"lost"`                       // entries after LastSeq may have been there
}

// Started: the service came up over this journal.
type Started struct {
	Version string `cbor:"1,keyasint" json:"version"`
}

// SignedOn: the host gave the open batch and its own clock.
type SignedOn struct {
	Batch    uint32 `cbor:"1,keyasint" json:"batch"`
	HostAtMS int64  `cbor:"2,keyasint" json:"hostAtMs"` // host clock, milliseconds since 1970 UTC
	OffsetMS int64  `cbor:"3,keyasint" json:"offsetMs"` // host clock minus ours
}

// STANsReserved: every STAN up to and with Until may be in use. A restart goes
// on behind it, so no STAN is used twice in a batch.
type STANsReserved struct {
	Until uint32 `cbor:"1,keyasint" json:"until"`
}

// CardObserved: what a card showed before a command that could wipe it.
type CardObserved struct {
	Card     Card        `cbor:"1,keyasint" json:"card"`
	Observed Observation `cbor:"2,keyasint" json:"observed"`
}

// StaffActed: a person did something at the desk or from afar.
type StaffActed struct {
	Who  string `cbor:"1,keyasint" json:"who"`
	Did  string `cbor:"2,keyasint" json:"did"`
	Sale SaleID `cbor:"3,keyasint,omitempty" json:"sale,omitempty"`

	// Decision that Who proposes; another person has to agree (Decided).
	Decision string `cbor:"4,keyasint,omitempty" json:"decision,omitempty"`
}

// Checkpoint holds the canonical encoding of the state after the entry before
// it. A restart begins at the last one.
type Checkpoint struct {
	State []byte `cbor:"1,keyasint" json:"-"`
}

func (EpochBegun) Kind() Kind       { return KEpochBegun }
func (Restored) Kind() Kind         { return KRestored }
func (RestoreConfirmed) Kind() Kind { return KRestoreConfirmed }
func (Started) Kind() Kind          { return KStarted }
func (SignedOn) Kind() Kind         { return KSignedOn }
func (STANsReserved) Kind() Kind    { return KSTANsReserved }
func (CardObserved) Kind() Kind     { return KCardObserved }
func (StaffActed) Kind() Kind       { return KStaffActed }
func (Checkpoint) Kind() Kind       { return KCheckpoint }

func init() {
	register[EpochBegun]()
	register[Restored]()
	register[RestoreConfirmed]()
	register[Started]()
	register[SignedOn]()
	register[STANsReserved]()
	register[CardObserved]()
	register[StaffActed]()
	register[Checkpoint]()
}
