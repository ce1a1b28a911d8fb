package world

// Civil time is computed here, by rule and not from a zone database, so that
// the world is an independent witness of how ingest reads local times.

const (
	minute = int64(60)
	hour   = 60 * minute
	day    = 24 * hour
)

type zone uint8

const (
	zoneUTC zone = iota
	zoneChina
	zoneThailand
	zoneLondon
	zoneBerlin
	zoneEastern
	zoneCentral
	zoneMountain
	zonePacific
	zones
)

// standard is each zone's offset from UTC outside summer time.
var standard = [zones]int64{
	zoneUTC: 0, zoneChina: 8 * hour, zoneThailand: 7 * hour, zoneLondon: 0, zoneBerlin: hour,
	zoneEastern: -5 * hour, zoneCentral: -6 * hour, zoneMountain: -7 * hour, zonePacific: -8 * hour,
}

// daysOf counts the days from 1970-01-01 to a civil date.
func daysOf(y, m, d int64) int64 {
	if m <= 2 {
		y--
	}
	era := y / 400
	yoe := y - era*400
	doy := (153*((m+9)%12)+2)/5 + d - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

// civil is the inverse of daysOf, for days since 1970.
func civil(days int64) (y, m, d int64) {
	z := days + 719468
	era := z / 146097
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = doy - (153*mp+2)/5 + 1
	m = (mp+2)%12 + 1
	y = yoe + era*400
	if m <= 2 {
		y++
	}
	return y, m, d
}

// sunday returns the day number of the n-th Sunday of a month, or of the last
// one for n = 0.
func sunday(y, m, n int64) int64 {
	if n == 0 {
		last := daysOf(y, m+1, 1) - 1 // never asked for December
		return last - (last+4)%7
	}
	first := daysOf(y, m, 1)
	return first + (7-(first+4)%7)%7 + 7*(n-1)
}

// summer holds the summer times of the years that a world touches.
type summer struct {
	europe  [][2]int64 // UTC instants
	america [][2]int64 // local standard time
}

func newSummer(from, to int64) summer {
	var s summer
	first, _, _ := civil(from / day)
	last, _, _ := civil(to / day)
	for y := first - 1; y <= last+1; y++ {
		s.europe = append(s.europe, [2]int64{sunday(y, 3, 0)*day + hour, sunday(y, 10, 0)*day + hour})
		s.america = append(s.america, [2]int64{sunday(y, 3, 2)*day + 2*hour, sunday(y, 11, 1)*day + hour})
	}
	return s
}

// offset returns the seconds that local time is ahead of UTC at the instant t.
func (s *summer) offset(z zone, t int64) int64 {
	off := standard[z]
	var times [][2]int64
	switch {
	case z >= zoneEastern:
		times, t = s.america, t+off
	case z >= zoneLondon:
		times = s.europe
	}
	for i := range times {
		if t < times[i][1] {
			if t >= times[i][0] {
				off += hour
			}
			break
		}
	}
	return off
}

// ambiguous reports whether the local time of t happens twice, or lies next to
// a jump.
func (s *summer) ambiguous(z zone, t int64) bool {
	off := s.offset(z, t)
	return off != s.offset(z, t-hour-minute) || off != s.offset(z, t+hour+minute)
}

func append2(b []byte, n int64) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

func append4(b []byte, n int64) []byte { return append2(append2(b, n/100), n%100) }

// appendDate appends 2026-10-01 of a local time, with sep between the parts.
func appendDate(b []byte, local int64, sep string) []byte {
	y, m, d := civil(local / day)
	b = append(append4(b, y), sep...)
	b = append(append2(b, m), sep...)
	return append2(b, d)
}

// appendClock appends 08:12:33 of a local time, with sep between the parts.
func appendClock(b []byte, local int64, sep string) []byte {
	s := local % day
	b = append(append2(b, s/hour), sep...)
	b = append(append2(b, s/minute%60), sep...)
	return append2(b, s%60)
}

func appendDateTime(b []byte, local int64, between byte) []byte {
	return appendClock(append(appendDate(b, local, "-"), between), local, ":")
}

// appendOffset appends +08:00.
func appendOffset(b []byte, off int64) []byte {
	sign := byte('+')
	if off < 0 {
		sign, off = '-', -off
	}
	b = append2(append(b, sign), off/hour)
	return append2(append(b, ':'), off/minute%60)
}

var monthNames = [...]string{"January", "February", "March", "April", "May", "June", "July",
	"August", "September", "October", "November", "December"}
