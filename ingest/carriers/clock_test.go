package carriers

import (
	"testing"
	"time"
)

func TestLayouts(t *testing.T) {
	tests := []struct {
		layout, value string
		want          string // RFC 3339 of the fields as UTC, or of the instant; "" for a misfit
		offset        int64
	}{
		{"rfc3339", "2026-10-01T08:12:33Z", "2026-10-01T08:12:33Z", 0},
		{"rfc3339", "2026-10-01T08:12:33.1234567+02:00", "2026-10-01T08:12:33.123Z", 7200},
		{"rfc3339", "2026-10-01 08:12:33+0530", "2026-10-01T08:12:33Z", 19800},
		{"rfc3339", "2026-10-01T08:12:33", "", 0},
		{"iso", "2026-10-01T08:12:33", "2026-10-01T08:12:33Z", 0},
		{"iso", "2026-10-01 08:12", "2026-10-01T08:12:00Z", 0},
		{"iso", "2026-10-01T08:12:33.", "", 0},
		{"iso", "2026-10-01", "", 0},
		{"YYYY-MM-DD HH:mm", "2026-10-01 08:12", "2026-10-01T08:12:00Z", 0},
		{"DD-MM-YYYY HH:mm", "03-10-2026 08:12", "2026-10-03T08:12:00Z", 0},
		{"DD.MM.YYYY HH:mm", "03.10.2026 08:12", "2026-10-03T08:12:00Z", 0},
		{"MM/DD/YYYY hh:mm A", "10/03/2026 12:05 AM", "2026-10-03T00:05:00Z", 0},
		{"M/D/YYYY h:mm:ss A", "1/3/2026 12:05:09 PM", "2026-01-03T12:05:09Z", 0},
		{"M/D/YYYY h:mm:ss A", "1/3/2026 13:05:09 PM", "", 0},
		{"MMMM D, YYYY h:mm A", "April 28, 2015 9:01 am", "2015-04-28T09:01:00Z", 0},
		{"MMMM D, YYYY h:mm A", "Apr 28, 2015 9:01 p.m.", "2015-04-28T21:01:00Z", 0},
		{"YYYYMMDD HHmmss", "20261001 081233", "2026-10-01T08:12:33Z", 0},
		{"YYYYMMDDHHmm", "202610010812", "2026-10-01T08:12:00Z", 0},
		{"YYYY-MM-DD HH:mm:ss Z", "2026-10-01 08:12:33 UTC", "2026-10-01T08:12:33Z", 0},
		{"YYYY-MM-DD HH:mm:ss Z", "2026-10-01 08:12:33 GMT-04:00", "2026-10-01T08:12:33Z", -14400},
		{"YYYY-MM-DD HH:mm:ss z", "2026-10-01 08:12:33 EST", "2026-10-01T08:12:33Z", 0},
		{"YYYY-MM-DD'T'HH:mm:ss.SSS", "2026-10-01T08:12:33.5", "2026-10-01T08:12:33.5Z", 0},
		{"epoch_s", "1790812353", "2026-09-30T23:52:33Z", 0},
		{"epoch_ms", "1790812353123", "2026-09-30T23:52:33.123Z", 0},
		{"epoch_ms", "1790812353123x", "", 0},
		{"json_date", "/Date(1790812353000)/", "2026-09-30T23:52:33Z", 0},
		{"json_date", "/Date(1790812353000+0800)/", "2026-09-30T23:52:33Z", 28800},
		{"dotnet_ticks", "639264091530000000", "2026-09-30T23:52:33Z", 0},
	}
	for _, tt := range tests {
		l, err := newLayout(tt.layout)
		if err != nil {
			t.Fatal(err)
		}
		var m moment
		if ok := l.parse(tt.value, &m); ok != (tt.want != "") {
			t.Errorf("%q as %s: fits %v", tt.value, tt.layout, ok)
			continue
		}
		if tt.want == "" {
			continue
		}
		milli := m.unixMilli
		if !m.instant {
			milli = m.local()*1000 + m.milli
		}
		if got := time.UnixMilli(milli).UTC().Format(time.RFC3339Nano); got != tt.want || m.offset != tt.offset {
			t.Errorf("%q as %s: %s offset %d, want %s offset %d", tt.value, tt.layout, got, m.offset, tt.want, tt.offset)
		}
	}
	for _, bad := range []string{"MM-DD", "YYYY-mm-qq", "YYYY 'x", "HH:mm"} {
		if _, err := newLayout(bad); err == nil {
			t.Errorf("layout %q is accepted", bad)
		}
	}
}

