package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Quiet is when nothing is sent: from one time of day to another, on the days on
// which it begins.
type Quiet struct {
	Days  [7]bool // by time.Weekday
	From  int     // minutes since midnight
	Until int     // up to 24 hours; not after From: on the next day
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseQuiet reads "22:00-07:00", "mon-fri 22:00-07:00" or "sat,sun 00:00-24:00".
func ParseQuiet(s string) (Quiet, error) {
	q := Quiet{Days: [7]bool{true, true, true, true, true, true, true}}
	fields := strings.Fields(s)
	if len(fields) == 2 {
		days, err := parseDays(fields[0])
		if err != nil {
			return q, fmt.Errorf("%.60q: %w", s, err)
		}
		q.Days, fields = days, fields[1:]
	}
	if len(fields) != 1 {
		return q, fmt.Errorf("%.60q is no such time: want days and hours, such as mon-fri 22:00-07:00", s)
	}
	from, until, _ := strings.Cut(fields[0], "-")
	var ok1, ok2 bool
	q.From, ok1 = parseClock(from)
	q.Until, ok2 = parseClock(until)
	if !ok1 || !ok2 || q.From == 24*60 || q.From == q.Until {
		return q, fmt.Errorf("%.60q is no such time: want two different times of day, such as 22:00-07:00", s)
	}
	return q, nil
}

func parseDays(s string) (days [7]bool, err error) {
	for _, item := range strings.Split(strings.ToLower(s), ",") {
		first, last, isRange := strings.Cut(item, "-")
		from, to := slices.Index(weekdays, first), slices.Index(weekdays, last)
		if !isRange {
			to = from
		}
		if from < 0 || to < 0 {
			return days, fmt.Errorf("%.20q is no day: want some of mon, tue, wed, thu, fri, sat, sun", item)
		}
		for d := from; ; d = (d + 1) % 7 {
			days[d] = true
			if d == to {
				break
			}
		}
	}
	return days, nil
}

// parseClock reads 09:30 as minutes since midnight; 24:00 is the end of a day.
func parseClock(s string) (int, bool) {
	if s == "24:00" {
		return 24 * 60, true
	}
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err == nil && len(s) == 5
}

// covers reports whether it is quiet at t, which is in the zone that counts.
func (q Quiet) covers(t time.Time) bool {
	at, day := t.Hour()*60+t.Minute(), int(t.Weekday())
	if q.Until > q.From {
		return q.Days[day] && at >= q.From && at < q.Until
	}
	return q.Days[day] && at >= q.From || q.Days[(day+6)%7] && at < q.Until
}

// timeProblems says what is wrong with zone, quiet hours and digests.
func (e *Receiver) timeProblems(add func(field, what, remedy string)) {
	if _, err := time.LoadLocation(e.Zone); err != nil || e.Zone == "Local" {
		add("zone", fmt.Sprintf("%.40q is no zone", e.Zone), "give an IANA name, such as Asia/Shanghai")
	}
	if e.Language != "" && e.Language != "en" && e.Language != "zh" {
		add("language", fmt.Sprintf("%.20q is not there", e.Language), "choose en or zh")
	}
	for i, s := range e.QuietHours {
		if _, err := ParseQuiet(s); err != nil {
			add(fmt.Sprintf("quiet_hours[%d]", i), err.Error(), "")
		}
	}
	if e.QuietExceptLevel < 0 || e.QuietExceptLevel > maxLevel {
		add("quiet_except_level", fmt.Sprintf("%d is out of range", e.QuietExceptLevel), fmt.Sprintf("choose 1 or %d, or leave it out: then nothing is sent", maxLevel))
	}
	if _, ok := parseClock(e.DigestAt); e.DigestAt != "" && (!ok || e.DigestAt == "24:00") {
		add("digest_at", fmt.Sprintf("%.20q is no time of day", e.DigestAt), "write it as 09:00")
	}
	if e.DigestEvery != 0 && (e.DigestEvery < time.Minute || e.DigestEvery > 24*time.Hour) {
		add("digest_every", fmt.Sprintf("%s is out of range", e.DigestEvery), "choose 1m to 24h")
	}
	if e.DigestAt != "" && e.DigestEvery != 0 {
		add("digest_every", "stands beside digest_at", "keep one of them")
	}
	if kind := e.Kind.or(); kind == KindAlertmanager || kind == KindKafka {
		for _, f := range []struct {
			name string
			set  bool
		}{
			{"quiet_hours", len(e.QuietHours) > 0}, {"digest_at", e.DigestAt != ""}, {"digest_every", e.DigestEvery != 0}, {"rate_per_minute", e.RatePerMinute != 0},
		} {
			if f.set {
				add(f.name, "is not for "+string(kind)+", which is always sent all that passes the filters", "remove it: whoever reads there decides when to wake somebody")
			}
		}
	}
}

// schedule is a receiver's zone, quiet hours and the times of its digests.
type schedule struct {
	zone        *time.Location
	quiet       []Quiet
	exceptLevel int // 0: nothing breaks through
	digestAt    int // minutes since midnight, -1: none
	digestEvery time.Duration
}

// newSchedule reads what Problems has checked.
func newSchedule(e *Receiver) schedule {
	s := schedule{exceptLevel: e.QuietExceptLevel, digestAt: -1, digestEvery: e.DigestEvery}
	s.zone, _ = time.LoadLocation(e.Zone)
	if s.zone == nil {
		s.zone = time.UTC
	}
	for _, text := range e.QuietHours {
		if q, err := ParseQuiet(text); err == nil {
			s.quiet = append(s.quiet, q)
		}
	}
	if at, ok := parseClock(e.DigestAt); ok && e.DigestAt != "" {
		s.digestAt = at
	}
	return s
}

// isQuiet reports whether an alert of this level waits at now.
func (s *schedule) isQuiet(now time.Time, level int) bool {
	if s.exceptLevel > 0 && level >= s.exceptLevel {
		return false
	}
	local := now.In(s.zone)
	return slices.ContainsFunc(s.quiet, func(q Quiet) bool { return q.covers(local) })
}

// digests reports whether shops get digests in place of single messages.
func (s *schedule) digests() bool { return s.digestAt >= 0 || s.digestEvery > 0 }

// digestFor returns when the digest is due that takes what came at t: the first
// time of digests after it.
func (s *schedule) digestFor(t time.Time) time.Time {
	if s.digestAt < 0 {
		return t.Truncate(s.digestEvery).Add(s.digestEvery)
	}
	local := t.In(s.zone)
	at := func(days int) time.Time {
		return time.Date(local.Year(), local.Month(), local.Day()+days, s.digestAt/60, s.digestAt%60, 0, 0, s.zone)
	}
	if next := at(0); next.After(t) {
		return next
	}
	return at(1)
}
