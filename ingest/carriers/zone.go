package carriers

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones must not depend on the machine
)

// zone is a time zone as a table of its offsets over the years that scans may
// carry: looking one up costs a short search and no allocation.
type zone struct {
	name    string
	from    []int64 // Unix seconds from which the offset of the same index holds
	offsets []int32 // seconds east of UTC
	uncertainty
}

// uncertainty is, in seconds, how far the true instant may lie from the one
// that a zone gives, because a part of the place has another zone.
type uncertainty uint32

const (
	firstYear, lastYear = 2000, 2100
	unknownZone         = 14 * 3600 // seconds: offsets go from -12 h to +14 h
)

// newZone loads a zone by its IANA name.
func newZone(name string) (*zone, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is no IANA time zone", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is no IANA time zone", name)
	}
	z := &zone{name: name}
	end := time.Date(lastYear+2, 1, 1, 0, 0, 0, 0, time.UTC)
	for t := time.Date(firstYear-1, 1, 1, 0, 0, 0, 0, time.UTC); t.Before(end); {
		_, offset := t.In(loc).Zone()
		if n := len(z.offsets); n == 0 || z.offsets[n-1] != int32(offset) {
			z.from, z.offsets = append(z.from, t.Unix()), append(z.offsets, int32(offset))
		}
		_, next := t.In(loc).ZoneBounds()
		if next.IsZero() {
			break
		}
		if !next.After(t) { // at some bounds ZoneBounds returns the bound itself
			next = t.Add(time.Hour)
		}
		t = next
	}
	return z, nil
}

func (z *zone) offset(unix int64) int64 {
	if len(z.from) == 1 {
		return int64(z.offsets[0])
	}
	i, found := slices.BinarySearch(z.from, unix)
	if !found {
		i--
	}
	return int64(z.offsets[max(i, 0)])
}

// instant returns the instant of a local time given as if it were UTC, and the
// offset that holds then. An hour that the clock shows twice means the later
// instant, so that a gap never looks longer than it may be; one that it skips
// is read with the offset before the change.
func (z *zone) instant(local int64) (unix, offset int64) {
	before, after := z.offset(local-86400), z.offset(local+86400)
	if before == after {
		return local - before, before
	}
	first, second := local-before, local-after
	if z.offset(second) == after && (z.offset(first) != before || second > first) {
		return second, after
	}
	return first, before
}

