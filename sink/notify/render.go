package notify

import (
	"embed"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"text/template"
	"time"

	"scantrail/schemas"
	"scantrail/schemas/texts"
)

//go:embed templates/alert.tmpl
var builtIn embed.FS

// MaxTemplateBytes bounds a template of a user.
const MaxTemplateBytes = 64 << 10

// renderer makes the title and the text of messages to one chat.
type renderer struct {
	template *template.Template
	texts    texts.Texts
	zone     *time.Location
	text     medium
	title    medium
	console  string // without a slash at the end; empty: no links
}

// newRenderer reads the template of e. The error says what is wrong with it: each
// is tried on an alert and on a digest.
func newRenderer(e *Receiver, console string) (*renderer, error) {
	catalog, err := texts.Load()
	if err != nil {
		return nil, err
	}
	r := &renderer{
		texts: catalog.Language(e.Language), zone: newSchedule(e).zone, text: mediumOf(e.Kind), title: plainMedium(),
		console: strings.TrimRight(console, "/"),
	}
	source := e.Template
	if source == "" {
		b, err := builtIn.ReadFile("templates/alert.tmpl")
		if err != nil {
			return nil, err
		}
		source = string(b)
	}
	if len(source) > MaxTemplateBytes {
		return nil, fmt.Errorf("has %d bytes, at most %d", len(source), MaxTemplateBytes)
	}
	if r.template, err = template.New("receiver").Option("missingkey=error").Funcs(r.functions(&r.text)).Parse(source); err != nil {
		return nil, err
	}
	for _, part := range []string{"title", "text"} {
		if r.template.Lookup(part) == nil {
			return nil, fmt.Errorf(`has no {{define "%s"}}`, part)
		}
	}
	for _, m := range samples() {
		if _, err := r.render(m, time.UnixMilli(m.changed)); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// functions are what a template can call.
func (r *renderer) functions(in *medium) template.FuncMap {
	return template.FuncMap{
		"t":    func(key string, args ...any) string { return r.texts.Get(key, args...) },
		"bold": in.bold,
		"link": in.link,
	}
}

// rendered is what a chat shows.
type rendered struct {
	title, text string
	link        string
	color       string // of Severity: red, orange, yellow, green, grey
}

var errEmptyText = errors.New("makes an empty title or text")

// render makes the texts of one message.
func (r *renderer) render(m *message, now time.Time) (rendered, error) {
	out := rendered{link: r.linkOf(m), color: colorOf(m)}
	for _, part := range []struct {
		name string
		in   *medium
		to   *string
	}{{"title", &r.title, &out.title}, {"text", &r.text, &out.text}} {
		t, err := r.template.Clone()
		if err != nil {
			return out, err
		}
		var b limitedBuilder
		if err := t.Funcs(r.functions(part.in)).ExecuteTemplate(&b, part.name, r.view(m, part.in, now)); err != nil {
			return out, err
		}
		*part.to = part.in.cut(strings.TrimSpace(b.String()))
		if *part.to == "" {
			return out, errEmptyText
		}
	}
	out.title = strings.Join(strings.Fields(out.title), " ")
	return out, nil
}

// limitedBuilder keeps a template that never ends from taking all memory.
type limitedBuilder struct{ strings.Builder }

func (b *limitedBuilder) Write(p []byte) (int, error) {
	if b.Len()+len(p) > 1<<20 {
		return 0, errors.New("makes more than 1 MiB")
	}
	return b.Builder.Write(p)
}

// linkOf returns the page of the console that shows m, "" without a console. Only
// a number or shop of a plain form gets into a link.
func (r *renderer) linkOf(m *message) string {
	switch {
	case r.console == "":
		return ""
	case m.sum != nil && identifier.MatchString(m.sum.shop):
		return r.console + "/alerts?shop=" + url.QueryEscape(m.sum.shop)
	case m.sum == nil && number.MatchString(m.alert.TrackingNumber):
		return r.console + "/parcels/" + m.alert.TrackingNumber
	}
	return r.console + "/alerts"
}

// number is a canonical tracking number.
var number = regexp.MustCompile(`^[A-Z0-9]{6,40}$`)

func colorOf(m *message) string {
	switch {
	case m.status == schemas.AlertResolved:
		return "green"
	case m.status == schemas.AlertWithdrawn:
		return "grey"
	case m.level >= maxLevel:
		return "red"
	case m.level == 1 || m.sum != nil:
		return "orange"
	}
	return "yellow"
}

// severity names a level as Prometheus does.
func severity(level int) string {
	switch level {
	case 0:
		return "info"
	case 1:
		return "warning"
	}
	return "critical"
}
