package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"buka/internal/money"
	"buka/ui"
	"buka/ui/lang"
	"buka/ui/sample"
)

// browser is Chromium on a gallery.
type browser struct {
	t   *testing.T
	ctx context.Context
	g   *gallery
	web *http.Server
}

func newBrowser(t *testing.T) (b *browser, addr string) {
	t.Helper()
	g, err := newGallery(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b = &browser{t: t, g: g, web: &http.Server{Handler: g.routes()}}
	go func() { _ = b.web.Serve(ln) }()
	ctx, stop := chromedp.NewExecAllocator(context.Background(), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-background-networking", true))
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(func() { end(); stop(); b.g.server.Close(); b.web.Close() })
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1080, 1920)); err != nil {
		t.Fatalf("no Chromium: %v", err)
	}
	b.ctx = ctx
	return b, ln.Addr().String()
}

func (b *browser) do(steps ...step) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 60*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// until waits until an expression is true in the page.
func (b *browser) until(expression string) {
	b.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err == nil && ok {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("never: %s (%v)", expression, err)
		}
	}
}

func (b *browser) pressed(do, value string) {
	b.t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for _, in := range b.g.passenger.Inputs() {
			if in.Do == do && in.Value == value {
				return
			}
		}
	}
	b.t.Fatalf("%s %q never arrived: %+v", do, value, b.g.passenger.Inputs())
}

func shot(name string) ui.Screen {
	for _, s := range sample.Screens() {
		if s.Name == name {
			return s.Screen
		}
	}
	panic(name)
}

const up = `document.documentElement.dataset.link === "up"`

