package main

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestConsoleInABrowser looks at the console of the running demo as a person does,
// in a real browser. Whatever page it is on: no error of a script, no violation of
// the content security policy, no request to another host.
func TestConsoleInABrowser(t *testing.T) {
	t.Parallel()
	browser := newBrowser(t)
	s := startSite(t)
	axe := axeSource(t)
	look := func(name string, at func(s *site)) {
		t.Run(name, func(t *testing.T) { at(&site{t: t, browser: browser, axe: axe, demo: s.demo, url: s.url}) })
	}
	look("every page", everyPage)
	look("find by number", findByNumber)
	look("filter in the URL", filterInTheURL)
	look("language", switchLanguage)
	look("keyboard", byKeyboard)
	look("without script", withoutScript)
	look("from a shop's score to a scan's raw record", fromScoreToScan)
	look("login", logIn)
	look("handle an alert", handleAnAlert)
	look("replay a dead letter", replayADeadLetter)
	look("hostile text", hostileTextIsHarmless)
}

// everyPage follows links from page to page, one of each kind, and looks at each
// on a wide light screen, on a dark one in Chinese, and on a telephone.
func everyPage(s *site) {
	t := s.t
	wide, dark, narrow := s.open(look{}), s.open(look{dark: true, lang: "zh"}), s.open(look{width: 360})
	visited := map[string]string{}
	for queue := []string{"/"}; len(queue) > 0; queue = queue[1:] {
		path := queue[0]
		kind := kindOf(path)
		if visited[kind] != "" {
			continue
		}
		visited[kind] = path
		for name, b := range map[string]*tab{"wide": wide, "dark-zh": dark, "narrow": narrow} {
			if status := b.visit(path); status != 200 {
				t.Errorf("%s: %d", path, status)
			}
			if b.count("h1") != 1 || strings.TrimSpace(b.text("h1")) == "" {
				t.Errorf("%s (%s) has %d headings of the first level: %q", path, name, b.count("h1"), b.text("h1"))
			}
			if n := b.overflow(); n > 0 {
				t.Errorf("%s (%s) is %d pixels wider than the window", path, name, n)
			}
			switch b {
			case wide:
				b.accessible(s.axe)
			case dark:
				b.accessible(s.axe, byColour...)
			}
			b.shoot(name+strings.ReplaceAll(kind, "/", "-"), false)
		}
		queue = append(queue, pageLinks(wide)...)
	}
	for _, kind := range []string{"/", "/parcels/*", "/raw/*", "/alerts", "/alerts/*", "/alerts/export", "/shops", "/shops/*",
		"/shops/*/why", "/shops/*/what-if", "/carriers", "/carriers/*", "/lanes", "/dead-letters", "/system"} {
		if visited[kind] == "" {
			t.Errorf("no link leads to %s; there were %v", kind, visited)
		}
	}
}

// pageLinks are the pages that a page leads to, without its own repeats in another
// language or form.
func pageLinks(b *tab) (paths []string) {
	for _, href := range b.links("a[href]") {
		if strings.HasPrefix(href, "/") && !strings.Contains(href, "lang=") && !strings.Contains(href, "format=") && !strings.HasPrefix(href, "/static/") && !strings.HasSuffix(href, ".yaml") {
			path, _, _ := strings.Cut(href, "#")
			paths = append(paths, path)
		}
	}
	return paths
}

// findByNumber searches for a parcel by its number, and for one that is not there.
func findByNumber(s *site) {
	t, b := s.t, s.open(look{})
	number := s.one("SELECT any(tracking_number) FROM parcels FINAL WHERE NOT deleted AND tracking_number != ''")
	b.visit("/")
	b.fill("#search", " "+strings.ToLower(number)+" ")
	b.comes(chromedp.KeyEvent(kb.Enter))
	if at := b.address(); at != "/parcels/"+number || !strings.Contains(b.text("h1"), number) {
		t.Errorf("the search for %s led to %s, %q", number, at, b.text("h1"))
	}
	b.expect("status of 404")
	b.visit("/")
	b.fill("#search", "NOSUCHNUMBER42")
	b.comes(chromedp.KeyEvent(kb.Enter))
	if text := b.text("main"); !strings.Contains(text, "NOSUCHNUMBER42") {
		t.Errorf("the search for nothing says %.300q", text)
	}
}

