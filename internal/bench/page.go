package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/gorilla/websocket"

	"buka/kiosk/lab"
	"buka/ui"
)

// presses measured for the page's latency, at most as fast as a page may press:
// a browser that sends more than thirty inputs a second is dropped.
const presses = 200

// pressing presses the language button so many times and gives, for each press
// in milliseconds, how long it took until the page had changed: press, websocket,
// service, engine, rendering, websocket, elements replaced. The browser's own
// clock measures; painting comes after.
const pressing = `(async () => {
	const root = document.documentElement, took = [];
	for (let i = 0; i < %d; i++) {
		const old = root.lang, at = performance.now();
		const changed = new Promise((done, late) => {
			const look = new MutationObserver(() => {
				const want = root.lang === "zh-CN" ? "English" : "中文";
				if (root.lang === old || document.getElementById("lang").textContent !== want) return;
				took.push(performance.now() - at);
				look.disconnect();
				done();
			});
			look.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
			setTimeout(() => late(new Error("press " + i + " changed nothing")), 10000);
		});
		document.getElementById("lang").click();
		await changed;
		await new Promise((next) => setTimeout(next, 110));
	}
	return took;
})()`

// echoing sends as many bytes as a frame has over a bare websocket of the same
// server and waits for them to come back: the floor.
const echoing = `(async () => {
	const socket = new WebSocket("ws://" + location.host + "/echo"), took = [];
	await new Promise((open, failed) => { socket.onopen = open; socket.onerror = failed; });
	const frame = "x".repeat(document.getElementById("app").innerHTML.length);
	for (let i = 0; i < %d; i++) {
		const at = performance.now();
		const back = new Promise((got) => { socket.onmessage = got; });
		socket.send(frame);
		await back;
		took.push(performance.now() - at);
		await new Promise((next) => setTimeout(next, 110));
	}
	socket.close();
	return took;
})()`

// page measures a UI event to the browser, in real headless Chromium.
func page(ctx context.Context, dir string) (err error) {
	w, err := lab.Open(ctx, lab.Options{Dir: filepath.Join(dir, "page"), Reader: "memory", Version: "bench"})
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.PowerOn(); err != nil {
		return err
	}
	pages, err := ui.NewServer(ui.Options{Passenger: w.Passenger(), Kiosk: "K0001"})
	if err != nil {
		return err
	}
	defer pages.Close()
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	mux.HandleFunc("GET /echo", echo)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = web.Serve(ln) }()
	defer func() { err = errors.Join(err, web.Close()) }()

	profile, err := os.MkdirTemp(dir, "chromium")
	if err != nil {
		return err
	}
	ctx, stop := chromedp.NewExecAllocator(ctx, chromedp.UserDataDir(profile), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true))
	defer stop()
	ctx, end := chromedp.NewContext(ctx)
	defer end()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1080, 1920), chromedp.Navigate("http://"+ln.Addr().String()+"/"),
		chromedp.WaitReady(`html[data-link="up"]`)); err != nil {
		return fmt.Errorf("chromium (make deps installs it): %w", err)
	}
	floor, err := measured(ctx, echoing)
	if err != nil {
		return fmt.Errorf("the floor of the page's latency: %w", err)
	}
	ours, err := measured(ctx, pressing)
	if err != nil {
		return fmt.Errorf("the page's latency: %w", err)
	}
	p99, bare := at(ours, 99), at(floor, 99)
	fmt.Printf("%-34s %-12s %.2f × floor (a bare websocket echo of as many bytes in the same browser, p99 %s), p50 %s, bound 50ms: %v\n",
		"a UI event to the browser, p99", p99.Round(100*time.Microsecond), float64(p99)/float64(bare), bare.Round(100*time.Microsecond),
		at(ours, 50).Round(100*time.Microsecond), p99 <= 50*time.Millisecond)
	return nil
}

// measured runs one of the loops in the browser; the first tenth is warming up.
func measured(ctx context.Context, loop string) ([]time.Duration, error) {
	took, err := chromedp.Run(ctx, chromedp.Evaluate[[]float64](fmt.Sprintf(loop, presses), chromedp.EvalAwaitPromise))
	if err != nil {
		return nil, err
	}
	if len(took) != presses {
		return nil, fmt.Errorf("%d of %d", len(took), presses)
	}
	var list []time.Duration
	for _, ms := range took[presses/10:] {
		list = append(list, time.Duration(ms*float64(time.Millisecond)))
	}
	return list, nil
}

// echo sends back what it is sent.
func echo(w http.ResponseWriter, r *http.Request) {
	c, err := (&websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 8192}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	c.SetReadLimit(1 << 20)
	for {
		kind, data, err := c.ReadMessage()
		if err != nil || c.WriteMessage(kind, data) != nil {
			return
		}
	}
}
