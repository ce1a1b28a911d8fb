package carriers

import (
	"fmt"
	"strings"
)

// moment is a time as a carrier states it: fields of a calendar, or an instant.
type moment struct {
	year, month, day, hour, minute, second, milli int64

	instant   bool   // unixMilli holds, not the fields
	unixMilli int64  // of an epoch or of ticks
	hasOffset bool   // the value names its offset
	utc       bool   // the value says UTC
	offset    int64  // seconds
	abbr      string // zone abbreviation
	hasTime   bool   // a time of day stands beside the date
}

// local returns the fields as Unix seconds, read as if they were UTC.
func (m *moment) local() int64 {
	return daysFromCivil(m.year, m.month, m.day)*86400 + m.hour*3600 + m.minute*60 + m.second
}

// daysFromCivil counts days from 1970-01-01 in the proleptic Gregorian
// calendar (years begin in March, so that the leap day is the last).
func daysFromCivil(y, m, d int64) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

func (m *moment) possible() bool {
	if m.month < 1 || m.month > 12 || m.day < 1 || m.hour > 23 || m.minute > 59 || m.second > 60 {
		return false
	}
	days := int64(31)
	switch m.month {
	case 4, 6, 9, 11:
		days = 30
	case 2:
		days = 28
		if m.year%4 == 0 && (m.year%100 != 0 || m.year%400 == 0) {
			days = 29
		}
	}
	return m.day <= days
}

// layout is one exact form of times. Named forms are those of domain formats
// that no pattern can say; a pattern is compiled to one byte per token.
type layout struct {
	source string
	ops    []byte // token letters; a literal is opLiteral and its byte
}

// Tokens of a pattern.
const (
	opLiteral  = '\''
	opYear     = 'Y'
	opMonth2   = 'M'
	opMonth    = 'm'
	opName     = 'B'
	opDay2     = 'D'
	opDay      = 'd'
	opHour2    = 'H'
	opHour     = 'h'
	opMinute   = 'N'
	opSecond   = 'S'
	opFraction = 'f'
	opHalf     = 'A'
	opOffset   = 'Z'
	opAbbr     = 'z'
)

// tokens, longest first where one begins another.
var tokens = [...]struct {
	pattern string
	op      byte
}{
	{"YYYY", opYear}, {"MMMM", opName}, {"MMM", opName}, {"MM", opMonth2}, {"M", opMonth},
	{"DD", opDay2}, {"D", opDay}, {"HH", opHour2}, {"H", opHour}, {"hh", opHour}, {"h", opHour},
	{"mm", opMinute}, {"ss", opSecond}, {".SSS", opFraction}, {"A", opHalf}, {"Z", opOffset}, {"z", opAbbr},
}

const namedLayouts = "rfc3339, iso, epoch_s, epoch_ms, json_date, dotnet_ticks"

// newLayout compiles a pattern.
func newLayout(pattern string) (layout, error) {
	l := layout{source: pattern}
	if strings.Contains(", "+namedLayouts+",", ", "+pattern+",") {
		return l, nil
	}
next:
	for rest := pattern; rest != ""; {
		for _, t := range tokens {
			if strings.HasPrefix(rest, t.pattern) {
				l.ops, rest = append(l.ops, t.op), rest[len(t.pattern):]
				continue next
			}
		}
		c := rest[0]
		if rest = rest[1:]; c == '\'' {
			quoted, after, ok := strings.Cut(rest, "'")
			if !ok {
				return l, fmt.Errorf("layout %q: a quote does not end", pattern)
			}
			for i := range len(quoted) {
				l.ops = append(l.ops, opLiteral, quoted[i])
			}
			rest = after
			continue
		}
		if c|0x20 >= 'a' && c|0x20 <= 'z' && c != 'T' {
			return l, fmt.Errorf("layout %q: %q is no token; tokens: YYYY MM M MMM DD D HH H hh h mm ss .SSS A Z z, other letters in single quotes; or one of %s", pattern, c, namedLayouts)
		}
		l.ops = append(l.ops, opLiteral, c)
	}
	if !strings.Contains(string(l.ops), "Y") {
		return l, fmt.Errorf("layout %q: no year (YYYY) stands in it", pattern)
	}
	return l, nil
}

