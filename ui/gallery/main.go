// The command gallery shows every page with made-up states, so that designers
// and translators can see all screens without a kiosk:
//
//	go run ./ui/gallery              serve; /gallery lists the screens
//	go run ./ui/gallery -shots DIR   photograph them all with Chromium
package main

import (
	"flag"
	"fmt"
	"html"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"buka/ui"
	"buka/ui/lang"
	"buka/ui/login"
	"buka/ui/sample"
)

type gallery struct {
	passenger *sample.Passenger
	bench     *sample.Bench
	desk      *sample.Desk
	fleet     *sample.Fleet
	first     [2]*login.First // cashier, operator
	server    *ui.Server
}

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "where to listen")
	theme := flag.String("theme", "", "a theme folder to look at")
	shots := flag.String("shots", "", "photograph all pages into this folder and end")
	only := flag.String("only", "", "with -shots: only names that contain one of these, comma between")
	flag.Parse()
	if err := run(*addr, *theme, *shots, *only); err != nil {
		log.Fatal(err)
	}
}

func run(addr, theme, shots, only string) error {
	dir, err := os.MkdirTemp("", "gallery")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	g, err := newGallery(dir, theme)
	if err != nil {
		return err
	}
	defer g.server.Close()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	base := "http://" + ln.Addr().String()
	web := &http.Server{Handler: g.routes(), ReadHeaderTimeout: 5 * time.Second}
	if shots == "" {
		fmt.Println(base + "/gallery")
		for _, f := range g.first {
			fmt.Printf("%s: %s\n", f.Name, f.Password)
		}
		return web.Serve(ln)
	}
	go func() { _ = web.Serve(ln) }()
	defer web.Close()
	return g.photograph(base, shots, only)
}

func newGallery(dir, theme string) (*gallery, error) {
	g := &gallery{passenger: &sample.Passenger{}, bench: sample.NewBench(), desk: &sample.Desk{}, fleet: &sample.Fleet{}}
	g.passenger.Set(sample.Screens()[0].Screen)
	g.desk.Set(sample.DeskShots()["card"])
	g.fleet.Set(sample.FleetState())
	o := ui.Options{Passenger: g.passenger, Bench: g.bench, Desk: g.desk, Fleet: g.fleet, ThemeDir: theme, Kiosk: "K-0017", Place: "徐家汇站 2 号厅"}
	var err error
	if o.DeskLogin, g.first[0], err = login.Open(filepath.Join(dir, "cashier.json"), login.Options{Name: "cashier"}); err != nil {
		return nil, err
	}
	if o.FleetLogin, g.first[1], err = login.Open(filepath.Join(dir, "operator.json"), login.Options{Name: "operator"}); err != nil {
		return nil, err
	}
	g.server, err = ui.NewServer(o)
	return g, err
}

func (g *gallery) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", g.server)
	mux.HandleFunc("GET /gallery", func(w http.ResponseWriter, r *http.Request) {
		for _, s := range sample.Screens() {
			if s.Name == r.URL.Query().Get("screen") {
				s.Screen.Lang = lang.Known(r.URL.Query().Get("lang"))
				g.passenger.Set(s.Screen)
				http.Redirect(w, r, "/", http.StatusSeeOther)
				return
			}
		}
		if s, ok := sample.DeskShots()[r.URL.Query().Get("desk")]; ok {
			g.desk.Set(s)
			http.Redirect(w, r, "/cashier", http.StatusSeeOther)
			return
		}
		fmt.Fprint(w, `<!doctype html><meta charset="utf-8"><title>gallery</title><h1>Screens</h1><ul>`)
		for _, s := range sample.Screens() {
			name := html.EscapeString(s.Name)
			fmt.Fprintf(w, `<li>%s <a href="?screen=%s&lang=en">en</a> <a href="?screen=%s&lang=zh">zh</a>`, name, name, name)
		}
		fmt.Fprint(w, `</ul><h1>Desk</h1><ul>`)
		for name := range sample.DeskShots() {
			fmt.Fprintf(w, `<li><a href="?desk=%s">%s</a>`, html.EscapeString(name), html.EscapeString(name))
		}
		fmt.Fprint(w, `</ul><a href="/bench">bench</a> <a href="/operator">operator</a>`)
	})
	return mux
}
