package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/chromedp"

	"buka/ui/lang"
	"buka/ui/login"
	"buka/ui/sample"
)

type step = chromedp.Action[chromedp.Void]

type shooter func(name string, s size, steps ...step) error

// size is a window to photograph in.
type size struct {
	name string
	w, h int64
}

var (
	upright = size{"upright", 1080, 1920}
	laptop  = size{"laptop", 1366, 768}
	desk    = size{"desk", 1440, 900}
)

// photograph writes a PNG of every page in every language into dir.
func (g *gallery) photograph(base, dir, only string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(upright.w, upright.h)); err != nil { // starts the browser
		return err
	}
	shoot := func(name string, s size, steps ...step) error {
		if !wanted(name, only) {
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		steps = append([]step{chromedp.EmulateViewport(s.w, s.h)}, steps...)
		steps = append(steps, chromedp.WaitReady(`html[data-link="up"]`), chromedp.Sleep(900*time.Millisecond))
		if err := chromedp.Do(ctx, steps...); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	for _, code := range lang.Codes() {
		for _, s := range sample.Screens() {
			s.Screen.Lang = code
			for _, window := range []size{upright, laptop} {
				g.passenger.Set(s.Screen)
				if err := shoot(s.Name+"-"+code+"-"+window.name, window, chromedp.Navigate(base+"/")); err != nil {
					return err
				}
			}
		}
	}
	if err := g.eased(base, only, shoot); err != nil {
		return err
	}
	return g.staff(base, shoot)
}

// wanted says whether a name is among those asked for. Signing in and undoing
// is always done: others depend on it.
func wanted(name, only string) bool {
	if name == "undo" || strings.HasSuffix(name, "sign-in") {
		return true
	}
	for part := range strings.SplitSeq(only, ",") {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// eased photographs some screens with larger text, high contrast and help.
func (g *gallery) eased(base, only string, shoot shooter) error {
	for _, s := range sample.Screens() {
		if s.Name != "amount" && s.Name != "unfinished" && s.Name != "hold" && s.Name != "done" {
			continue
		}
		s.Screen.Lang = "en"
		g.passenger.Set(s.Screen)
		for _, button := range []string{"text-size", "contrast", "help"} {
			for _, window := range []size{upright, laptop} {
				if !wanted(s.Name+"-"+button+"-"+window.name, only) {
					continue
				}
				press := chromedp.Steps(chromedp.WaitReady(`html[data-link="up"]`), chromedp.Click("#"+button))
				if err := shoot(s.Name+"-"+button+"-"+window.name, window, chromedp.Navigate(base+"/"), press); err != nil {
					return err
				}
				if button == "help" {
					button = "help-close"
				}
				if err := shoot("undo", window, chromedp.Navigate(base+"/"), chromedp.WaitReady(`html[data-link="up"]`), chromedp.Click("#"+button)); err != nil {
					return err
				}
				button = strings.TrimSuffix(button, "-close")
			}
		}
	}
	return nil
}

// staff photographs the pages for a desk.
func (g *gallery) staff(base string, shoot shooter) error {
	for _, code := range lang.Codes() {
		if err := shoot("bench-"+code, desk, chromedp.Navigate(base+"/bench?lang="+code)); err != nil {
			return err
		}
	}
	if err := shoot("cashier-sign-in", desk, signIn(base, "cashier", g.first[0])); err != nil {
		return err
	}
	for name, state := range sample.DeskShots() {
		g.desk.Set(state)
		for _, code := range lang.Codes() {
			if err := shoot("cashier-"+name+"-"+code, desk, chromedp.Navigate(base+"/cashier?lang="+code)); err != nil {
				return err
			}
		}
	}
	if err := shoot("operator-sign-in", desk, signIn(base, "operator", g.first[1])); err != nil {
		return err
	}
	for _, code := range lang.Codes() {
		if err := shoot("operator-"+code, desk, chromedp.Navigate(base+"/operator?lang="+code)); err != nil {
			return err
		}
		if err := shoot("operator-kiosk-"+code, desk, chromedp.Navigate(base+"/operator?kiosk=K-0018&lang="+code)); err != nil {
			return err
		}
	}
	return nil
}

func signIn(base, page string, f *login.First) step {
	return chromedp.Steps(chromedp.Navigate(base+"/"+page+"/login"), chromedp.SendKeys("#name", f.Name), chromedp.SendKeys("#password", f.Password),
		chromedp.Click("#sign-in"), chromedp.WaitReady("#app"))
}