// filterInTheURL chooses a filter: it is in the address, so that it can be sent to
// somebody, survives a reload, and holds for the export too.
func filterInTheURL(s *site) {
	t, b := s.t, s.open(look{})
	b.visit("/")
	carrier := eval[string](b, "document.querySelector('select[name=carrier] option:nth-child(2)').value")
	b.choose("select[name=carrier]", carrier)
	if at := b.address(); !strings.Contains(at, "carrier="+carrier) {
		t.Fatalf("the address is %s, the filter carrier %s", at, carrier)
	}
	b.visit(b.address())
	if got := eval[string](b, "document.querySelector('select[name=carrier]').value"); got != carrier {
		t.Errorf("after a reload the filter is %q", got)
	}
	for _, row := range eval[[]string](b, "[...document.querySelectorAll('table.parcels tbody tr td:nth-child(5)')].map(c => c.innerText.trim())") {
		if row != carrier {
			t.Errorf("a parcel of %s is shown beside the filter %s", row, carrier)
		}
	}
	export := eval[string](b, "fetch([...document.querySelectorAll('a[href*=\"format=csv\"]')][0].href).then(r => r.text())")
	lines := strings.Split(strings.TrimSpace(export), "\n")
	if len(lines)-1 != b.count("table.parcels tbody tr") || strings.Count(lines[0], ",") < 5 {
		t.Errorf("the export has %d lines below %q, the page %d parcels", len(lines)-1, lines[0], b.count("table.parcels tbody tr"))
	}
}

// switchLanguage: the choice stays on the following pages, without being in their
// addresses.
func switchLanguage(s *site) {
	t, b := s.t, s.open(look{})
	b.visit("/")
	english := b.text("h1")
	b.follow("a[hreflang=zh]")
	b.visit("/")
	if lang := eval[string](b, "document.documentElement.lang"); lang != "zh" || b.text("h1") == english {
		t.Errorf("language %s, heading %q", lang, b.text("h1"))
	}
	b.follow("a[hreflang=en]")
	b.visit("/")
	if lang := eval[string](b, "document.documentElement.lang"); lang != "en" || b.text("h1") != english {
		t.Errorf("language %s, heading %q", lang, b.text("h1"))
	}
}

// byKeyboard reaches a parcel without a mouse: past the navigation, through the
// list, and by the search.
func byKeyboard(s *site) {
	t, b := s.t, s.open(look{})
	focus := func() string {
		return eval[string](b, "(e => e.id || e.className || e.tagName)(document.activeElement)")
	}
	b.visit("/")
	b.press(kb.Tab)
	if focus() != "skip" {
		t.Errorf("the first key reaches %s, want the link past the navigation", focus())
	}
	b.press(kb.Enter)
	if focus() != "main" {
		t.Errorf("it leads to %s", focus())
	}
	for range 200 { // to the first parcel
		b.press(kb.Tab)
		if eval[string](b, "document.activeElement.getAttribute('href') ?? ''") == "" {
			if focus() == "BODY" {
				t.Fatal("the keys came to the end and found no parcel")
			}
			continue
		}
		if outline := eval[string](b, "getComputedStyle(document.activeElement).outlineStyle"); outline == "none" {
			t.Errorf("nothing shows that %s has the focus", eval[string](b, "document.activeElement.outerHTML"))
		}
		if strings.HasPrefix(eval[string](b, "document.activeElement.getAttribute('href')"), "/parcels/") {
			break
		}
	}
	b.comes(chromedp.KeyEvent(kb.Enter))
	number, found := strings.CutPrefix(b.address(), "/parcels/")
	if !found {
		t.Fatalf("the keys led to %s", b.address())
	}
	b.visit("/")
	// As a keyboard does: what the page prevents is not written.
	call(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: "keyDown", Key: "/", Code: "Slash", Text: "/"})
	call(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: "keyUp", Key: "/", Code: "Slash"})
	if focus() != "search" {
		t.Errorf("/ leads to %s", focus())
	}
	b.press(number)
	b.comes(chromedp.KeyEvent(kb.Enter))
	if at := b.address(); at != "/parcels/"+number {
		t.Errorf("the search led to %s", at)
	}
}

// withoutScript filters and searches where scripts are switched off.
func withoutScript(s *site) {
	t, b := s.t, s.open(look{scriptless: true})
	b.visit("/")
	b.do(chromedp.SetAttributeValue("select[name=level] option:nth-child(2)", "selected", "selected"))
	b.follow("form.filters button")
	if at := b.address(); !strings.Contains(at, "level=") {
		t.Errorf("the filter led to %s", at)
	}
}

