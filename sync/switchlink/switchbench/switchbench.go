// Package switchbench measures the switch link beside the codec that it is built
// on, for make bench. It opens ports on the loopback interface only and keeps
// nothing.
package switchbench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moov-io/iso8583"

	"buka/internal/entry"
	"buka/internal/mac"
	"buka/internal/pin"
	"buka/sync/switchlink"
)

// callers ask at the same time, so that what is measured is work and not waiting.
const callers = 8

// answering approves every payment.
type answering struct{}

func (answering) Handle(_ context.Context, r *switchlink.Request) (switchlink.Response, bool) {
	return approval(r), true
}

func approval(r *switchlink.Request) switchlink.Response {
	return switchlink.Response{Code: "00", At: time.Unix(1_760_000_000, 0), Amount: r.Amount, Batch: r.Batch, RRN: "260115000001", Auth: "000017",
		ICC: []byte{0x91, 10, 1, 2, 3, 4, 5, 6, 7, 8, '0', '0'}}
}

// Messages sends n payments with a PIN block and chip data over a loopback
// connection, answers them, and makes and checks all MACs (UnionPay's algorithm,
// double-length key), everything on one core: ours. bare is what the codec alone
// takes to pack and unpack the same 2 n messages, on the same core.
func Messages(n int) (ours, bare time.Duration, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	keys, err := ring()
	if err != nil {
		return 0, 0, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	server := switchlink.NewServer(switchlink.ServerConfig{Handler: answering{},
		MAC: func(context.Context, string, string) (switchlink.Authenticator, error) { return keys, nil }})
	go server.Serve(ln)
	defer server.Close()
	client, err := switchlink.New(switchlink.Config{Addr: ln.Addr().String(), TerminalID: terminal, MerchantID: merchant, Keys: keys})
	if err != nil {
		return 0, 0, err
	}
	defer client.Close()
	if err := pay(client, callers); err != nil { // the connection stands
		return 0, 0, err
	}
	start := time.Now()
	if err := pay(client, n); err != nil {
		return 0, 0, err
	}
	ours = time.Since(start)
	bare, err = codec(n)
	return ours, bare, err
}

const (
	terminal = "BUKA0001"
	merchant = "BUKAMERCHANT001"
)

func ring() (*switchlink.Ring, error) {
	master, err := pin.ParseSecretKey(pin.TDES2, "0123456789ABCDEFFEDCBA9876543210") // published test keys
	if err != nil {
		return nil, err
	}
	working, err := pin.ParseSecretKey(pin.TDES2, "807A23AD32B36D457AE91FDF927570EA")
	if err != nil {
		return nil, err
	}
	keys := switchlink.NewRing(mac.UnionPayECB, master)
	_, err = keys.Issue(working, working, nil)
	return keys, err
}

// pay sends n payments from all callers.
func pay(client *switchlink.Client, n int) error {
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make([]error, callers)
	for i := range callers {
		all.Go(func() {
			for {
				stan := next.Add(1)
				if stan > int64(n) || errs[i] != nil {
					return
				}
				p, err := payment(uint32(stan % switchlink.MaxSTAN))
				if err != nil {
					errs[i] = err
					return
				}
				paid, err := client.Pay(context.Background(), p)
				if err == nil && paid.Code != "00" {
					err = fmt.Errorf("code %s", paid.Code)
				}
				errs[i] = err
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func payment(stan uint32) (switchlink.Payment, error) {
	p, err := pin.NewSealed(pin.TDESDUKPT, pin.Format0)
	if err != nil {
		return switchlink.Payment{}, err
	}
	copy(p.Bytes(), []byte{0x1B, 0x9C, 0x18, 0x45, 0xEB, 0x99, 0x3A, 0x7A})
	return switchlink.Payment{STAN: stan, Batch: 7, Sale: "ABCDEFGH01234567", Card: entry.Card{Family: "tunion", Number: "3105170010170907984"},
		Slot: 2, Amount: 5000, PAN: "6225880000000001", Expiry: "3012", Track2: "6225880000000001D30122010000012300000", PSN: "001", PIN: p,
		ICC: make([]byte, 180)}, nil
}

// codec packs and unpacks the same messages with the codec alone.
func codec(n int) (time.Duration, error) {
	spec := switchlink.UnionPay()
	p, err := payment(1)
	if err != nil {
		return 0, err
	}
	r := &switchlink.Request{Kind: switchlink.KindPay, Terminal: terminal, Merchant: merchant, STAN: p.STAN, Batch: p.Batch, Sale: p.Sale,
		Card: p.Card, Slot: p.Slot, Amount: p.Amount, PAN: p.PAN, Expiry: p.Expiry, Track2: p.Track2, PSN: p.PSN, EntryMode: "051", PIN: p.PIN, ICC: p.ICC}
	var wire [2][]byte
	for i, encode := range []func() (*switchlink.Message, error){
		func() (*switchlink.Message, error) { return spec.EncodeRequest(r) },
		func() (*switchlink.Message, error) { return spec.EncodeResponse(r, approval(r)) },
	} {
		m, err := encode()
		if err != nil {
			return 0, err
		}
		if wire[i], err = m.Pack(); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	for range n {
		for _, b := range wire {
			m := iso8583.NewMessage(spec.Codec())
			if err := m.Unpack(b); err != nil {
				return 0, errors.New("the codec refuses the message")
			}
			if _, err := m.Pack(); err != nil {
				return 0, errors.New("the codec does not pack the message")
			}
		}
	}
	return time.Since(start), nil
}
