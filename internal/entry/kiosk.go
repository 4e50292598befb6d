package entry

// EpochBegun is the first entry of a store. A restore from a backup begins a
// new epoch; the host tells the two apart by it.
type EpochBegun struct {
	Epoch Hex    `cbor:"1,keyasint" json:"epoch"` // 16 random bytes
	Kiosk string `cbor:"2,keyasint" json:"kiosk"`
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
}

// Checkpoint holds the canonical encoding of the state after the entry before
// it. A restart begins at the last one.
type Checkpoint struct {
	State []byte `cbor:"1,keyasint" json:"-"`
}

func (EpochBegun) Kind() Kind    { return KEpochBegun }
func (Started) Kind() Kind       { return KStarted }
func (SignedOn) Kind() Kind      { return KSignedOn }
func (STANsReserved) Kind() Kind { return KSTANsReserved }
func (CardObserved) Kind() Kind  { return KCardObserved }
func (StaffActed) Kind() Kind    { return KStaffActed }
func (Checkpoint) Kind() Kind    { return KCheckpoint }

func init() {
	register[EpochBegun]()
	register[Started]()
	register[SignedOn]()
	register[STANsReserved]()
	register[CardObserved]()
	register[StaffActed]()
	register[Checkpoint]()
}