// fromScoreToScan goes from a shop's score to what costs it points, to a parcel, to
// one of its scans, to the record that the carrier sent.
func fromScoreToScan(s *site) {
	t, b := s.t, s.open(look{})
	b.visit("/shops")
	b.follow("main tbody a[href^='/shops/']")
	b.shoot("shop", true)
	b.follow("main a[href*='/why']")
	b.shoot("why", true)
	b.follow("main tbody a[href^='/parcels/']")
	number := strings.TrimPrefix(b.address(), "/parcels/")
	if !strings.Contains(b.text("h1"), number) || b.count("ol.trail li.scan") == 0 {
		t.Fatalf("the parcel %s has no trail:\n%.600s", number, b.text("main"))
	}
	b.shoot("parcel", true)
	b.do(chromedp.Click("ol.trail li.scan details.more summary"))
	b.follow("ol.trail li.scan details.more a[href^='/raw/']")
	if raw := b.text("main pre"); !strings.Contains(raw, number) {
		t.Errorf("the raw record of a scan of %s reads %.300q", number, raw)
	}
	b.shoot("raw", true)
}

// logIn is what a person meets where the configuration has tokens: the login, and
// then the page that was asked for.
func logIn(s *site) {
	t := s.t
	guarded := &site{t: t, browser: s.browser, axe: s.axe, url: s.guarded("viewer-0123456789-0123456789")}
	for _, l := range []look{{}, {dark: true, lang: "zh", width: 360}} {
		b := guarded.open(l)
		b.visit("/alerts?rule=gap_72h")
		if at := b.address(); !strings.HasPrefix(at, "/login?") {
			t.Fatalf("without a token one comes to %s", at)
		}
		b.accessible(s.axe)
		if n := b.overflow(); n > 0 {
			t.Errorf("the login is %d pixels wider than the window", n)
		}
		b.expect("status of 401")
		b.fill("input[name=token]", "wrong")
		b.comes(chromedp.KeyEvent(kb.Enter))
		b.accessible(s.axe)
		if at := b.address(); at != "/login" || b.count("[role=alert]") == 0 {
			t.Errorf("a wrong token leads to %s: %.300q", at, b.text("main"))
		}
		b.fill("input[name=token]", "viewer-0123456789-0123456789")
		b.comes(chromedp.KeyEvent(kb.Enter))
		if at := b.address(); at != "/alerts?rule=gap_72h" {
			t.Errorf("the right token leads to %s", at)
		}
		if b.count("button[value=acknowledged]") > 0 {
			t.Error("a viewer is offered to acknowledge")
		}
	}
}

// handleAnAlert takes an alert into one's hands, from the list: it is said on the
// page, kept in ClickHouse, and no longer among those that wait.
func handleAnAlert(s *site) {
	t, b := s.t, s.open(look{})
	b.visit("/alerts")
	mark := "form.alerts tbody tr:first-child input[name=alert]"
	alert, _, _ := strings.Cut(eval[string](b, fmt.Sprintf("document.querySelector(%s).value", quote(mark))), ":")
	b.do(chromedp.Click(mark))
	b.fill("form.alerts textarea[name=comment]", "asked the carrier <b>twice</b>")
	b.follow("form.alerts button[value=acknowledged]")
	if said := b.text(".done"); said == "" {
		t.Errorf("nothing says that it is done:\n%.600s", b.text("main"))
	}
	for state, want := range map[string]int{"waiting": 0, "handled": 1} {
		b.visit("/alerts?state=" + state)
		if n := b.count(fmt.Sprintf("form.alerts input[value^=%s]", quote(alert))); n != want {
			t.Errorf("among those that are %s it is %d times", state, n)
		}
	}
	kept := s.one("SELECT arrayStringConcat(groupArray(action || ':' || comment), ' ') FROM alert_handling WHERE alert_id = '" + alert + "'")
	if kept != "acknowledged:asked the carrier <b>twice</b>" {
		t.Errorf("ClickHouse has %q", kept)
	}
	b.visit("/alerts/" + alert)
	if text := b.text("main"); !strings.Contains(text, "asked the carrier <b>twice</b>") {
		t.Errorf("the alert's page does not show the comment:\n%.600s", text)
	}
	b.shoot("alert-handled", true)
}

// replayADeadLetter sends again what an older mapping could not read, as the one of
// today reads it.
func replayADeadLetter(s *site) {
	t, b := s.t, s.open(look{})
	const number = "YT2699900000077701"
	raw := fmt.Sprintf(`{"waybill_number":%q,"origin_country_code":"CN","country_code":"GB","track_events":[{"process_time":"2026-11-20T08:12:33","time_zone":"GMT+08:00","track_node_code":"PICKED_UP","process_content":"Shipment picked up","process_country":"CN"}]}`, number)
	s.refused("yunexpress", "unreadable_layout", raw)
	s.until("the dead letter is there", "SELECT toString(count() > 0) FROM dead_letters WHERE carrier = 'yunexpress' AND position(raw, '"+number+"') > 0", "1")
	b.visit("/dead-letters?carrier=yunexpress&reason=unreadable_layout")
	if text := b.text("#sample"); !strings.Contains(text, number) {
		t.Errorf("the sample reads %.300q", text)
	}
	b.follow("form[action='/dead-letters/preview'] button")
	s.shows(b, "form[action='/dead-letters/send'] button")
	b.shoot("replay-preview", true)
	b.follow("form[action='/dead-letters/send'] button")
	s.until("the parcel is there", "SELECT toString(count()) FROM parcels FINAL WHERE tracking_number = '"+number+"'", "1")
	if status := b.visit("/parcels/" + number); status != 200 {
		t.Errorf("the parcel's page: %d", status)
	}
}

