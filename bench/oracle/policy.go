package oracle

import (
	"time"
)

// Span is a limit: seconds, or working days.
type Span struct {
	Secs int64
	Days int64
}

// Override holds other limits for some stages and lanes, in seconds; of a stay
// only Open is used.
type Override struct {
	Stages             []uint8 // 2 origin, 3 export, 4 linehaul, 5 arrival, 6 import, 7 destination, 8 delivery, 9 return
	Lanes              []string
	Risk, Open, Expire int64
}

// Required is one milestone that must be in the trail.
type Required struct {
	Name        string
	CrossBorder bool
	Satisfied   []uint8
	Excused     []uint8
	Since       []uint8
	After       int64
}

// Deadline is the figures of one deadline rule.
type Deadline struct {
	After Span
	Warn  int64
	Since uint8 // kind of order fact; 0: the rule's own
}

// Promise is the time from created to delivered where the order states none.
type Promise struct {
	Markets []string
	Within  Span
}

// Policy is the figures of one policy, in seconds, as numbers of milestones and
// stages. It is not read from YAML: YAML is written from it.
type Policy struct {
	Name                            string
	Markets, Shops, Lanes, Carriers []string
	Physical                        bool
	Risk, Open, Escalate            int64
	Gaps                            []Override
	Stay                            int64
	Stays                           []Override
	Undeliverable, Exception        []uint8
	UploadLate                      int64
	Warehouse, SellerLabel          bool
	Channels                        []string
	Numbers                         bool
	Reused, BeforeOrder             int64
	Grace                           int64
	Reverse                         bool
	Required                        []Required
	Deadlines                       map[string]Deadline
	Promises                        []Promise
	Zone                            *time.Location
	DaysOff                         []string // 2026-03-02
}

// Holiday stops shipping deadlines of some shops and markets. Unix seconds.
type Holiday struct {
	Shops, Markets []string
	From, Until    int64
}

// Key is how long the key of a carrier's feed lasts, Unix seconds: up to Expires, or,
// where that is 0, 90 days from Issued.
type Key struct {
	Carrier         string
	Issued, Expires int64
}

// Document is a policy document.
type Document struct {
	Policies []Policy
	Holidays []Holiday
	Keys     []Key
}

// workingDays returns beginning and end of the working days between two instants
// in the zone of a policy.
func workingDays(p *Policy, from, until time.Time) (starts, ends []int64) {
	first := from.In(p.Zone)
	for day := time.Date(first.Year(), first.Month(), first.Day(), 0, 0, 0, 0, p.Zone); day.Before(until); {
		next := time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, p.Zone)
		off := day.Weekday() == time.Saturday || day.Weekday() == time.Sunday
		for _, d := range p.DaysOff {
			off = off || d == day.Format(time.DateOnly)
		}
		if !off {
			starts, ends = append(starts, day.Unix()), append(ends, next.Unix())
		}
		day = next
	}
	return starts, ends
}
