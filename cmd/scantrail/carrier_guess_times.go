package main

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"scantrail/ingest/carriers"
)

var zoneValue = regexp.MustCompile(`^(Z|(UTC|GMT)?[+-]\d{1,2}(:?\d\d)?|UTC|GMT|\d{1,2}|[A-Z][A-Za-z]+/[A-Za-z_/]+|[A-Z]{2,5})$`)

// zoneScore reports whether a field names the zone of a time.
func zoneScore(l leaf) bool {
	if !has(l.last, "timezone tz zone offset gmtoffset utcoffset") {
		return false
	}
	return !slices.ContainsFunc(l.values, func(v string) bool { return !zoneValue.MatchString(v) })
}

// knownAbbreviations are those that mean one offset wherever a carrier that
// writes them in capitals prints them in North America or Europe.
var knownAbbreviations = map[string]string{
	"EST": "-05:00", "EDT": "-04:00", "CDT": "-05:00", "MST": "-07:00", "MDT": "-06:00", "PST": "-08:00", "PDT": "-07:00",
	"CET": "+01:00", "CEST": "+02:00", "WET": "+00:00", "WEST": "+01:00", "EET": "+02:00", "EEST": "+03:00", "JST": "+09:00", "AKST": "-09:00", "HST": "-10:00",
}

// findTimes finds the time of the event: one field, or a date with a time of
// day beside it.
func (g *guess) findTimes() {
	var dates, clocks []timeGuess
	for _, l := range g.event.leaves(nil) {
		form, ok := formOf(l.values, has(l.last, timeWords))
		if !ok || zoneScore(l) {
			continue
		}
		t := timeGuess{value: l.path, form: form, words: l.words, score: 12 + timeNameScore(l)}
		if !form.date {
			clocks = append(clocks, t)
			continue
		}
		if form.clock {
			t.score += 3
		}
		if form.offset {
			t.score += 3
		}
		dates = append(dates, t)
	}
	for i := range dates {
		if dates[i].form.clock {
			continue
		}
		if c := clockBeside(&dates[i], clocks); c != nil {
			dates[i].join(c)
		}
	}
	slices.SortStableFunc(dates, func(a, b timeGuess) int { return cmp.Compare(b.score, a.score) })
	g.times = dates
}

func timeNameScore(l leaf) int {
	score := -2 * strings.Count(l.path, ".")
	if has(l.words, "event scan scanned occurred activity checkpoint status process happened") {
		score += 3
	}
	if has(l.words, "gmt utc") {
		score += 2
	}
	if has(l.words, notScans+" created updated recorded received record modified until from to end printed") {
		score -= 8
	}
	return score
}

// clockBeside returns the time of day that belongs to a date: the one whose
// name differs only in the word for it, or the only one in the same object.
func clockBeside(date *timeGuess, clocks []timeGuess) *timeGuess {
	stem := func(t *timeGuess) string {
		var out []string
		for _, w := range t.words {
			if !has([]string{w}, timeWords) && takeApart(w) == nil {
				out = append(out, strings.TrimSuffix(strings.TrimSuffix(w, "date"), "time"))
			}
		}
		return strings.Join(out, " ")
	}
	object := func(p string) string { return p[:strings.LastIndexByte(p, '.')+1] }
	var beside []*timeGuess
	for i := range clocks {
		c := &clocks[i]
		if stem(c) == stem(date) {
			return c
		}
		if object(c.value) == object(date.value) {
			beside = append(beside, c)
		}
	}
	if len(beside) == 1 {
		return beside[0]
	}
	return nil
}

// join makes a date and a time of day one template.
func (t *timeGuess) join(c *timeGuess) {
	t.value = "{" + t.value + "} {" + c.value + "}"
	t.form.clock = true
	t.form.offset = t.form.offset || c.form.offset
	t.score += 3
	product := func(dates []string) (out []string) {
		for _, d := range dates {
			for _, l := range c.form.layouts {
				if d == "iso" || d == "rfc3339" {
					continue
				}
				out = append(out, d+" "+l)
			}
		}
		return out
	}
	// A scan of which only the day is known is better than none: the date alone
	// comes last.
	bare := t.form.layouts
	t.form.layouts = append(product(bare), bare...)
	t.form.others = product(t.form.others)
}

// findParcelFields finds the lane and the product in the parcel, or in the
// record around it.
func (g *guess) findParcelFields(r *carriers.Registry) {
	except := g.event
	if g.parcel == g.event {
		except = nil
	}
	all := g.parcel.leaves(except)
	for a := g.parcel.parent; a != nil; a = a.parent {
		if a != g.root || a.list {
			continue
		}
		for _, l := range a.leaves(g.parcel) {
			l.path = "/" + l.path
			all = append(all, l)
		}
	}
	side := func(list string) string {
		return scored(all, func(l leaf) int {
			s := countryScore(r, "country countrycode origin destination")(l)
			if s == 0 || !has(l.words, list) {
				return 0
			}
			return s
		})
	}
	g.origin = side("origin sender shipper from consignor departure source")
	g.target = side("destination dest receiver recipient consignee to target")
	g.product = scored(all, func(l leaf) int {
		if !has(l.words, "service product mailclass") || !has(l.last, "name type description product service class code mailclass") || has(l.words, placeWords) || personal(l.path) {
			return 0
		}
		return 9 - strings.Count(l.path, ".")
	})
}

// findFault returns a field that holds an error of the carrier, or nil.
func findFault(f, event *field) *field {
	for _, k := range f.kids {
		if k == event {
			continue
		}
		if has(segments(k.key), "error errors fault") && (k.object || len(k.values) > 0) {
			return k
		}
		if found := findFault(k, event); found != nil {
			return found
		}
	}
	return nil
}
