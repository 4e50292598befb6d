package e2e

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

var shotsDir = flag.String("shots", "", "photograph the key moments into this folder")

// chromium is one browser for all tests. Each test has its own profile in it.
var chromium struct {
	once sync.Once
	ctx  context.Context
	stop func()
	err  error
}

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if chromium.stop != nil {
		chromium.stop()
	}
	os.Exit(code)
}

var errNoChromium = errors.New("no Chromium on this machine: run `make deps`")

// browser starts Chromium at its first call. Without one the test fails: it
// is never passed over.
func browser(t *testing.T) context.Context {
	t.Helper()
	chromium.once.Do(func() {
		path, err := find("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
		if err != nil {
			chromium.err = err
			return
		}
		profile, err := os.MkdirTemp("", "buka-e2e")
		if err != nil {
			chromium.err = err
			return
		}
		flags := []chromedp.ExecAllocatorOption{
			chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
			chromedp.NoDefaultBrowserCheck, chromedp.WindowSize(upright.w, upright.h),
		}
		for _, f := range []string{
			"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "disable-extensions", "disable-dev-shm-usage",
			"disable-background-timer-throttling", "disable-backgrounding-occluded-windows", "disable-renderer-backgrounding", "hide-scrollbars",
		} {
			flags = append(flags, chromedp.Flag(f, true))
		}
		ctx, end := chromedp.NewExecAllocator(context.Background(), flags...)
		ctx, bye := chromedp.NewContext(ctx)
		chromium.ctx = ctx
		chromium.stop = func() { bye(); end(); os.RemoveAll(profile) }
		chromium.err = chromedp.Do(ctx, chromedp.Navigate("about:blank"))
	})
	if chromium.err != nil {
		t.Fatal(chromium.err)
	}
	return chromium.ctx
}

func find(names ...string) (string, error) {
	for _, n := range names {
		if path, err := exec.LookPath(n); err == nil {
			return path, nil
		}
	}
	return "", errNoChromium
}
