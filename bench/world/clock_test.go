package world

import (
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	names := map[zone]string{zoneChina: "Asia/Shanghai", zoneThailand: "Asia/Bangkok", zoneLondon: "Europe/London",
		zoneBerlin: "Europe/Berlin", zoneEastern: "America/New_York", zoneCentral: "America/Chicago",
		zoneMountain: "America/Denver", zonePacific: "America/Los_Angeles"}
	s := newSummer(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	for z, name := range names {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Skip("no zone database here: ", err)
		}
		for at := int64(1704067200); at < 1861920000; at += 1799 {
			local := time.Unix(at, 0).In(loc)
			_, off := local.Zone()
			if got := s.offset(z, at); got != int64(off) {
				t.Fatalf("%s: offset %d at %v, want %d", name, got, local, off)
			}
			if got := string(appendDateTime(nil, at+int64(off), 'T')); got != local.Format("2006-01-02T15:04:05") {
				t.Fatalf("%s: %s, want %v", name, got, local)
			}
		}
	}
}

// The check digits are those of numbers that the carriers print as examples.
func TestCheckDigits(t *testing.T) {
	if c := checkS10([]byte("12345678")); c != '5' {
		t.Errorf("S10: %c", c)
	}
	if c := checkUPS([]byte("999AA1012345678")); c != '4' {
		t.Errorf("UPS: %c", c)
	}
	if c := checkFedEx([]byte("98657878885")); c != '5' {
		t.Errorf("FedEx: %c", c)
	}
	for i := range 300 {
		for want, got := range map[int][]byte{
			13: appendS10(nil, "LA", "CN", 1, i*1_000_003),
			18: appendUPS(nil, 1, i*1_000_003),
			12: appendFedEx(nil, 1, i*1_000_003),
		} {
			if len(got) != want {
				t.Fatalf("number %s has not %d characters", got, want)
			}
		}
	}
}
