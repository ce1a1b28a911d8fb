package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const (
	// envRequireBrowser turns the skip of a machine without a browser into a failure.
	envRequireBrowser = "SCANTRAIL_REQUIRE_BROWSER"
	// envScreenshots is a directory that keeps the screenshots; without it they go
	// where go test -artifacts says.
	envScreenshots = "SCANTRAIL_SCREENSHOTS"
)

// newBrowser starts a Chromium without a profile for the length of the test. Where
// there is none it skips the test, and says so on standard error.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		const why = "no Chromium in the path (package chromium of Debian)"
		if os.Getenv(envRequireBrowser) != "" {
			t.Fatal(why)
		}
		fmt.Fprintf(os.Stderr, "*** NOT TESTED IN A BROWSER: %s: %s\n", t.Name(), why)
		t.Skip(why)
	}
	// Not t.TempDir: the browser's last children may still write there.
	profile, err := os.MkdirTemp("", "scantrail-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(profile) }) //nolint:errcheck // it holds nothing
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Headless, chromedp.Flag("force-color-profile", "srgb")}
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync",
		"disable-extensions", "disable-default-apps", "disable-dev-shm-usage", "metrics-recording-only"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocated, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(allocated, chromedp.WithErrorf(t.Logf))
	t.Cleanup(func() {
		chromedp.Cancel(ctx) //nolint:errcheck // it ends either way
		end()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return ctx
}

// look is how a tab shows pages.
type look struct {
	width      int64 // in CSS pixels; 0: 1280
	dark       bool
	scriptless bool // pages have to do without their script
	lang       string
}

// tab is one page of the browser. What goes wrong in it, as an error of a script, a
// violation of the content security policy, or a request to another host, fails the
// test by which it was opened.
type tab struct {
	t    *testing.T
	ctx  context.Context
	site *url.URL

	mu       sync.Mutex
	expected []string // parts of messages that are no problem now
	problems []string
	status   int64 // of the last document
}

// openTab opens a tab on a site.
func openTab(t *testing.T, browser context.Context, site string, l look) *tab {
	t.Helper()
	base, err := url.Parse(site)
	if err != nil {
		t.Fatal(err)
	}
	b := &tab{t: t, site: base}
	// Cookies of its own: the language that one tab chooses is not that of another.
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.heard))
	if err := chromedp.Do(ctx); err != nil { // without a limit, which would be that of the tab
		t.Fatalf("opening a tab: %v", err)
	}
	var stop context.CancelFunc
	b.ctx, stop = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(func() {
		b.noProblems()
		stop()
		cancel()
	})
	if l.width == 0 {
		l.width = 1280
	}
	scheme, lang := "light", "en"
	if l.dark {
		scheme = "dark"
	}
	if l.lang != "" {
		lang = l.lang
	}
	call(b, log.Enable, cdp.Empty{})
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: l.width, Height: 800, DeviceScaleFactor: 1, Mobile: l.width < 600})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: l.scriptless})
	call(b, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": lang}})
	return b
}

// call runs one command of the browser's protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	result, err := chromedp.Call(b.ctx, command, params)
	if err != nil {
		b.t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

// heard notes what a page does that none may.
func (b *tab) heard(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		what := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			what += " " + e.ExceptionDetails.Exception.Description
		}
		b.problem("error in a script: " + what)
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			b.problem("on the console: " + argumentsOf(e))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			b.problem(fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *page.EventJavascriptDialogOpening:
		b.problem("a script opened a dialog: " + e.Message)
		go chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{}) //nolint:errcheck // a problem already
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Host != b.site.Host && u.Scheme != "about" && u.Scheme != "data" {
			b.problem("a request to another host: " + e.Request.URL)
		}
	case *network.EventResponseReceived:
		if e.Type == "Document" {
			b.mu.Lock()
			b.status = e.Response.Status
			b.mu.Unlock()
		}
	}
}

func argumentsOf(e *runtime.EventConsoleAPICalled) string {
	var parts []string
	for _, a := range e.Args {
		parts = append(parts, fmt.Sprint(a.Value, a.Description))
	}
	return strings.Join(parts, " ")
}

