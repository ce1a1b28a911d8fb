// Package console is what operators look at: pages rendered on the server, that
// work without a script, in every language of package texts. A page is one file
// page_NAME.go, one template templates/NAME.html and the texts NAME.*; it is in
// the console once it stands in pages().
package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/cmd/scantrail/query"
	"scantrail/cmd/scantrail/web"
	"scantrail/ingest/carriers"
	"scantrail/schemas"
	"scantrail/schemas/texts"
)

//go:embed templates static
var files embed.FS

// Options is what the console needs. Rows and Texts are required.
type Options struct {
	Rows  driver.Conn
	Kafka []kgo.Opt // brokers, for raw records as carriers sent them; none: those are not shown
	Texts *texts.Catalog
	Log   *slog.Logger                // default: nothing is logged
	Now   func() time.Time            // default: time.Now
	Live  func() (live Live, ok bool) // of the pipeline in this process; nil or false: there is none

	Operations
}

// Live is what the pipeline of this process does at the moment.
type Live struct {
	ScansPerSecond float64       // read by ingest, over the last seconds
	LagRecords     int64         // in Kafka and not in ClickHouse yet
	Behind         time.Duration // of the log's clock behind this machine's; negative: not known
}

// page is one page of the console.
type page struct {
	name    string                 // of its template, of its texts, and what the navigation marks
	pattern string                 // of http.ServeMux
	nav     bool                   // in the navigation
	serve   func(r *request) error // renders, exports or redirects; an error becomes an error page
}

// pages lists all of them; those of the navigation in its order.
func (c *console) pages() []page {
	return []page{
		{"now", "GET /{$}", true, c.nowPage},
		{"parcel", "GET /parcels/{number}", false, c.parcelPage},
		{"search", "GET /parcels", false, c.searchPage},
		{"raw", "GET /raw/{topic}/{partition}/{offset}", false, c.rawPage},
		{"alerts", "GET /alerts", true, c.alertsPage},
		{"alerts", "POST /alerts", false, c.handleAlerts},
		{"alert", "GET /alerts/{id}", false, c.alertPage},
		{"ticket", "GET /alerts/export", false, c.ticketPage},
		{"shops", "GET /shops", true, c.shopsPage},
		{"shop", "GET /shops/{shop}", false, c.shopPage},
		{"shop", "GET /shops/{shop}/{chart}", false, c.shopChart},
		{"why", "GET /shops/{shop}/why", false, c.whyPage},
		{"whatif", "GET /shops/{shop}/what-if", false, c.whatIfPage},
		{"carriers", "GET /carriers", true, c.carriersPage},
		{"carrier", "GET /carriers/{carrier}", false, c.carrierPage},
		{"carrier", "GET /carriers/{carrier}/{chart}", false, c.carrierChart},
		{"lanes", "GET /lanes", true, c.lanesPage},
		{"deadletters", "GET /dead-letters", true, c.deadLettersPage},
		{"deadletters", "POST /dead-letters/preview", false, c.previewReplay},
		{"deadletters", "POST /dead-letters/send", false, c.sendReplay},
		{"deadletters", "POST /dead-letters/stop", false, c.stopReplay},
		{"system", "GET /system", true, c.systemPage},
		{"system", "POST /system/audit", false, c.startAudit},
		{"system", "POST /system/audit/stop", false, c.stopAudit},
	}
}

type console struct {
	Options
	log       *slog.Logger
	queries   *query.Queries
	languages map[string]*language
	nav       []page
	replay    job[ReplayResult]
	audit     job[*Audit]
	lexicon   func() (*carriers.Registry, error)

	answers, liveAnswers *answers
}

// language has the templates of one language, by page.
type language struct {
	texts.Texts
	templates map[string]*template.Template
}

// New returns the console. The error is one of its own templates.
func New(o Options) (http.Handler, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &console{Options: o, log: o.Log, queries: query.New(o.Rows), languages: map[string]*language{},
		answers: newAnswers(freshAnswer, o.Now), liveAnswers: newAnswers(liveAnswer, o.Now),
		lexicon: sync.OnceValues(func() (*carriers.Registry, error) { return carriers.LoadLexicon(schemas.Carriers) })}
	pages := c.pages()
	for _, tag := range o.Texts.Tags() {
		l, err := newLanguage(o.Texts.Language(tag), pages)
		if err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
		c.languages[tag] = l
	}
	mux := http.NewServeMux()
	for _, p := range pages {
		if p.nav {
			c.nav = append(c.nav, p)
		}
		mux.Handle(p.pattern, c.visit(p))
	}
	assets, err := files.ReadDir("static")
	if err != nil {
		return nil, err
	}
	for _, a := range assets { // one by one: a folder would be listed
		mux.Handle("GET /static/"+a.Name(), cached(http.FileServerFS(files)))
	}
	mux.Handle("/", c.visit(page{name: "error", serve: func(*request) error { return query.ErrNone }}))
	return mux, nil
}

// cached lets browsers keep static files: their addresses change with their content.
func cached(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		h.ServeHTTP(w, r)
	})
}

func newLanguage(t texts.Texts, pages []page) (*language, error) {
	asset, err := assetVersion()
	if err != nil {
		return nil, err
	}
	base, err := template.New("layout.html").Funcs(words{t}.funcs(asset)).ParseFS(files, "templates/layout.html", "templates/parts*.html")
	if err != nil {
		return nil, err
	}
	l := &language{Texts: t, templates: map[string]*template.Template{}}
	for _, p := range append([]page{{name: "error"}}, pages...) {
		own, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if l.templates[p.name], err = own.ParseFS(files, "templates/"+p.name+".html"); err != nil {
			return nil, fmt.Errorf("page %s: %w", p.name, err)
		}
	}
	return l, nil
}

// assetVersion is a hash over the static files, for their addresses.
func assetVersion() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(files, "static", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := files.ReadFile(path)
		sum.Write(body)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)[:6]), err
}

// visit runs a page for a caller who may see all, and turns its error into a page.
func (c *console) visit(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		caller := web.CallerOf(hr.Context())
		r := &request{Request: hr, w: w, console: c, page: p, language: c.languageOf(w, hr), Caller: caller}
		if !caller.MaySeeAll() {
			r.fail(errForbidden)
			return
		}
		defer r.settle()
		if err := p.serve(r); err != nil && hr.Context().Err() == nil { // else nobody waits any more
			r.fail(err)
		}
	})
}
