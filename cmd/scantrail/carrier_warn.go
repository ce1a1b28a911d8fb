package main

import (
	"fmt"
	"slices"
	"strings"

	"scantrail/schemas"
)

// warn collects what a mapping may do and hardly ever should.
func (t *trial) warn() {
	count := map[string]int{}
	var order []string
	say := func(format string, args ...any) {
		w := fmt.Sprintf(format, args...)
		if count[w]++; count[w] == 1 {
			order = append(order, w)
		}
	}
	facts := map[schemas.ID]int{}
	t.eachEvent(func(e *schemas.Event) {
		t.warnTime(e, say)
		t.warnMeaning(e, say)
		facts[e.FactID]++
	})
	for _, w := range order {
		t.warnings = append(t.warnings, fmt.Sprintf("%s: %s", plural(count[w], "event"), w))
	}
	t.warnDayMonth()
	doubles := 0
	for _, n := range facts {
		doubles += n - 1
	}
	if doubles > 0 {
		t.warnings = append(t.warnings, plural(doubles, "event")+": stated twice with the same number, time, code, text and place; they count once")
	}
	t.warnPlaces()
}

func (t *trial) warnTime(e *schemas.Event, say func(string, ...any)) {
	switch {
	case e.TZSource == schemas.TZUnknown && t.carrier.ZoneRule() == "none":
		say("the time names no zone and the mapping has no zone rule, so it is read as UTC, uncertain by 14 h; add zone: [location, Area/City] at the top, or zone to event.time")
	case e.TZSource == schemas.TZUnknown:
		say("no zone rule of the mapping fits, so the time is read as UTC, uncertain by 14 h; map country, or end zone with an Area/City")
	case e.UncertaintySecs >= 86400:
		say("only the day is known; is there a field with the time of day?")
	case e.UncertaintySecs > 3*3600 && (e.TZSource == schemas.TZExplicitOffset || e.TZSource == schemas.TZExplicitUTC):
		say("the offset is not that of the event's country, so the time is uncertain; does the carrier stamp its own zone on local times?")
	}
}

func (t *trial) warnMeaning(e *schemas.Event, say func(string, ...any)) {
	if e.Milestone == schemas.Delivered && !e.Physical {
		say("delivered, but not physical: it will not end the parcel's trail as a scan does")
	}
	if e.DirectionSource == schemas.DirectionSequence {
		say("export or import clearance was told only by the order of the events; map country, origin and destination")
	}
	if e.RawCode != "" && strings.HasPrefix(e.Rule, "lexicon:") && !t.carrier.Knows(e.RawCode) {
		say("code %s is not in codes; its text decides", quoted(e.RawCode, 40))
	}
	if !strings.HasPrefix(e.Rule, "code:") || e.RawText == "" {
		return
	}
	said, loose := t.registry.Suggest(e.RawText)
	if loose || said == "" || said == e.Milestone.String() {
		return
	}
	for _, m := range []schemas.Milestone{schemas.Delivered, schemas.OutForDelivery, schemas.Returned, schemas.LabelCreated} {
		if (said == m.String()) != (e.Milestone == m) && (said == m.String() || m == schemas.Delivered) {
			say("code %s means %s, but its text %s reads like %s; {milestone: %s, text: true} would let the text decide",
				quoted(e.RawCode, 40), e.Milestone, quoted(e.RawText, 60), said, e.Milestone)
			return
		}
	}
}

// warnDayMonth tells of dates such as 03/04/2026 where no sample has a day
// beyond 12: the mapping's order of day and month is then a guess.
func (t *trial) warnDayMonth() {
	ambiguous, example := 0, ""
	proved := false
	t.eachEvent(func(e *schemas.Event) {
		first, second, ok := dayMonth(e.OccurredAtRaw)
		if !ok {
			return
		}
		if first > 12 || second > 12 {
			proved = true
			return
		}
		if ambiguous++; example == "" {
			example = e.OccurredAtRaw
		}
	})
	if ambiguous > 0 && !proved {
		t.warnings = append(t.warnings, fmt.Sprintf("%s: no date of the samples, such as %s, shows which is the day and which the month; ask the carrier or find a sample with a day after the 12th",
			plural(ambiguous, "event"), quoted(example, 40)))
	}
}

// warnPlaces tells what is empty in all events.
func (t *trial) warnPlaces() {
	events, countries, lanes, codes := 0, 0, 0, 0
	t.eachEvent(func(e *schemas.Event) {
		events++
		if e.Country != "" {
			countries++
		}
		if e.OriginCountry != "" && e.DestinationCountry != "" {
			lanes++
		}
		if e.RawCode != "" {
			codes++
		}
	})
	if events == 0 {
		if !slices.ContainsFunc(t.samples, func(s sampleTrial) bool { return len(s.aliases) > 0 }) {
			t.warnings = append(t.warnings, "no sample has an event")
		}
		return
	}
	for _, w := range []struct {
		have int
		what string
	}{
		{countries, "no event has a country: export and import cannot be told apart by place, nor zones found by it"},
		{lanes, "no parcel has origin and destination: the lane is unknown until an order or another carrier tells it"},
		{codes, "no event has a code: texts alone decide, which a new wording breaks"},
	} {
		if w.have == 0 {
			t.warnings = append(t.warnings, w.what)
		}
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