func (b *tab) problem(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.expected {
		if strings.Contains(what, e) {
			return
		}
	}
	b.problems = append(b.problems, what)
}

// expect lets messages with this part pass from now on.
func (b *tab) expect(part string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = append(b.expected, part)
}

// noProblems fails the test for what was noted since the last call.
func (b *tab) noProblems() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.Sort(b.problems)
	for _, p := range slices.Compact(b.problems) {
		b.t.Errorf("%.2000s", p)
	}
	b.problems = nil
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("%v (at %s)", err, b.address())
	}
}

// visit opens a path and returns the status of the answer.
func (b *tab) visit(path string) int64 {
	b.t.Helper()
	ref, err := url.Parse(path)
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.Navigate(b.site.ResolveReference(ref).String()))
	b.computed()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

// address is the path and query of what the tab shows.
func (b *tab) address() string {
	at, err := chromedp.Run(b.ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	u, err := url.Parse(at)
	if err != nil {
		return at
	}
	return u.RequestURI()
}

// eval returns what an expression yields in the page.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%.300s: %v", expression, err)
	}
	return v
}

// text is what a person reads in the first element of a selector; "" without one.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf("document.querySelector(%s)?.innerText ?? ''", quote(selector)))
}

// links are the addresses on the page that a selector finds, without their repeats.
func (b *tab) links(selector string) []string {
	b.t.Helper()
	all := eval[[]string](b, fmt.Sprintf("[...document.querySelectorAll(%s)].map(a => a.getAttribute('href')).filter(h => h)", quote(selector)))
	var once []string
	for _, a := range all {
		if !slices.Contains(once, a) {
			once = append(once, a)
		}
	}
	return once
}

// follow clicks on what a selector finds and waits for the page that comes.
func (b *tab) follow(selector string) {
	b.t.Helper()
	if b.count(selector) == 0 {
		b.t.Fatalf("%s has no %s:\n%.1500s", b.address(), selector, b.text("main"))
	}
	b.comes(chromedp.Click(selector))
}

// comes does what leads to another page and waits for it.
func (b *tab) comes(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, steps...); err != nil {
		b.t.Fatalf("no page came: %v (at %s)", err, b.address())
	}
	b.computed()
}

// computed waits while a page says that its figures are being computed, and loads
// itself again.
func (b *tab) computed() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	for {
		done, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("document.readyState === 'complete' && !document.querySelector('main .empty progress')"))
		if err == nil && done {
			return
		}
		if pause(ctx, 50*time.Millisecond) != nil { // an error is a page that goes away
			b.t.Fatalf("%s does not come to an end: %v", b.address(), err)
		}
	}
}

// fill writes into a field in place of what it holds.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	eval[bool](b, fmt.Sprintf("(e => { e.focus(); e.select(); return true })(document.querySelector(%s))", quote(selector)))
	b.press(text)
}

// choose selects an option as a person does, so that the page hears of it.
func (b *tab) choose(selector, value string) {
	b.t.Helper()
	b.comes(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("(s => { s.value = %s; s.dispatchEvent(new Event('change', {bubbles: true})) })(document.querySelector(%s))", quote(value), quote(selector))))
}

// press sends keys to whatever has the focus.
func (b *tab) press(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// quote is a string as JavaScript has it.
func quote(s string) string {
	q, err := json.Marshal(s)
	if err != nil {
		panic(err) // it is a string
	}
	return string(q)
}

// overflow is by how many pixels the page is wider than the window.
func (b *tab) overflow() int {
	b.t.Helper()
	return eval[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth")
}

// shoot keeps a screenshot of the window, or of the whole page, as name.png.
func (b *tab) shoot(name string, whole bool) {
	b.t.Helper()
	dir := os.Getenv(envScreenshots)
	if dir == "" {
		if kept := flag.Lookup("test.artifacts"); kept == nil || kept.Value.String() != "true" {
			return // it would be deleted with the test
		}
		dir = b.t.ArtifactDir()
	}
	png := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: "png", CaptureBeyondViewport: &whole}).Data
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Error(err)
	}
}

// count is how many elements a selector finds.
func (b *tab) count(selector string) int {
	b.t.Helper()
	return eval[int](b, fmt.Sprintf("document.querySelectorAll(%s).length", quote(selector)))
}