// parse reads s into m and reports whether it has this form. The fields may
// still be impossible together.
func (l *layout) parse(s string, m *moment) bool {
	*m = moment{}
	if l.ops == nil {
		return parseNamed(l.source, s, m)
	}
	p := cursor{s: s}
	half := byte(0)
	for i := 0; i < len(l.ops); i++ {
		switch l.ops[i] {
		case opLiteral:
			i++
			p.literal(l.ops[i])
		case opYear:
			m.year = p.digits(4, 4)
		case opMonth2:
			m.month = p.digits(2, 2)
		case opMonth:
			m.month = p.digits(1, 2)
		case opName:
			m.month = p.monthName()
		case opDay2:
			m.day = p.digits(2, 2)
		case opDay:
			m.day = p.digits(1, 2)
		case opHour2:
			m.hour, m.hasTime = p.digits(2, 2), true
		case opHour:
			m.hour, m.hasTime = p.digits(1, 2), true
		case opMinute:
			m.minute = p.digits(2, 2)
		case opSecond:
			m.second = p.digits(2, 2)
		case opFraction:
			m.milli = p.fraction()
		case opHalf:
			half = p.half()
		case opOffset:
			m.utc = p.offset(m)
		case opAbbr:
			m.abbr = p.letters()
		}
	}
	if p.bad || p.i != len(s) {
		return false
	}
	return half == 0 || m.halfDay(half)
}

func (m *moment) halfDay(half byte) bool {
	if m.hour < 1 || m.hour > 12 {
		return false
	}
	m.hour %= 12
	if half == 'p' {
		m.hour += 12
	}
	return true
}

func parseNamed(name, s string, m *moment) bool {
	switch name {
	case "rfc3339":
		return parseISO(s, m) && m.hasOffset
	case "iso":
		return parseISO(s, m)
	case "epoch_s", "epoch_ms", "dotnet_ticks":
		return parseEpoch(name, s, m)
	}
	return parseJSONDate(s, m)
}

// parseISO reads YYYY-MM-DD, then T or a space, HH:mm, seconds and a fraction
// where given, and an offset where given.
func parseISO(s string, m *moment) bool {
	if len(s) < 16 || s[4] != '-' || s[7] != '-' || s[10] != 'T' && s[10] != ' ' || s[13] != ':' {
		return false
	}
	century, year := pair(s, 0), pair(s, 2)
	m.year, m.month, m.day = century*100+year, pair(s, 5), pair(s, 8)
	m.hour, m.minute, m.hasTime = pair(s, 11), pair(s, 14), true
	p := cursor{s: s, i: 16, bad: century|year|m.month|m.day|m.hour|m.minute < 0}
	if p.i < len(s) && s[p.i] == ':' {
		p.i++
		m.second = p.digits(2, 2)
		m.milli = p.fraction()
	}
	if p.i < len(s) && !p.bad {
		m.utc = p.offset(m)
	}
	return !p.bad && p.i == len(s)
}

// pair returns the number of the two digits at i, or a negative one.
func pair(s string, i int) int64 {
	tens, units := s[i]-'0', s[i+1]-'0'
	if tens > 9 || units > 9 {
		return -1
	}
	return int64(tens*10 + units)
}

// ticksToUnix is 1970-01-01 in .NET ticks, which count 100 ns from year 1.
const ticksToUnix = 621355968000000000

func parseEpoch(name, s string, m *moment) bool {
	n, ok := number(s, 1, 18)
	if !ok {
		return false
	}
	switch name {
	case "epoch_s":
		n = min(n, 1<<50) * 1000
	case "dotnet_ticks":
		if n != 0 {
			n = (n - ticksToUnix) / 10000
		}
	}
	m.instant, m.unixMilli, m.utc, m.hasOffset, m.hasTime = true, n, true, true, true
	return true
}