func TestDaysFromCivil(t *testing.T) {
	for day := time.Date(1995, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2110; day = day.AddDate(0, 0, 1) {
		y, m, d := day.Date()
		if got := daysFromCivil(int64(y), int64(m), int64(d)) * 86400; got != day.Unix() {
			t.Fatalf("%s: %d, want %d", day, got, day.Unix())
		}
	}
}

func TestParseOffset(t *testing.T) {
	for in, want := range map[string]int64{
		"Z": 0, "UTC": 0, "GMT": 0, "+8": 28800, "+08": 28800, "+0800": 28800, "+08:00": 28800, "-5": -18000,
		"GMT+2": 7200, "UTC+02:00": 7200, "GMT-03:30": -12600, "+545": 20700,
	} {
		if got, ok := parseOffset(in); !ok || got != want {
			t.Errorf("parseOffset(%q) = %d, %v, want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "8", "EST", "+", "+15", "+8:0", "+08:60", "++8", "UTC8", "+08000"} {
		if got, ok := parseOffset(in); ok {
			t.Errorf("parseOffset(%q) = %d", in, got)
		}
	}
}

// The table of a zone says what package time says, and the later instant where
// the clock shows an hour twice.
func TestZones(t *testing.T) {
	for _, name := range []string{"Asia/Shanghai", "America/New_York", "Europe/London", "America/Jamaica", "Australia/Sydney", "Africa/Casablanca", "America/St_Johns"} {
		z, err := newZone(name)
		if err != nil {
			t.Fatal(err)
		}
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for at := time.Date(2000, 1, 1, 0, 30, 0, 0, time.UTC); at.Year() < 2100; at = at.Add(31 * time.Hour) {
			_, want := at.In(loc).Zone()
			if got := z.offset(at.Unix()); got != int64(want) {
				t.Fatalf("%s at %s: %d, want %d", name, at, got, want)
			}
			if unix, _ := z.instant(at.Unix() + int64(want)); unix < at.Unix() || unix > at.Unix()+3600 {
				t.Fatalf("%s at %s: local time goes back to %s", name, at, time.Unix(unix, 0).UTC())
			}
		}
	}
	ny, _ := newZone("America/New_York")
	local := func(s string) int64 {
		at, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return at.Unix()
	}
	for in, want := range map[string]string{
		"2026-11-01 01:30": "2026-11-01T06:30:00Z", // twice: the later
		"2026-11-01 00:30": "2026-11-01T04:30:00Z",
		"2026-11-01 02:30": "2026-11-01T07:30:00Z",
		"2026-03-08 02:30": "2026-03-08T07:30:00Z", // skipped
		"2026-03-08 03:30": "2026-03-08T07:30:00Z",
	} {
		unix, _ := ny.instant(local(in))
		if got := time.Unix(unix, 0).UTC().Format(time.RFC3339); got != want {
			t.Errorf("New York %s: %s, want %s", in, got, want)
		}
	}
	for _, bad := range []string{"", "Local", "Mars/Olympus", "../etc/passwd"} {
		if _, err := newZone(bad); err == nil {
			t.Errorf("zone %q is accepted", bad)
		}
	}
}

func TestGeography(t *testing.T) {
	g, err := newGeography()
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"CN": "CN", "gb": "GB", "GBR": "GB", "JAM": "JM", "Spain": "ES", "UNITED STATES": "US", "usa": "US", "中国": "CN",
		"Hong Kong": "HK", "CANADA": "CA", "": "", "ZZ": "", "Atlantis": "", "X": "",
	} {
		if got := g.country(in); got != want {
			t.Errorf("country(%q) = %q, want %q", in, got, want)
		}
	}
	if z := g.region("US", "ny"); z == nil || z.name != "America/New_York" {
		t.Errorf("US/ny: %v", z)
	}
	if z := g.region("US", "TX"); z == nil || z.uncertainty != 3600 {
		t.Errorf("US/TX: %v", z)
	}
	if g.byCountry["US"] != nil || g.byCountry["CN"] == nil {
		t.Error("the United States have many zones, China one")
	}
}
