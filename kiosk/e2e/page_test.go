package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// patience bounds every wait. It is long because a machine may be busy; a test
// that holds waits as long as it must and no longer.
const (
	patience = 90 * time.Second
	glance   = 15 * time.Millisecond // between two looks
)

// size is a window, in CSS pixels.
type size struct {
	name string
	w, h int
}

var (
	upright = size{"upright", 1080, 1920}
	laptop  = size{"laptop", 1366, 768}
)

// page is one tab that somebody looks at.
type page struct {
	t    *testing.T
	ctx  context.Context
	name string
}

// remember keeps every screen that was shown, however short, with its title.
const remember = `(() => {
	const look = () => {
		const root = document.documentElement, h1 = document.getElementById("title");
		const now = (root.dataset.screen || "") + "|" + (h1 ? h1.textContent : "");
		const seen = (window.seenScreens ||= []);
		if (seen[seen.length - 1] !== now) seen.push(now);
	};
	window.lookNow = look;
	document.addEventListener("pointerup", (e) => { window.hit = e.target; }, true);
	new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-screen"] });
})()`

// profile is a browser of one's own: cookies are not shared with other tests.
func profile(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser(t), chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// tab opens an address in a window of its own, so that it is never in the
// background. frames, if not nil, is given the websocket traffic.
func tab(t *testing.T, profile context.Context, name, url string, s size, frames *traffic) *page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(profile, chromedp.WithNewWindow(true))
	t.Cleanup(cancel)
	p := &page{t: t, ctx: ctx, name: name}
	if frames != nil {
		if err := chromedp.Listen(ctx, frames.event); err != nil {
			t.Fatal(err)
		}
		p.call(func(ctx context.Context) error {
			_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
			return err
		})
	}
	p.call(func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, cdpage.AddScriptToEvaluateOnNewDocument, cdpage.AddScriptToEvaluateOnNewDocumentParams{Source: remember})
		return err
	})
	p.resize(s)
	p.visit(url)
	return p
}

func (p *page) call(f func(context.Context) error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := f(ctx); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

func (p *page) resize(s size) {
	p.t.Helper()
	p.call(func(ctx context.Context) error {
		return chromedp.Do(ctx, chromedp.EmulateViewport(int64(s.w), int64(s.h)))
	})
}

// visit opens an address and waits for the page to be live, if it is one that
// lives.
func (p *page) visit(url string) {
	p.t.Helper()
	p.call(func(ctx context.Context) error { return chromedp.Do(ctx, chromedp.Navigate(url)) })
	p.until("the page to be live", `document.readyState === "complete" && (!document.body.dataset.socket || document.documentElement.dataset.link === "up")`)
}

// ask evaluates an expression. A page that is just being replaced gives the
// zero value.
func ask[T any](p *page, expression string) (v T) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil && ctx.Err() != nil {
		p.t.Fatalf("%s: the page does not answer: %v", p.name, err)
	}
	return v
}

// until waits until an expression is true in the page.
func (p *page) until(what, expression string) {
	p.t.Helper()
	wait(p.t, func() error {
		if ask[bool](p, expression) {
			return nil
		}
		return fmt.Errorf("%s: waited for %s; it shows:\n%s", p.name, what, p.text("body"))
	})
}

// wait asks until there is no error.
func wait(t *testing.T, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(glance)
	}
}

func quote(s string) string {
	b, _ := json.Marshal(s) // a string always can
	return string(b)
}

// text is what a person reads in the first element that a selector finds.
func (p *page) text(selector string) string {
	p.t.Helper()
	return ask[string](p, fmt.Sprintf(`(document.querySelector(%s) || {}).innerText || ""`, quote(selector)))
}

func (p *page) has(selector string) bool {
	p.t.Helper()
	return ask[bool](p, fmt.Sprintf(`Boolean(document.querySelector(%s))`, quote(selector)))
}

// reads waits until an element says something.
func (p *page) reads(selector, words string) {
	p.t.Helper()
	wait(p.t, func() error {
		if got := p.text(selector); !strings.Contains(got, words) {
			return fmt.Errorf("%s: %s should say %q, it says %q; the page:\n%s", p.name, selector, words, got, p.text("body"))
		}
		return nil
	})
}

// spot finds where to put a finger: the middle of an element that is there,
// can be pressed, and is covered by nothing.
const spot = `((e) => {
	if (!e) return { Why: "is not there" };
	if (e.disabled || e.closest("[inert]")) return { Why: "cannot be pressed" };
	const at = () => { const r = e.getBoundingClientRect(); return { X: r.left + r.width / 2, Y: r.top + r.height / 2, W: r.width, H: r.height }; };
	let p = at();
	if (!p.W || !p.H) return { Why: "is invisible" };
	const above = () => document.elementFromPoint(p.X, p.Y);
	if (!e.contains(above())) { e.scrollIntoView({ block: "center", inline: "center", behavior: "instant" }); p = at(); }
	const top = above();
	if (!e.contains(top)) return { Why: "is covered by " + (top ? top.outerHTML.slice(0, 120) : "nothing") };
	return p;
})(document.querySelector(%s))`

type place struct {
	X, Y, W, H float64
	Why        string
}

// press clicks where an element is, with the mouse, as soon as it can be.
func (p *page) press(selector string) {
	p.t.Helper()
	wait(p.t, func() error {
		at := ask[place](p, fmt.Sprintf(spot, quote(selector)))
		if at.Why != "" || at.W == 0 {
			return fmt.Errorf("%s: %s %s; it shows:\n%s", p.name, selector, at.Why, p.text("body"))
		}
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		defer cancel()
		if err := chromedp.Do(ctx, chromedp.MouseClickXY(at.X, at.Y)); err != nil {
			return err
		}
		if got := ask[string](p, fmt.Sprintf(hit, quote(selector))); got != "" {
			p.t.Logf("%s: the finger that was on its way to %s met %s", p.name, selector, got)
			return fmt.Errorf("%s was missed", selector)
		}
		return nil
	})
}

// mouse is half a click.
func (p *page) mouse(half input.DispatchMouseEventType, at place) {
	p.t.Helper()
	p.call(func(ctx context.Context) error {
		return chromedp.Do(ctx, chromedp.MouseEvent(half, at.X, at.Y, chromedp.ButtonType(input.MouseButtonLeft), chromedp.ClickCount(1)))
	})
}

// hit says what a click met, if it was not what it was meant for: a page may
// move while a finger is on its way. The button may be another one by now, or
// its page may be gone.
const hit = `((selector, hit) => {
	window.hit = null;
	if (!hit || !hit.closest || hit.closest(selector)) return "";
	return hit.outerHTML.slice(0, 200);
})(%s, window.hit)`

// write types into a field.
func (p *page) write(selector, words string) {
	p.t.Helper()
	p.press(selector)
	p.call(func(ctx context.Context) error { return chromedp.Do(ctx, chromedp.KeyEvent(words)) })
}

// seen are the screens since the last forget, in order, as "name|title".
func (p *page) seen() []string {
	p.t.Helper()
	return ask[[]string](p, `window.seenScreens || []`)
}

func (p *page) forget() {
	p.t.Helper()
	ask[bool](p, `(() => { window.seenScreens = []; lookNow(); return true })()`)
}
