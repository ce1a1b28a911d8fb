package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strings"
	"time"

	"scantrail/schemas/texts"
)

//go:embed page.html login.css
var files embed.FS

// pages are what the listener itself shows: the login, and why something was
// refused.
type pages struct {
	texts *texts.Catalog
	page  *template.Template
	style []byte
}

func newPages(catalog *texts.Catalog) (*pages, error) {
	p := &pages{texts: catalog}
	var err error
	if p.page, err = template.ParseFS(files, "page.html"); err != nil {
		return nil, err
	}
	p.style, err = files.ReadFile("login.css")
	return p, err
}

// view is what page.html shows.
type view struct {
	T      texts.Texts
	Title  string
	What   string // why this page and not another
	Remedy string
	Form   bool
	Next   string // where the login leads
	Lead   string // where the page goes on to, after Wait seconds
	Wait   int
}

// language is that of the query, the cookie of the console, or the browser.
func (p *pages) language(r *http.Request) texts.Texts {
	tags := []string{r.URL.Query().Get("lang")}
	if c, err := r.Cookie("scantrail_lang"); err == nil {
		tags = append(tags, c.Value)
	}
	for tag := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ = strings.Cut(tag, ";")
		tags = append(tags, tag)
	}
	return p.texts.Language(tags...)
}

func (p *pages) show(w http.ResponseWriter, status int, v view) {
	var b bytes.Buffer
	if err := p.page.Execute(&b, v); err != nil {
		http.Error(w, v.What, status)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes()) //nolint:errcheck // the client has gone
}

func (p *pages) login(w http.ResponseWriter, r *http.Request, status int, next, wrong string) {
	t := p.language(r)
	v := view{T: t, Title: t.Get("login.title"), Form: true, Next: next}
	if wrong != "" {
		v.What = t.Get(wrong)
	}
	p.show(w, status, v)
}

func (p *pages) message(w http.ResponseWriter, r *http.Request, status int, reason string, args ...any) {
	t := p.language(r)
	v := view{T: t, Title: t.Get("web." + reason + "_title"), What: t.Get("web."+reason, args...), Remedy: t.Get("web."+reason+"_remedy", args...)}
	if reason == "starting" {
		v.Lead, v.Wait = r.URL.RequestURI(), 1
	}
	p.show(w, status, v)
}

// lead shows a page that goes on to a path of this host at once.
func (p *pages) lead(w http.ResponseWriter, r *http.Request, path string) {
	t := p.language(r)
	p.show(w, http.StatusOK, view{T: t, Title: t.Get("app.title"), What: t.Get("login.on"), Lead: localPath(path)})
}

func (p *pages) serveStyle(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=3600")
	http.ServeContent(w, r, "login.css", time.Time{}, bytes.NewReader(p.style))
}
