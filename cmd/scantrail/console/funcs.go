package console

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"scantrail/schemas/texts"
)

// words are the template functions of one language. What they return is escaped by
// html/template, but for the elements that they make themselves.
type words struct{ texts.Texts }

func (w words) funcs(asset string) template.FuncMap {
	return template.FuncMap{
		"t":        w.Get,      // t "page.key" args...: a text
		"name":     w.name,     // name "milestone" .Milestone: the text of a closed set's value, else the value
		"time":     w.utc,      // time .At: <time>, UTC
		"local":    w.local,    // local .At .OffsetMinutes: <time> at the place
		"day":      w.day,      // day .At: 2026-11-14
		"duration": w.duration, // duration .Secs, or a time.Duration: 2 d 4 h
		"between":  w.between,  // between .From .To: duration from one to the other
		"number":   number,     // number .N: 12,345
		"decimal":  decimal,    // decimal 1 .X: 12.3; – for nil
		"percent":  percent,    // percent .Share: 12.3 %
		"clean":    Clean,      // the whole page is cleaned already; for lengths and attributes
		"cut":      Cut,        // cut 120 .Text: with an ellipsis
		"dict":     dict,       // dict "a" .A "b" .B: several values for a template
		"add":      func(a, b int) int { return a + b },
		"hours":    func(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) },
		"days":     func(d time.Duration) string { return decimal(1, d.Hours()/24) }, // days .Silent: 3.4
		"bytes":    func(n int64) string { return bytesText(float64(n)) },            // bytes .Size: 1.2 MiB
		"loss":     func(detail string) string { return lossDetail(w.Texts, detail) },
		"signed":   signed,     // signed .Change: +1.2, −0.3
		"dwell":    w.dwell,    // dwell .P50: 2 d 4 h, from hours
		"lag":      shortHours, // lag .Secs: hours with a digit after the point, for a narrow cell
		"ratio":    ratio,      // ratio .Seen .Due: 93.1 %; – for none due
		"asset":    func() string { return asset },
	}
}

// none stands where there is no value.
const none = "–"

// name returns the text set.value, or the value itself where there is none: a
// carrier or a policy may bring new ones.
func (w words) name(set string, value any) string {
	v := fmt.Sprint(value)
	if key := set + "." + v; v != "" && w.Has(key) {
		return w.Get(key)
	}
	if v == "" {
		return none
	}
	return v
}

func instant(at any) (time.Time, bool) {
	switch at := at.(type) {
	case time.Time:
		return at, !at.IsZero()
	case *time.Time:
		if at != nil {
			return *at, !at.IsZero()
		}
	}
	return time.Time{}, false
}

func element(at time.Time, text string) template.HTML {
	return template.HTML(`<time datetime="` + at.UTC().Format(time.RFC3339) + `">` + text + `</time>`) //nolint:gosec // digits alone
}

// utc shows an instant to the minute, in UTC.
func (w words) utc(at any) template.HTML {
	t, ok := instant(at)
	if !ok {
		return none
	}
	return element(t, t.UTC().Format("2006-01-02 15:04")+` <span class="zone">UTC</span>`)
}

// local shows an instant as the clocks at the place showed it, with their offset.
func (w words) local(at any, offsetMinutes int32) template.HTML {
	t, ok := instant(at)
	if !ok {
		return none
	}
	t = t.In(time.FixedZone("", int(offsetMinutes)*60))
	return element(t, t.Format("2006-01-02 15:04")+` <span class="zone">`+t.Format("-07:00")+`</span>`)
}

func (w words) day(at any) string {
	t, ok := instant(at)
	if !ok {
		return none
	}
	return t.UTC().Format("2006-01-02")
}

// duration shows seconds (any number) or a time.Duration by its two largest units.
func (w words) duration(d any) string {
	secs, ok := seconds(d)
	if !ok {
		return none
	}
	sign := ""
	if secs < 0 {
		sign, secs = "−", -secs
	}
	units := []struct {
		key  string
		secs int64
	}{{"time.d", 86400}, {"time.h", 3600}, {"time.min", 60}, {"time.s", 1}}
	for i, u := range units {
		if secs < u.secs && u.secs > 1 {
			continue
		}
		text := w.Get(u.key, secs/u.secs)
		if i < 2 && secs%u.secs >= units[i+1].secs && secs/u.secs < 30 { // seconds matter to nobody here
			text += " " + w.Get(units[i+1].key, secs%u.secs/units[i+1].secs)
		}
		return sign + text
	}
	return none
}

func seconds(d any) (int64, bool) {
	if d, ok := d.(time.Duration); ok {
		return int64(d / time.Second), true
	}
	f, ok := float(d)
	return int64(f), ok
}

func (w words) between(from, to any) string {
	a, ok := instant(from)
	b, ok2 := instant(to)
	if !ok || !ok2 {
		return none
	}
	return w.duration(b.Sub(a))
}

// float reads any number, or a pointer to one; false for nil and for NaN.
func float(n any) (float64, bool) {
	switch n := n.(type) {
	case nil:
		return 0, false
	case *float64:
		if n == nil {
			return 0, false
		}
		return float(*n)
	case float64:
		return n, !math.IsNaN(n) && !math.IsInf(n, 0)
	case *int64:
		if n == nil {
			return 0, false
		}
		return float64(*n), true
	}
	f, err := strconv.ParseFloat(fmt.Sprint(n), 64)
	return f, err == nil && !math.IsNaN(f)
}

func number(n any) string {
	f, ok := float(n)
	if !ok {
		return none
	}
	return decimal(0, f)
}

// decimal shows a number with so many digits after the point and commas between
// thousands, as English and Chinese both write it.
func decimal(digits int, n any) string {
	f, ok := float(n)
	if !ok {
		return none
	}
	text := strconv.FormatFloat(math.Abs(f), 'f', digits, 64)
	whole, rest, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		whole += "." + rest
	}
	if f < 0 && strings.ContainsAny(whole, "123456789") {
		whole = "−" + whole
	}
	return whole
}

func (w words) dwell(h any) string {
	f, ok := float(h)
	if !ok {
		return none
	}
	return w.duration(3600 * f)
}

func shortHours(secs any) string {
	f, ok := float(secs)
	if !ok {
		return none
	}
	if f >= 36000 {
		return decimal(0, f/3600)
	}
	return decimal(1, f/3600)
}

func ratio(n, of uint64) string {
	if of == 0 {
		return none
	}
	return percent(float64(n) / float64(of))
}

// signed shows a change with one digit after the point.
func signed(n any) string {
	f, ok := float(n)
	if !ok {
		return none
	}
	text := decimal(1, f)
	if f > 0 && strings.ContainsAny(text, "123456789") {
		text = "+" + text
	}
	return text
}

func percent(share any) string {
	f, ok := float(share)
	if !ok {
		return none
	}
	return decimal(1, 100*f) + " %"
}

func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: %d values: pairs of a name and a value", len(pairs))
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m, nil
}
