package e2e

import (
	"context"
	"os"
	"path/filepath"

	"github.com/chromedp/chromedp"
)

// still is true when nothing on the page is on its way any more: what moves
// for ever, such as the sign to hold a card, does not count.
const still = `document.getAnimations().every((a) => a.playState !== "running" || a.effect.getComputedTiming().iterations === Infinity)`

// shoot photographs the passenger's screen upright and on a laptop, if the
// tests were asked for photographs.
func (w *world) shoot(name string) {
	w.Helper()
	if *shotsDir == "" {
		return
	}
	for _, s := range []size{laptop, upright} {
		w.passenger.shoot(name+"-"+w.words.Code, s)
	}
}

// shoot photographs one page in one size.
func (p *page) shoot(name string, s size) {
	p.t.Helper()
	if *shotsDir == "" {
		return
	}
	p.resize(s)
	p.until("everything to stand still", still)
	p.call(func(ctx context.Context) error {
		png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			return err
		}
		if err := os.MkdirAll(*shotsDir, 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(*shotsDir, p.name+"-"+name+"-"+s.name+".png"), png, 0o644)
	})
}
