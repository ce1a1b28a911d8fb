package console

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"scantrail/cmd/scantrail/query"
	"scantrail/cmd/scantrail/web"
)

var errForbidden = errors.New("this caller may not see the console")

// request is one visit of one page.
type request struct {
	*http.Request
	*language
	w       http.ResponseWriter
	console *console
	page    page
	Caller  web.Caller
	asked   []*answer // by ask
	waited  time.Time // since when, by await
}

// param returns a parameter of the URL without space around it, cut to a sane
// length.
func (r *request) param(name string) string {
	return Cut(200, strings.TrimSpace(Clean(r.URL.Query().Get(name))))
}

// pageNo is the page of a long list that ?page= asks for, from 1.
func (r *request) pageNo() int {
	n, err := strconv.Atoi(r.param("page"))
	if err != nil || n < 1 || n > 100_000 {
		return 1
	}
	return n
}

// wantsCSV reports whether the page is asked for as a file.
func (r *request) wantsCSV() bool { return r.param("format") == "csv" }

// redirect sends the browser to another page, with GET.
func (r *request) redirect(to string) error {
	http.Redirect(r.w, r.Request, to, http.StatusSeeOther)
	return nil
}

// render shows the page with its data under a title (which says, beside the name
// of the page, what it is about).
func (r *request) render(title string, data any) error {
	return r.write(http.StatusOK, r.page.name, title, data)
}

func (r *request) write(status int, name, title string, data any) error {
	v := &view{Title: Clean(title), Page: r.page.name, Lang: r.Tag, Caller: r.Caller, Data: data, r: r}
	var out bytes.Buffer
	block := "layout"
	if r.Header.Get("Scantrail-Refresh") != "" {
		block = "main" // the script puts it in the place of the old one
	}
	if err := r.templates[name].ExecuteTemplate(&out, block, v); err != nil {
		return err
	}
	h := r.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", r.Tag)
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept-Language, Cookie, Scantrail-Refresh")
	body := Clean(out.String())
	h.Set("Content-Length", strconv.Itoa(len(body)))
	r.w.WriteHeader(status)
	io.WriteString(r.w, body)               //nolint:errcheck // whoever asked may have gone away
	http.NewResponseController(r.w).Flush() //nolint:errcheck // as above
	return nil
}

// fail shows the page of an error.
func (r *request) fail(err error) {
	status, kind := http.StatusInternalServerError, "broken"
	switch {
	case errors.Is(err, query.ErrNone):
		status, kind = http.StatusNotFound, "none"
	case errors.Is(err, query.ErrWrong):
		status, kind = http.StatusBadRequest, "wrong"
	case errors.Is(err, errForbidden):
		status, kind = http.StatusForbidden, "forbidden"
	case errors.Is(err, query.ErrNoTables):
		status, kind = http.StatusServiceUnavailable, "starting"
		r.w.Header().Set("Refresh", "3")
	case errors.Is(err, query.ErrSlow):
		status, kind = http.StatusGatewayTimeout, "slow"
	}
	if status >= http.StatusInternalServerError {
		r.console.log.Warn("a page of the console failed", "page", r.page.name, "error", err)
	}
	data := map[string]any{"Kind": kind, "Detail": ""}
	if kind == "broken" || kind == "wrong" {
		data["Detail"] = Cut(400, Clean(err.Error()))
	}
	r.page.name = "error"
	if err := r.write(status, "error", r.Get("error."+kind), data); err != nil {
		r.console.log.Error("the error page failed", "error", err)
		http.Error(r.w, "The console failed; the log says why.", http.StatusInternalServerError)
	}
}

// view is what every template gets: $ in it.
type view struct {
	Title  string
	Page   string // name
	Lang   string
	Caller web.Caller
	Data   any // of the page itself
	r      *request
}

// NavItem is one entry of the navigation.
type NavItem struct {
	Name, Path string
	Current    bool
}

// Nav lists the pages of the navigation.
func (v *view) Nav() []NavItem {
	var items []NavItem
	for _, p := range v.r.console.nav {
		_, path, _ := strings.Cut(p.pattern, " ")
		items = append(items, NavItem{p.name, strings.TrimSuffix(path, "{$}"), p.name == v.Page})
	}
	return items
}

// Languages lists the tags of all languages.
func (v *view) Languages() []string { return v.r.console.Texts.Tags() }

// Param returns a parameter of the URL, for forms to show it again.
func (v *view) Param(name string) string { return v.r.param(name) }

// With is the address of this page with other parameters, given as pairs; an empty
// value removes one. The page of a list starts anew, unless it is given.
func (v *view) With(pairs ...string) string {
	q := v.r.URL.Query()
	q.Del("page")
	q.Del("format")
	q.Del("lang")
	for _, said := range []string{"done", "n", "busy"} { // of what was just done
		q.Del(said)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if q.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	return (&url.URL{Path: v.r.URL.Path, RawQuery: q.Encode()}).String()
}

// Path is the address of this page without any parameter.
func (v *view) Path() string { return v.r.URL.Path }

// At is the address of another page with the parameters of this one.
func (v *view) At(path string) string {
	u, err := url.Parse(v.With())
	if err != nil {
		return path
	}
	return (&url.URL{Path: path, RawQuery: u.RawQuery}).String()
}

// CSV is the address of this page as a file.
func (v *view) CSV() string { return v.With("format", "csv") }

// Pager tells the template "pager" where in a long list this page is.
type Pager struct{ Page, PageSize, Rows int } // Rows: in all

// Pages is how many pages there are.
func (p Pager) Pages() int { return max(1, (p.Rows+p.PageSize-1)/p.PageSize) }

// Prev is the page before, 0: none.
func (p Pager) Prev() int { return min(p.Page-1, p.Pages()) }

// Next is the following page, 0: none.
func (p Pager) Next() int {
	if p.Page >= p.Pages() {
		return 0
	}
	return p.Page + 1
}

// First and Last number the rows shown.
func (p Pager) First() int { return min((p.Page-1)*p.PageSize+1, p.Rows) }

// Last is the number of the last row shown.
func (p Pager) Last() int { return min(p.Page*p.PageSize, p.Rows) }

// Filter is one select of a form; Set names the texts of its values.
type Filter struct {
	Name    string // parameter of the URL, and text filter.NAME
	Set     string // of the values' names; empty: they are shown as they are
	Value   string // chosen; empty: all
	Options []string
}

// filter reads a filter from the URL; its value is among the options even where
// no row has it now.
func (r *request) filter(name, set string, options []string) Filter {
	f := Filter{Name: name, Set: set, Value: r.param(name), Options: options}
	if f.Value != "" && !slices.Contains(options, f.Value) {
		f.Options = append(slices.Clone(options), f.Value)
	}
	return f
}