// What a hostile carrier writes: markup, a turn of the reading direction, control
// characters, an endless word.
const hostileText = "</td><script>window.ran=1</script><img src=x onerror=window.ran=2><svg/onload=window.ran=3>{{.}}\\u202e\\u2066evil\\u0007 javascript:window.ran=4 "

// hostileScan is a scan that YunExpress could send, for as long as nobody looks.
func hostileScan(number string) []byte {
	text := hostileText + strings.Repeat("W", 15_000)
	return fmt.Appendf(nil, `{"waybill_number":%q,"origin_country_code":"CN","country_code":"GB","track_events":[`+
		`{"process_time":"%s","time_zone":"GMT+08:00","track_node_code":"<script>window.ran=5</script>","process_content":"%s","process_location":"%s","process_country":"CN"},`+
		`{"process_time":"%s","time_zone":"GMT+08:00","track_node_code":"PICKED_UP","process_content":"=HYPERLINK(\"https://evil.example\")","process_location":"\u202eNEHZNEHS","process_country":"CN"}]}`,
		number, time.Now().UTC().Add(7*time.Hour).Format("2006-01-02T15:04:05"), text, text, time.Now().UTC().Add(-60*time.Hour).Format("2006-01-02T15:04:05"))
}

// hostileTextIsHarmless writes it as a carrier does and looks at every page where it
// shows.
func hostileTextIsHarmless(s *site) {
	const number = "YT2699900000066601"
	s.send("yunexpress", hostileScan(number))
	s.send("yunexpress", fmt.Appendf(nil, `{"waybill_number":"%s","track_events":[{"process_content":"%s`, hostileText, strings.Repeat(hostileText, 100_000/len(hostileText))))
	s.until("the hostile parcel is there", "SELECT toString(count()) FROM parcels FINAL WHERE tracking_number = '"+number+"'", "1")
	s.until("the hostile dead letter is there", "SELECT toString(count() > 0) FROM dead_letters WHERE position(raw, 'window.ran') > 0", "1")
	for name, l := range map[string]look{"wide": {}, "narrow": {width: 360, dark: true}} {
		b := s.open(l)
		b.expect("status of 404") // the search for what nobody sent
		for _, path := range []string{"/parcels/" + number, "/parcels?q=" + url.QueryEscape(`"><script>window.ran=6</script>`), "/", "/dead-letters?carrier=yunexpress&reason=too_large"} {
			b.visit(path)
			staysHarmless(s.t, b, path)
		}
		b.shoot("hostile-letter-"+name, true)
		b.visit("/parcels/" + number)
		b.shoot("hostile-parcel-"+name, true)
		raw := b.links("main a[href^='/raw/']")
		if len(raw) == 0 {
			s.t.Fatal("no link leads to what the carrier sent")
		}
		b.visit(raw[0])
		staysHarmless(s.t, b, raw[0])
		if text := b.text("main"); !strings.Contains(text, "<script>window.ran=1</script>") {
			s.t.Errorf("the raw record is not shown as it was sent: %.600s", text)
		}
	}
}

// staysHarmless looks at what the page made of it.
func staysHarmless(t *testing.T, b *tab, path string) {
	t.Helper()
	if eval[bool](b, "'ran' in window") {
		t.Errorf("%s: a script of a carrier has run", path)
	}
	if n := b.count("main script, main svg[onload], main img[src=x], main [onerror]"); n > 0 {
		t.Errorf("%s: %d elements are a carrier's", path, n)
	}
	if eval[bool](b, `/[\u202a-\u202e\u2066-\u2069\u0007]/.test(document.documentElement.innerHTML)`) {
		t.Errorf("%s: a character that turns the reading direction is left", path)
	}
	if n := b.overflow(); n > 0 {
		t.Errorf("%s is %d pixels wider than the window", path, n)
	}
	if n := eval[int](b, "document.documentElement.innerHTML.length"); n > 600_000 {
		t.Errorf("%s has %d characters", path, n)
	}
}