func TestInChromium(t *testing.T) {
	b, addr := newBrowser(t)
	s := shot("amount")
	s.Lang = "en"
	b.g.passenger.Set(s)
	b.do(chromedp.Navigate("http://" + addr + "/"))
	b.until(up)

	// The focus survives a change of what is around it.
	b.do(chromedp.Focus("#stop"))
	more := money.Fen(99900)
	s.Balance = &more
	b.g.passenger.Set(s)
	b.until(`document.getElementById("balance").textContent.includes("999.00") && document.activeElement.id === "stop"`)

	b.do(chromedp.Click("#choose-5000"))
	b.pressed(ui.DoChoose, "5000")
	b.do(chromedp.Click("#lang"))
	b.until(`document.documentElement.lang === "zh-CN" && document.getElementById("title").textContent === "请选择充值金额"`)
	b.until(`document.getElementById("live").textContent.includes("请选择充值金额")`)

	// Tactile keys: arrows walk over the buttons, Escape stops.
	b.do(chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`), chromedp.KeyEvent(kb.ArrowDown))
	b.until(`document.activeElement.id === "choose-2000"`)
	b.do(chromedp.KeyEvent(kb.ArrowRight))
	b.until(`document.activeElement.id === "choose-3000"`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.pressed(ui.DoStop, "")

	// The question for more time takes the focus and counts down.
	s.Warn, s.CanMoreTime, s.CountdownMS, s.Rev = true, true, 20000, s.Rev+1
	b.g.passenger.Set(s)
	b.until(`document.activeElement.id === "more-time" && document.getElementById("main").inert && Number(document.querySelector("[data-countdown]").textContent) < 20`)
	b.do(chromedp.Click("#more-time"))
	b.pressed(ui.DoMoreTime, "")
	s.Warn, s.CountdownMS, s.Rev = false, 0, s.Rev+1
	b.g.passenger.Set(s)
	b.until(`!document.getElementById("main").inert`)
	b.until(`getComputedStyle(document.getElementById("down")).display === "none"`)

	// The service goes away: the page says so in both languages and nothing
	// can be pressed. It comes back by itself.
	b.web.Close()
	b.g.server.Close()
	b.until(`document.documentElement.dataset.link === "down"`)
	b.until(`getComputedStyle(document.getElementById("down")).opacity > 0.9`)
	words, err := chromedp.Run(b.ctx, chromedp.TextContent("#down"))
	if err != nil || !strings.Contains(words, "One moment") || !strings.Contains(words, "请稍候") {
		t.Error(words, err)
	}
	b.until(`document.elementFromPoint(540, 1400).closest("#down")`)

	again, err := newGallery(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	idle := shot("idle")
	idle.Lang = "en"
	again.passenger.Set(idle)
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	b.g, b.web = again, &http.Server{Handler: again.routes()}
	go func() { _ = b.web.Serve(ln) }()
	b.until(up + ` && document.getElementById("title").textContent === "Hold your card here"`)
}

// Every button that a passenger may press is at least 20 mm (76 px) high and
// wide, is on the page, and no text is smaller than 26 px.
func TestTargetsAndTextSizes(t *testing.T) {
	b, addr := newBrowser(t)
	b.g.passenger.Set(shot("idle"))
	b.do(chromedp.Navigate("http://" + addr + "/"))
	b.until(up)
	const look = `(() => {
	  const bad = [];
	  for (const e of document.querySelectorAll("button")) {
	    const r = e.getBoundingClientRect();
	    if (r.width < 76 || r.height < 76) bad.push(e.id + " is " + r.width + " by " + r.height);
	    if (r.left < 0 || r.top < 0 || r.right > innerWidth + 1 || r.bottom > innerHeight + 1) bad.push(e.id + " is outside");
	  }
	  const texts = document.createTreeWalker(document.getElementById("app"), NodeFilter.SHOW_TEXT);
	  while (texts.nextNode()) {
	    const e = texts.currentNode.parentElement;
	    if (!texts.currentNode.textContent.trim() || e.closest("svg, .unseen")) continue;
	    const size = parseFloat(getComputedStyle(e).fontSize);
	    if (size < 26) bad.push("'" + texts.currentNode.textContent.trim() + "' is " + size);
	  }
	  const side = document.querySelector(".side");
	  if (side && side.scrollHeight > side.clientHeight + 2) bad.push("words are hidden: " + side.scrollHeight + " in " + side.clientHeight);
	  const strip = document.querySelector(".strip, .claim");
	  if (strip && strip.getBoundingClientRect().bottom > document.getElementById("foot").getBoundingClientRect().top) bad.push("the claim number is hidden");
	  if (document.documentElement.scrollWidth > innerWidth) bad.push("the page is too wide");
	  return bad.join("; ");
	})()`
	for _, window := range []size{upright, laptop, {"small", 1280, 800}} {
		b.do(chromedp.EmulateViewport(window.w, window.h))
		rev := uint64(1000)
		for _, s := range sample.Screens() {
			if window.name == "small" && !strings.HasPrefix(s.Name, "back-") && !strings.HasPrefix(s.Name, "amount-no") {
				continue // those with the most words are enough
			}
			for _, code := range []string{"en", "zh"} {
				rev++
				s.Screen.Rev, s.Screen.Lang = rev, code
				b.g.passenger.Set(s.Screen)
				b.until(fmt.Sprintf(`document.documentElement.dataset.rev === "%d"`, rev))
				bad, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](look))
				if err != nil || bad != "" {
					t.Errorf("%s %s %s: %s %v", s.Name, code, window.name, bad, err)
				}
			}
		}
	}
}

// The hotline is whole wherever it is shown, with high contrast too; the page fills
// its window, and a large one with larger words.
func TestTheHotlineIsWhole(t *testing.T) {
	b, addr := newBrowser(t)
	s := shot("idle")
	rev := uint64(1)
	b.g.passenger.Set(s)
	b.do(chromedp.Navigate("http://" + addr + "/"))
	b.until(up)
	for _, contrast := range []bool{false, true} {
		if contrast {
			b.do(chromedp.Click("#contrast"))
			b.until(`document.documentElement.dataset.contrast === "high"`)
		}
		for _, window := range []size{{"small", 1280, 800}, laptop, {"large", 1920, 1080}, upright} {
			b.do(chromedp.EmulateViewport(window.w, window.h))
			for _, code := range lang.Codes() {
				rev++
				s.Rev, s.Lang = rev, code
				b.g.passenger.Set(s)
				b.until(fmt.Sprintf(`document.documentElement.dataset.rev === "%d"`, rev))
				cut, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`(() => {
				  const e = document.querySelector(".where > span"), r = e.getBoundingClientRect();
				  const end = document.getElementById("foot").getBoundingClientRect().bottom;
				  if (Math.abs(end - innerHeight) > 2) return "the page ends at " + end + " of " + innerHeight;
				  if (innerWidth > 1900 && document.querySelector(".where").getBoundingClientRect().height < 2 * 26 * 1.2) return "small words on a large screen";
				  return r.width && e.scrollWidth <= e.clientWidth && r.right <= innerWidth && r.left > document.getElementById("help").getBoundingClientRect().right - 1 ||
				    r.top > document.getElementById("help").getBoundingClientRect().bottom - 1 ? "" : e.scrollWidth + " in " + e.clientWidth + " at " + r.left;
				})()`))
				if err != nil || cut != "" {
					t.Errorf("%d %s, high contrast %v: %s %v", window.w, code, contrast, cut, err)
				}
			}
		}
	}
}

// The words of staff's buttons keep clear of the edge, and no page is wider than
// its window.
func TestStaffPagesFitTheirWindows(t *testing.T) {
	b, addr := newBrowser(t)
	base := "http://" + addr
	b.do(signIn(base, "cashier", b.g.first[0]))
	b.do(signIn(base, "operator", b.g.first[1]))
	const look = `(() => {
	  const bad = [];
	  if (document.documentElement.scrollWidth > innerWidth) bad.push("the page is " + document.documentElement.scrollWidth + " wide");
	  for (const e of document.querySelectorAll("button")) {
	    const box = e.getBoundingClientRect(), words = document.createRange();
	    words.selectNodeContents(e);
	    const said = words.getBoundingClientRect();
	    if (said.width && Math.min(said.left - box.left, box.right - said.right) < 9) bad.push(e.id + ": its words end " + Math.round(box.right - said.right) + " from the edge");
	  }
	  return bad.join("; ");
	})()`
	b.g.desk.Set(sample.DeskShots()["open"])
	fleet := sample.FleetState()
	fleet.Kiosks[0].LastSeen = time.Now().Add(time.Hour) // less than a second ago, for as long as the test looks
	b.g.fleet.Set(fleet)
	b.do(chromedp.Navigate(base + "/operator?lang=zh"))
	b.until(up)
	b.until(`document.querySelector("#kiosk-K-0017 time").textContent === "0 秒"`)
	for _, window := range []size{{"small", 1280, 800}, laptop, desk, {"large", 1920, 1080}} {
		b.do(chromedp.EmulateViewport(window.w, window.h))
		for _, page := range []string{"/bench", "/cashier", "/operator", "/operator?kiosk=K-0018"} {
			for _, code := range lang.Codes() {
				join := "?"
				if strings.Contains(page, "?") {
					join = "&"
				}
				b.do(chromedp.Navigate(base + page + join + "lang=" + code))
				b.until(up)
				bad, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](look))
				if err != nil || bad != "" {
					t.Errorf("%s %s %d: %s %v", page, code, window.w, bad, err)
				}
			}
		}
	}
}
