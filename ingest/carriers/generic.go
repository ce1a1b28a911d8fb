package carriers

import "scantrail/schemas"

// gen is a field that the generic reader knows by its name.
type gen uint8

const (
	genNumber gen = iota + 1
	genTime
	genClock // a time of day beside a date
	genText
	genCode
	genStatus
	genCountry
	genCity
	genRegion
	genPostcode
	genPlace // a string, or an object that holds the fields above
	genEvents
	genFields
)

// genericNames are keys, in lower case without punctuation, that mean the same
// with every carrier that uses them.
var genericNames = func() map[string]gen {
	m := map[string]gen{}
	for g, names := range map[gen][]string{
		genNumber: {"trackingnumber", "trackingno", "trackingid", "trackingcode", "tracknumber", "waybill", "waybillnumber",
			"waybillno", "awb", "awbnumber", "parcelnumber", "parcelid", "consignmentnumber", "shipmentnumber", "number",
			"barcode", "mailno", "pin", "idship", "trackid"},
		genTime: {"time", "timestamp", "datetime", "eventtime", "eventdatetime", "eventtimestamp", "occurredat", "scantime",
			"scandatetime", "checkpointtime", "date", "eventdate", "scandate", "statusdate", "statustime", "timeiso", "timeutc"},
		genText: {"description", "desc", "text", "message", "eventdescription", "statusdescription", "eventname", "detail",
			"details", "remark", "statustext", "statusmessage", "label", "eventtext"},
		genStatus:   {"status", "event", "state", "eventstatus"},
		genCode:     {"code", "statuscode", "eventcode", "eventtype", "scancode", "type"},
		genCountry:  {"country", "countrycode", "eventcountry", "countryiso"},
		genCity:     {"city", "eventcity", "town", "locality"},
		genRegion:   {"region", "province", "eventstate", "stateprovince"},
		genPostcode: {"postcode", "postalcode", "zip", "zipcode", "eventzip"},
		genPlace:    {"location", "address", "place", "scanlocation", "eventlocation", "facility"},
		genEvents: {"events", "scans", "checkpoints", "tracks", "history", "trackingevents", "trackevents", "scanevents",
			"activities", "activity", "trackdetails", "trackdetail", "trackinghistory", "eventlist", "scanhistory", "traces",
			"trackinfo", "trackingdetails", "event"},
	} {
		for _, n := range names {
			m[n] = g
		}
	}
	m["event"] = genStatus // a list of that name is told by its elements
	return m
}()

const genericLookedFor = "a tracking number (tracking_number, waybill, number, ...) with a list of events (events, scans, checkpoints, tracks, history, ...) or one event beside it, each with a time in RFC 3339, ISO or epoch form (time, date, timestamp, event_time, ...) and a text, status or code; add a mapping for this carrier"

// named returns what a key means to the generic reader, or 0.
func (d *Decoder) named(i int) gen {
	var b [32]byte
	n := 0
	key := d.tree.key(i)
	if len(key) > 0 && key[0] == '@' {
		key = key[1:]
	}
	for k := 0; k < len(key); k++ {
		c := key[k]
		switch {
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		default:
			continue
		}
		if n == len(b) {
			return 0
		}
		b[n] = c
		n++
	}
	return genericNames[text(b[:n])]
}

// generic reads a record of a carrier that has no mapping, by field names that
// speak for themselves.
func (d *Decoder) generic() {
	d.number = parcelFacts{}
	d.open = d.open[:0]
	d.genericWalk(0, "", true)
	if d.index == 0 {
		d.genericWalk(0, "", false)
	}
	d.settle(d.number.firstEvent)
	if d.index == 0 {
		d.reject(-1, UnreadableLayout, "", "carrier "+quote(d.name)+" has no mapping and the generic reader found none of: "+genericLookedFor)
	}
}

// genericWalk looks for lists of events, or, without lists, for objects that
// are an event themselves. number is that of the closest object around.
func (d *Decoder) genericWalk(i int, number string, lists bool) {
	n := d.tree.nodes[i]
	if n.kind < kindObject {
		return
	}
	if n.kind == kindObject {
		if v := d.genericNumber(i); v != "" {
			number = v
		}
		if !lists && number != "" && d.genericEvent(i, number) {
			return
		}
	}
	for c := i + 1; c < int(n.next); c = int(d.tree.nodes[c].next) {
		if lists && n.kind == kindObject && d.named(c) == genEvents && d.genericList(c, number) {
			continue
		}
		d.genericWalk(c, number, lists)
	}
}

// genericNumber returns a tracking number that object i states.
func (d *Decoder) genericNumber(i int) string {
	for c := i + 1; c < int(d.tree.nodes[i].next); c = int(d.tree.nodes[c].next) {
		if d.named(c) == genNumber {
			if _, ok := d.canonical(d.value(c)); ok {
				return d.value(c)
			}
		}
	}
	return ""
}

