package main

import (
	"regexp"
	"slices"
	"strings"

	"scantrail/ingest/carriers"
)

// timeForm is the form of the values of one field, as a mapping writes it.
type timeForm struct {
	layouts []string
	others  []string // the other reading, where day and month cannot be told apart
	date    bool     // the values have a day
	clock   bool     // and a time of day
	offset  bool     // and an offset or an instant
}

var (
	isoDay    = regexp.MustCompile(`^(\d{4})([-/.])(\d{1,2})([-/.])(\d{1,2})`)
	plainDay  = regexp.MustCompile(`^(19|20)\d{6}(\D|$)`)
	packed    = regexp.MustCompile(`^20\d{10}(\d\d)?$`)
	numberDay = regexp.MustCompile(`^(\d{1,2})([-/.])(\d{1,2})([-/.])(\d{4})`)
	monthDay  = regexp.MustCompile(`^([A-Za-z]{3,9}) (\d{1,2})(,?) (\d{4})`)
	dayMonthN = regexp.MustCompile(`^(\d{1,2})([ -])([A-Za-z]{3,9})([ -])(\d{4})`)
	between   = regexp.MustCompile(`^(T|,? +(- )?|)`)
	clockAt   = regexp.MustCompile(`^(\d{1,2}):\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp]\.? ?[Mm]\.?)?`)
	plainAt   = regexp.MustCompile(`^([01]\d|2[0-3])[0-5]\d([0-5]\d)?$`)
	zoneAt    = regexp.MustCompile(`^ ?(Z|UTC|GMT|(UTC|GMT)?[+-]\d{1,2}(:?\d\d)?)$`)
	abbrAt    = regexp.MustCompile(`^ [A-Z]{3,4}$`)
)

// dayMonth returns the two numbers before the year of a date such as
// 03/04/2026.
func dayMonth(s string) (first, second int, ok bool) {
	m := numberDay.FindStringSubmatch(s)
	if m == nil {
		return 0, 0, false
	}
	return atoi(m[1]), atoi(m[3]), true
}

func atoi(s string) (n int) {
	for i := 0; i < len(s); i++ {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// formOf returns the form that all values of a field have; ok is false where
// one is no time. Instants without a form of their own (epochs, ticks) need a
// field whose name speaks of time.
func formOf(values []string, named bool) (f timeForm, ok bool) {
	order := "" // of day and month, proved by a value
	for _, v := range values {
		if a, b, is := dayMonth(v); is {
			switch {
			case a > 12 && order == "", a > 12 && order == "DM":
				order = "DM"
			case b > 12 && order == "", b > 12 && order == "MD":
				order = "MD"
			case a > 12 || b > 12:
				return f, false
			}
		}
	}
	short := slices.ContainsFunc(values, func(v string) bool { return oneDigit.MatchString(v) })
	for _, v := range values {
		if !f.take(v, order, short, named) {
			return f, false
		}
	}
	return f, len(f.layouts) > 0 && (f.date || f.clock)
}

// oneDigit finds a day, month or hour of one digit.
var oneDigit = regexp.MustCompile(`^\d[-/. ]|[-/. ]\d[-/. ,]|^\d:|[ T]\d:|[-/.]\d$`)

// take adds the layout of one value.
func (f *timeForm) take(v, order string, short, named bool) bool {
	for _, l := range []string{"rfc3339", "iso", "json_date"} {
		if fits, _ := carriers.LayoutFits(l, v); fits {
			f.add(l, "")
			f.date, f.clock, f.offset = true, true, f.offset || l != "iso"
			return true
		}
	}
	if named {
		for n, l := range map[int]string{10: "epoch_s", 13: "epoch_ms", 18: "dotnet_ticks"} {
			if fits, _ := carriers.LayoutFits(l, v); len(v) == n && fits {
				f.add(l, "")
				f.date, f.clock, f.offset = true, true, true
				return true
			}
		}
	}
	if named && packed.MatchString(v) {
		f.add("YYYYMMDDHHmmss"[:len(v)], "")
		f.date, f.clock = true, true
		return true
	}
	day, other, rest := dayForm(v, order, short)
	if named && day == "" && plainAt.MatchString(v) {
		f.add("HHmmss"[:len(v)], "")
		f.clock = true
		return true
	}
	sep, at, ok := clockForm(rest, day == "", short)
	if !ok || day+at == "" {
		return false
	}
	if day != "" {
		f.date = true
		if other != "" {
			other += sep + at
		}
	}
	f.clock = f.clock || at != ""
	f.offset = f.offset || strings.HasSuffix(at, "Z")
	f.add(day+sep+at, other)
	return true
}

func (f *timeForm) add(layout, other string) {
	if !slices.Contains(f.layouts, layout) {
		f.layouts = append(f.layouts, layout)
	}
	if other != "" && !slices.Contains(f.others, other) {
		f.others = append(f.others, other)
	}
}

// dayForm returns the pattern of the date that v begins with, the other
// reading where day and month cannot be told apart, and what follows it.
func dayForm(v, order string, short bool) (pattern, other, rest string) {
	mm, dd := "MM", "DD"
	if short {
		mm, dd = "M", "D"
	}
	if m := isoDay.FindStringSubmatch(v); m != nil {
		return "YYYY" + m[2] + mm + m[4] + dd, "", v[len(m[0]):]
	}
	if plainDay.MatchString(v) {
		return "YYYYMMDD", "", v[8:]
	}
	if m := numberDay.FindStringSubmatch(v); m != nil {
		dmy, mdy := dd+m[2]+mm+m[4]+"YYYY", mm+m[2]+dd+m[4]+"YYYY"
		rest = v[len(m[0]):]
		american := strings.ContainsAny(rest, "AaPp") && m[2] == "/"
		switch {
		case order == "DM":
			return dmy, "", rest
		case order == "MD":
			return mdy, "", rest
		case american:
			return mdy, dmy, rest
		}
		return dmy, mdy, rest
	}
	if m := monthDay.FindStringSubmatch(v); m != nil {
		return "MMMM D" + m[3] + " YYYY", "", v[len(m[0]):]
	}
	if m := dayMonthN.FindStringSubmatch(v); m != nil {
		return "D" + m[2] + "MMMM" + m[4] + "YYYY", "", v[len(m[0]):]
	}
	return "", "", v
}

// clockForm returns the pattern of what follows a date: what stands between,
// and the time of day with its zone. alone is set where there is no date.
func clockForm(v string, alone, short bool) (sep, pattern string, ok bool) {
	if v == "" {
		return "", "", !alone
	}
	if !alone {
		sep = between.FindString(v)
		v = v[len(sep):]
	}
	m := clockAt.FindStringSubmatch(v)
	if m == nil {
		return "", "", false
	}
	hour := "HH"
	if short || len(m[1]) == 1 {
		hour = "H"
	}
	if m[4] != "" {
		hour = "h"
	}
	pattern = hour + ":mm"
	if m[2] != "" {
		pattern += ":ss"
	}
	if m[3] != "" {
		pattern += ".SSS"
	}
	if m[4] != "" {
		pattern += strings.Repeat(" ", strings.Count(m[4][:1], " ")) + "A"
	}
	switch rest := v[len(m[0]):]; {
	case rest == "":
	case zoneAt.MatchString(rest):
		pattern += strings.Repeat(" ", strings.Count(rest[:1], " ")) + "Z"
	case abbrAt.MatchString(rest):
		pattern += " z"
	default:
		return "", "", false
	}
	return sep, pattern, true
}