// parseJSONDate reads /Date(1700000000000)/ and /Date(1700000000000+0800)/; the
// offset only says where the clock hung.
func parseJSONDate(s string, m *moment) bool {
	s, ok := strings.CutPrefix(s, "/Date(")
	if !ok {
		return false
	}
	if s, ok = strings.CutSuffix(s, ")/"); !ok {
		return false
	}
	offset := int64(0)
	if i := strings.IndexAny(s, "+-"); i > 0 {
		if offset, ok = parseOffset(s[i:]); !ok {
			return false
		}
		s = s[:i]
	}
	if !parseEpoch("epoch_ms", s, m) {
		return false
	}
	m.offset, m.utc = offset, offset == 0
	return true
}

// cursor reads a time from left to right; bad is set where it does not fit.
type cursor struct {
	s   string
	i   int
	bad bool
}

func (p *cursor) digits(least, most int) (n int64) {
	start := p.i
	for p.i < len(p.s) && p.i-start < most && p.s[p.i]-'0' <= 9 {
		n = n*10 + int64(p.s[p.i]-'0')
		p.i++
	}
	if p.i-start < least {
		p.bad = true
	}
	return n
}

func (p *cursor) literal(c byte) {
	if p.i >= len(p.s) || p.s[p.i] != c {
		p.bad = true
		return
	}
	for p.i++; c == ' ' && p.i < len(p.s) && p.s[p.i] == ' '; p.i++ {
	}
}

// fraction reads an optional fraction of a second, in milliseconds.
func (p *cursor) fraction() (milli int64) {
	if p.i >= len(p.s) || p.s[p.i] != '.' && p.s[p.i] != ',' {
		return 0
	}
	start := p.i + 1
	for p.i++; p.i < len(p.s) && p.s[p.i]-'0' <= 9; p.i++ {
		if p.i-start < 3 {
			milli = milli*10 + int64(p.s[p.i]-'0')
		}
	}
	n := p.i - start
	if n == 0 || n > 9 {
		p.bad = true
	}
	for ; n < 3; n++ {
		milli *= 10
	}
	return milli
}

// half reads am, AM, a.m., p. m. and returns 'a' or 'p'.
func (p *cursor) half() byte {
	var letters [2]byte
	n := 0
	for ; p.i < len(p.s) && n < 2; p.i++ {
		switch c := p.s[p.i]; {
		case c == '.' || c == ' ':
		default:
			letters[n] = c | 0x20
			n++
		}
	}
	if p.i < len(p.s) && p.s[p.i] == '.' {
		p.i++
	}
	if letters[0] != 'a' && letters[0] != 'p' || letters[1] != 'm' {
		p.bad = true
	}
	return letters[0]
}

// offset reads an offset up to the end of the string.
func (p *cursor) offset(m *moment) (utc bool) {
	rest := strings.TrimLeft(p.s[min(p.i, len(p.s)):], " ")
	seconds, ok := parseOffset(rest)
	if !ok {
		p.bad = true
		return false
	}
	p.i = len(p.s)
	m.hasOffset, m.offset = true, seconds
	return rest[0] != '+' && rest[0] != '-' && seconds == 0
}

func (p *cursor) letters() string {
	start := p.i
	for p.i < len(p.s) && p.s[p.i]|0x20 >= 'a' && p.s[p.i]|0x20 <= 'z' {
		p.i++
	}
	if p.i-start < 2 {
		p.bad = true
	}
	return p.s[start:p.i]
}

const monthNames = "janfebmaraprmayjunjulaugsepoctnovdec"

// monthName reads an English month, whole or cut to three letters.
func (p *cursor) monthName() int64 {
	name := p.letters()
	if len(name) < 3 {
		return 0
	}
	low := [3]byte{name[0] | 0x20, name[1] | 0x20, name[2] | 0x20}
	for i := 0; i < len(monthNames); i += 3 {
		if monthNames[i:i+3] == text(low[:]) {
			return int64(i/3 + 1)
		}
	}
	p.bad = true
	return 0
}
