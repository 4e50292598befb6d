package ui

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"buka/internal/money"
	"buka/ui/lang"
)

// functions are what the templates may call, in one language. page is the
// set that they belong to: a screen is chosen by name while it is rendered.
func functions(c *lang.Catalogue, page *template.Template) template.FuncMap {
	render := func(name string, data any) (template.HTML, error) {
		var b strings.Builder
		err := page.ExecuteTemplate(&b, name, data)
		return template.HTML(b.String()), err
	}
	return template.FuncMap{
		"screen":    func(v passengerView) (template.HTML, error) { return render("screen-"+string(v.Name), v) },
		"art":       func(name string) (template.HTML, error) { return render(name, nil) },
		"appNames":  func(a Application) []string { return applicationNames(c, a) },
		"list":      func(v ...any) []any { return v },
		"kind":      func(kind string) string { return historyKind(c, kind) },
		"count":     func(key string, ms int64) template.HTML { return countdown(c, key, ms) },
		"t":         c.T,
		"has":       c.Has,
		"lang":      func() string { return c.Code },
		"tag":       func() string { return lang.Tag(c.Code) },
		"yuan":      func(v any) string { return yuan(c, v) },
		"round":     func(f money.Fen) string { return strings.TrimSuffix(yuan(c, f), ".00") },
		"plus":      func(old *money.Fen, add money.Fen) string { return yuan(c, *old+add) },
		"last4":     last4,
		"date":      date,
		"stamp":     stamp,
		"age":       func(at time.Time) template.HTML { return age(c, at) },
		"local":     func(at time.Time) string { return at.Format("2006-01-02 15:04:05 -07:00") },
		"ms":        func(at time.Time) int64 { return at.UnixMilli() },
		"mayDecide": func(k FleetCase, do string) bool { return mayDecide(k, do) },
		"megabytes": func(n int64) string { return fmt.Sprintf("%.1f", float64(n)/(1<<20)) },
		"code":      func(code string) string { return deviceCode(c, code) },
		"reason":    func(r Reason, part string) string { return reasonText(c, r, part) },
		"second":    func(ms int64) int64 { return (ms + 999) / 1000 },
		"seq":       func(n int) []struct{} { return make([]struct{}, min(max(n, 0), 12)) },
	}
}

// yuan writes a money.Fen or a *money.Fen; nil is an empty text.
func yuan(c *lang.Catalogue, v any) string {
	var f money.Fen
	switch v := v.(type) {
	case money.Fen:
		f = v
	case *money.Fen:
		if v == nil {
			return ""
		}
		f = *v
	default:
		return ""
	}
	if f < 0 {
		return "−" + c.T("money.yuan") + (-f).String()
	}
	return c.T("money.yuan") + f.String()
}

// last4 is all that pages show of a transit card's number.
func last4(number string) string {
	if len(number) <= 4 {
		return number
	}
	return number[len(number)-4:]
}

// maskPAN keeps first six and last four digits, whatever it is given: a
// station masks already, this is the second lock.
func maskPAN(pan string) string {
	digits := 0
	for _, r := range pan {
		if r >= '0' && r <= '9' {
			digits++
		}
	}
	if digits <= 10 {
		return pan
	}
	out, seen := []byte(pan), 0
	for i, b := range out {
		if b >= '0' && b <= '9' {
			if seen >= 6 && seen < digits-4 {
				out[i] = '*'
			}
			seen++
		}
	}
	return string(out)
}

// date writes YYYYMMDD as YYYY-MM-DD.
func date(s string) string {
	if len(s) < 8 {
		return s
	}
	return s[:4] + "-" + s[4:6] + "-" + s[6:8]
}

// stamp writes YYYYMMDDHHMMSS as MM-DD HH:MM.
func stamp(s string) string {
	if len(s) < 12 {
		return date(s)
	}
	return s[4:6] + "-" + s[6:8] + " " + s[8:10] + ":" + s[10:12]
}

// age is a time that the browser turns into "3 min" and keeps ticking.
func age(c *lang.Catalogue, at time.Time) template.HTML {
	if at.IsZero() {
		return template.HTML(template.HTMLEscapeString(c.T("page.never")))
	}
	return template.HTML(fmt.Sprintf(`<time class="age" data-at="%d" datetime="%s">%s</time>`,
		at.UnixMilli(), at.UTC().Format(time.RFC3339), at.UTC().Format("15:04:05Z")))
}

// historyKind names a kind of record.
func historyKind(c *lang.Catalogue, kind string) string {
	switch kind {
	case "load", "purchase", "ride":
		return c.T("history." + kind)
	}
	return c.T("history.other")
}

// countdown is a message whose {s} the browser counts down from ms.
func countdown(c *lang.Catalogue, key string, ms int64) template.HTML {
	ms = max(ms, 0)
	text := template.HTMLEscapeString(c.T(key))
	span := fmt.Sprintf(`<b class="countdown" data-countdown="%d">%d</b>`, ms, (ms+999)/1000)
	return template.HTML(strings.Replace(text, "{s}", span, 1))
}

// deviceCode names what is wrong with a device. What is no code of ours is not
// shown: it may be an error's text.
func deviceCode(c *lang.Catalogue, code string) string {
	if key := "device." + code; c.Has(key) {
		return c.T(key)
	}
	return c.T("device.unnamed")
}

// reasonText gives a part of a reason's passage, and that of "other" for a
// reason that the catalogues do not know.
func reasonText(c *lang.Catalogue, r Reason, part string) string {
	if key := "reason." + string(r) + "." + part; c.Has(key) {
		return c.T(key)
	}
	return c.T("reason." + string(ReasonOther) + "." + part)
}