// parseOffset reads "Z", "UTC", "GMT+8", "UTC+02:00", "+0800", "-5", in
// seconds east of UTC.
func parseOffset(s string) (seconds int64, ok bool) {
	switch {
	case s == "Z" || s == "z":
		return 0, true
	case len(s) >= 3 && (foldEqual(s[:3], "UTC") || foldEqual(s[:3], "GMT")):
		if s = strings.TrimLeft(s[3:], " "); s == "" {
			return 0, true
		}
	}
	if len(s) < 2 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	digits, minutes := s[1:], ""
	if i := strings.IndexByte(digits, ':'); i >= 0 {
		digits, minutes = digits[:i], digits[i+1:]
		if len(minutes) != 2 {
			return 0, false
		}
	} else if len(digits) > 2 {
		digits, minutes = digits[:len(digits)-2], digits[len(digits)-2:]
	}
	h, okH := number(digits, 1, 2)
	m, okM := int64(0), true
	if minutes != "" {
		m, okM = number(minutes, 2, 2)
	}
	seconds = h*3600 + m*60
	if !okH || !okM || m > 59 || seconds > unknownZone {
		return 0, false
	}
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// number reads a whole string of digits.
func number(s string, least, most int) (n int64, ok bool) {
	if len(s) < least || len(s) > most {
		return 0, false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

func foldEqual(s, upper string) bool {
	if len(s) != len(upper) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i]&^0x20 != upper[i] {
			return false
		}
	}
	return true
}

//go:embed countries.csv
var countriesCSV string

//go:embed regions.csv
var regionsCSV string

// moreZones may stand in the zone fields of scans, beside the zones of the two
// tables above.
const moreZones = "UTC Etc/UTC Asia/Jakarta Asia/Makassar Asia/Jayapura Europe/Moscow Asia/Yekaterinburg Asia/Novosibirsk Asia/Vladivostok America/Mexico_City America/Tijuana America/Cancun Asia/Almaty Atlantic/Canary Asia/Urumqi America/Detroit America/Boise Europe/Kiev Asia/Calcutta Asia/Saigon"

// geography knows countries, their names and the time zones of places.
type geography struct {
	countries map[string]string // alpha-2, alpha-3 or a name, upper case -> alpha-2
	byCountry map[string]*zone  // alpha-2
	byRegion  map[string]*zone  // "US/NY"
	zones     map[string]*zone  // IANA name
	alpha2    [26][26]string    // most countries come as two capital letters
	zoneOf    [26][26]*zone     // byCountry again
}

func newGeography() (*geography, error) {
	g := &geography{countries: map[string]string{}, byCountry: map[string]*zone{}, byRegion: map[string]*zone{}, zones: map[string]*zone{}}
	for _, f := range rows(countriesCSV, 5) {
		g.countries[f[0]], g.countries[f[1]] = f[0], f[0]
		g.alpha2[f[0][0]-'A'][f[0][1]-'A'] = f[0]
		for _, name := range strings.Split(f[4], ";") {
			g.countries[strings.ToUpper(name)] = f[0]
		}
		if f[2] != "" {
			if err := g.place(g.byCountry, f[0], f[2], f[3]); err != nil {
				return nil, err
			}
		}
	}
	for c, z := range g.byCountry {
		g.zoneOf[c[0]-'A'][c[1]-'A'] = z
	}
	for _, f := range rows(regionsCSV, 4) {
		if err := g.place(g.byRegion, f[0]+"/"+f[1], f[2], f[3]); err != nil {
			return nil, err
		}
	}
	for _, name := range strings.Fields(moreZones) {
		if _, err := g.zone(name); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func rows(csv string, fields int) (out [][]string) {
	for _, line := range strings.Split(csv, "\n") {
		if f := strings.SplitN(line, ",", fields); len(f) == fields && !strings.HasPrefix(line, "#") {
			out = append(out, f)
		}
	}
	return out
}

func (g *geography) zone(name string) (*zone, error) {
	if z := g.zones[name]; z != nil {
		return z, nil
	}
	z, err := newZone(name)
	if err == nil {
		g.zones[name] = z
	}
	return z, err
}

func (g *geography) place(m map[string]*zone, key, name, seconds string) error {
	z, err := g.zone(name)
	if err != nil {
		return err
	}
	if n, _ := strconv.Atoi(seconds); n != 0 {
		part := *z
		part.uncertainty = uncertainty(n)
		z = &part
	}
	m[key] = z
	return nil
}

// country returns the ISO 3166-1 alpha-2 code of a code or name, or "".
func (g *geography) country(s string) string {
	if len(s) < 2 || len(s) > 60 {
		return ""
	}
	if first, second := s[0]-'A', s[1]-'A'; len(s) == 2 && first < 26 && second < 26 {
		return g.alpha2[first][second]
	}
	var b [60]byte
	return g.countries[text(b[:upper(b[:], s)])]
}

// ofCountry returns the zone of a country, given as its ISO 3166-1 alpha-2 code,
// where it has one alone, or nil.
func (g *geography) ofCountry(code string) *zone {
	if len(code) != 2 || code[0]-'A' > 25 || code[1]-'A' > 25 {
		return nil
	}
	return g.zoneOf[code[0]-'A'][code[1]-'A']
}

// region returns the zone of a region of a country, or nil.
func (g *geography) region(country, region string) *zone {
	if len(country) != 2 || len(region) < 2 || len(region) > 3 {
		return nil
	}
	b := [6]byte{country[0], country[1], '/'}
	n := 3 + upper(b[3:], region)
	return g.byRegion[text(b[:n])]
}

func upper(dst []byte, s string) int {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		dst[i] = c
	}
	return len(s)
}