// genericList reads the events of a list; a list collapsed to one object too.
func (d *Decoder) genericList(i int, number string) (any bool) {
	n := d.tree.nodes[i]
	if n.kind == kindObject {
		return d.genericEvent(i, number)
	}
	if n.kind != kindArray {
		return false
	}
	for c := i + 1; c < int(n.next); c = int(d.tree.nodes[c].next) {
		if d.tree.nodes[c].kind == kindObject && d.genericEvent(c, number) {
			any = true
		}
	}
	return any
}

// genericEvent reads object i as an event, if it has a time and a meaning.
func (d *Decoder) genericEvent(i int, number string) bool {
	var v [genFields]string
	d.genericFields(i, &v, true)
	if v[genTime] == "" || v[genText] == "" && v[genCode] == "" && v[genStatus] == "" {
		return false
	}
	if own := d.genericNumber(i); own != "" {
		number = own
	}
	index := d.index
	d.index++
	if index >= d.limits.Events {
		return true
	}
	canonical, ok := d.canonical(number)
	if !ok {
		d.reject(index, NoNumber, "number", "no tracking number stands in the event or around it; looked for "+genericLookedFor)
		return true
	}
	if canonical != d.number.canonical {
		d.settle(d.number.firstEvent)
		d.number = parcelFacts{canonical: canonical, id: schemas.ParcelID(canonical), check: d.checkNumber(canonical),
			postOrigin: s10Origin(canonical, d.registry.geo), firstEvent: len(d.result.Events)}
	}
	d.genericBuild(index, &v)
	return true
}

// genericFields collects the known fields of object i; the first of a kind
// counts. Places are looked into.
func (d *Decoder) genericFields(i int, v *[genFields]string, deep bool) {
	for c := i + 1; c < int(d.tree.nodes[i].next); c = int(d.tree.nodes[c].next) {
		g := d.named(c)
		switch {
		case g == 0:
		case d.tree.nodes[c].kind == kindObject && (g == genPlace || g == genStatus) && deep:
			d.genericFields(c, v, g == genPlace)
		case d.tree.nodes[c].kind >= kindObject:
		case v[g] == "":
			v[g] = d.value(c)
		case g == genTime && len(v[g]) < 16: // date and time of day in two fields
			v[genClock] = d.value(c)
		}
	}
}

func (d *Decoder) genericBuild(index int, v *[genFields]string) {
	d.result.Events = append(d.result.Events, schemas.Event{Generic: true})
	e := &d.result.Events[len(d.result.Events)-1]
	e.Country = d.registry.geo.country(v[genCountry])
	e.City, e.Region = d.clean(v[genCity], maxPlace), d.clean(v[genRegion], maxPlace)
	e.Postcode = d.clean(v[genPostcode], maxPlace)
	if e.LocationRaw = d.clean(v[genPlace], maxLocation); e.LocationRaw == "" {
		e.LocationRaw = d.join(e.City, e.Region, e.Postcode, d.clean(v[genCountry], maxPlace))
	}
	when := v[genTime]
	if v[genClock] != "" {
		if len(when) < len(v[genClock]) { // the time of day came first
			when, v[genClock] = v[genClock], when
		}
		start := len(d.arena)
		d.arena = append(append(append(d.arena, when...), ' '), v[genClock]...)
		when = text(d.arena[start:])
	}
	if reason, detail := d.readTime(genericTime(when), when, e); reason != "" {
		d.result.Events = d.result.Events[:len(d.result.Events)-1]
		d.reject(index, reason, "time", detail)
		return
	}
	e.RawCode = d.clean(v[genCode], maxRawCode)
	e.RawText = withoutNames(d.clean(v[genText], maxRawText))
	if e.RawText == "" {
		e.RawText = d.clean(v[genStatus], maxRawText)
	}
	d.genericMeaning(e, v[genStatus])
	d.stamp(e, index, 0)
}

// genericTime returns the layouts that cannot be misread: day and month are
// never guessed, and epochs are told by their number of digits.
func genericTime(v string) *timeRule {
	switch {
	case len(v) == 13 && v[0] <= '9':
		return &genericEpochMilli
	case len(v) == 10 && v[4] != '-':
		return &genericEpoch
	}
	return &genericISO
}

var (
	genericISO        = timeRule{layouts: []layout{{source: "iso"}}}
	genericEpoch      = timeRule{layouts: []layout{{source: "epoch_s"}}}
	genericEpochMilli = timeRule{layouts: []layout{{source: "epoch_ms"}}}
)

var genericNone = decision{rule: "generic:none"}

// genericMeaning finds the milestone in the lexicon: by the text, the status,
// then the code.
func (d *Decoder) genericMeaning(e *schemas.Event, status string) {
	found := &genericNone
	for _, s := range [...]string{e.RawText, status, e.RawCode} {
		d.normal = appendNormal(d.normal[:0], s)
		if i := d.registry.lexicon.meanings.longest(d.normal); i >= 0 {
			found = &d.registry.lexicon.generic[i]
			break
		}
	}
	d.mean(e, found)
	if e.Milestone == schemas.Delivered {
		d.delivered(e, nil, "")
	}
	d.blame(e)
}
