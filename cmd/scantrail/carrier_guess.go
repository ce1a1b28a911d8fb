package main

import (
	"slices"
	"strings"
	"unicode"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// guess is where the parts of a mapping seem to stand in samples of one format.
type guess struct {
	format         string
	root           *field
	event, parcel  *field
	number         string
	numberIsSure   bool
	otherNumbers   []leaf // aliases, perhaps
	fields         map[string]string
	times          []timeGuess
	zoneField      *leaf
	origin, target string // countries of the lane
	product        string
	fault          *field // where an error seems to stand
}

// timeGuess is one way in which the events state their time.
type timeGuess struct {
	value string // path or template
	form  timeForm
	words []string
	score int
}

// guessFrom finds the parts of a mapping; ok is false where nothing looks like
// an event.
func guessFrom(format string, root *field, r *carriers.Registry) (g guess, ok bool) {
	g = guess{format: format, root: root, fields: map[string]string{}}
	if g.event = bestEvents(root, notScans); g.event == nil {
		// Nothing but a status with the time of its creation, perhaps.
		if g.event = bestEvents(root, notYet); g.event == nil {
			return g, false
		}
	}
	g.findNumber()
	g.findEventFields(r)
	g.findTimes()
	g.findParcelFields(r)
	g.fault = findFault(root, g.event)
	return g, true
}

const (
	eventWords  = "event events scan scans checkpoint checkpoints history activity activities tracks traces trace progress progresses movements milestones"
	detailWords = "detail details info updates statuses status track tracking"
	notYet      = "estimated expected eta scheduled promised planned window"
	parcelWords = "package packages piece pieces parcel parcels shipment shipments item items result results output consignment consignments articles"
	notScans    = "estimated expected eta scheduled promised planned document documents image images pod signature proof delivery appointment window created request"
	timeWords   = "time date timestamp datetime stamp at on when dt clock ticks"
)

// bestEvents returns the object that looks most like a scan. Times with one of
// the words of not are none of scans.
func bestEvents(root *field, not string) *field {
	var best *field
	most := 0
	for _, f := range root.objects() {
		if s := f.eventScore(root, not); s > 0 && s >= most { // of equals, the inner
			best, most = f, s
		}
	}
	return best
}

func (f *field) eventScore(root *field, not string) int {
	score, dated, said := 4, 0, 0
	for _, l := range f.leaves(nil) {
		form, ok := formOf(l.values, has(l.last, timeWords))
		if direct := l.parent == f; ok && form.date && !has(l.words, not) {
			dated = max(dated, 2)
			if direct {
				dated = 4
			}
		}
		if textScore(l) > 0 || codeScore(l) > 0 {
			said = 3
		}
	}
	if dated == 0 || said == 0 {
		return 0
	}
	score += dated + said
	name := segments(f.key)
	switch {
	case has(name, eventWords):
		score += 6
	case has(name, detailWords):
		score += 2
	case has(name, parcelWords):
		score -= 2
	}
	if has(f.words(root), notScans) {
		score -= 6
	}
	if f.list {
		score += 2
	}
	if f.most > 1 {
		score += 2
	}
	return score
}

// findNumber finds the parcel: the object closest around the events that holds
// something like a tracking number.
func (g *guess) findNumber() {
	type found struct {
		at    *field
		l     leaf
		score int
	}
	var best *found
	distance := 0
	for a := g.event; a != nil; a = a.parent {
		except := g.event
		if a == g.event {
			except = nil
		}
		if a.object {
			for _, l := range a.leaves(except) {
				if s := numberScore(l) - distance; s > 0 && (best == nil || s > best.score) {
					best = &found{a, l, s}
				}
			}
			distance++
		}
	}
	if best == nil {
		g.parcel = g.event.parent
		for g.parcel != nil && !g.parcel.object {
			g.parcel = g.parcel.parent
		}
		if g.parcel == nil {
			g.parcel = g.event
		}
		g.number = "$key"
		return
	}
	g.parcel, g.number, g.numberIsSure = best.at, best.l.path, best.score >= 6
	except := g.event
	if best.at == g.event {
		except = nil
	}
	for _, l := range best.at.leaves(except) {
		if l.path != g.number && numberScore(l) >= 6 && l.values[0] != best.l.values[0] {
			g.otherNumbers = append(g.otherNumbers, l)
		}
	}
}

// numberScore says how much a field looks like a tracking number.
func numberScore(l leaf) int {
	for _, v := range l.values {
		digits := strings.IndexFunc(v, unicode.IsDigit) >= 0
		if _, ok := schemas.AppendNumber(nil, v); !ok || !digits {
			return 0
		}
	}
	w := l.last
	if personal(l.path) || has(l.words, "error fault") || has(w, "phone date time order account invoice customer zip postal weight code count total amount purchase service product") && !has(w, "tracking waybill") {
		return 0
	}
	numbery := has(w, "number no id num nr key") || len(w) == 1
	switch {
	case has(w, "waybill airwaybill awb hawb mawb barcode mailno skybill suivi sendungsnummer") || has(w, "tracking track pin mail unit") && (numbery || has(w, "code")):
		return 12
	case has(w, "consignment parcel shipment package piece item article label") && numbery:
		return 9
	case has(w, "number nr inquiry identifier") || has(w, "id") && has(segments(l.parent.key), "track tracking parcel shipment consignment package"):
		return 7
	case has(w, "id code reference requested value"):
		return 3
	}
	return 0
}

// scored returns the path of the leaf with the most points, the first of
// equals, or "".
func scored(all []leaf, score func(leaf) int) string {
	best, most := "", 0
	for _, l := range all {
		if s := score(l); s > most {
			best, most = l.path, s
		}
	}
	return best
}

const placeWords = "location place address city town country postal zip postcode centre center facility depot site station region province currency language geo latitude longitude lat lng signature carrier zone offset weight"

// codeScore says how much a field looks like the code of a scan.
func codeScore(l leaf) int {
	if has(l.words, placeWords) || has(l.words, notYet) || personal(l.path) || has(l.last, timeWords+" number url link error reason service product") {
		return 0
	}
	score := -2 * (strings.Count(l.path, "."))
	switch {
	case has(l.last, "code"):
		score += 8
	case has(l.last, "type"):
		score += 6
	case has(l.last, "status state event identifier milestone action"):
		score += 5
	case has(l.last, "name key id"):
		score += 2
	default:
		return 0
	}
	if has(l.words, "event status scan activity tracking milestone node process omni") {
		score += 2
	}
	for _, v := range l.values {
		spaces := strings.Count(v, " ")
		if _, dated := formOf([]string{v}, true); len(v) > 40 || spaces > 3 || v == "true" || v == "false" || dated && len(v) > 6 || strings.Contains(v, "://") {
			return 0
		}
		if spaces > 0 {
			score -= 3
			break
		}
	}
	return score
}

// textScore says how much a field looks like the words of a scan.
func textScore(l leaf) int {
	if has(l.words, placeWords) || has(l.words, notYet) || personal(l.path) || has(l.last, timeWords+" url link number service product") {
		return 0
	}
	score := -strings.Count(l.path, ".")
	switch {
	case has(l.last, "description desc text message remark remarks"):
		score += 9
	case has(l.last, "detail details comment comments note label title content narrative libelle"):
		score += 7
	case has(l.last, "status event state name info activity"):
		score += 5
	case has(l.last, "type"):
		score += 2
	default:
		return 0
	}
	if has(l.last, "code") {
		score -= 4
	}
	if has(l.words, "event status scan suivi") {
		score++
	}
	letters := false
	for _, v := range l.values {
		if strings.Contains(v, " ") || strings.ContainsFunc(v, func(r rune) bool { return r > 0x2e80 }) {
			score += 2
			letters = true
			break
		}
		letters = letters || strings.ContainsFunc(v, unicode.IsLetter)
	}
	if !letters {
		return 0
	}
	return score
}

// findEventFields finds code, text and place in the event.
func (g *guess) findEventFields(r *carriers.Registry) {
	all := g.event.leaves(nil)
	if g.parcel != g.event { // the parcel's number is no part of its scans
		all = slices.DeleteFunc(all, func(l leaf) bool { return numberScore(l) >= 9 })
	}
	g.fields["code"] = scored(all, codeScore)
	g.fields["text"] = scored(all, func(l leaf) int {
		if l.path == g.fields["code"] {
			return min(textScore(l), 1) // where nothing else says it
		}
		return textScore(l)
	})
	g.fields["country"] = scored(all, countryScore(r, "country"))
	short := func(l leaf) int { return 9 - strings.Count(l.path, ".") }
	for role, list := range map[string]string{
		"city": "city town locality suburb", "postcode": "zip postal postcode zipcode postalcode plz",
		"facility": "facility depot hub site station office branch terminal", "region": "province region stateorprovince",
	} {
		g.fields[role] = scored(all, func(l leaf) int {
			named := has(l.last, list) || role == "facility" && has(l.last, "code id") && has(segments(l.parent.key), list)
			if !named || l.path == g.fields["code"] || l.path == g.fields["text"] || has(l.last, "country type") {
				return 0
			}
			return short(l)
		})
	}
	if g.fields["region"] == "" {
		g.fields["region"] = scored(all, stateScore)
	}
	g.fields["location"] = scored(all, func(l leaf) int {
		if g.fields["city"] != "" && g.fields["country"] != "" || l.path == g.fields["city"] || !has(l.last, "location place address area") || has(l.words, "type country code id city zip postal "+timeWords) || personal(l.path) ||
			!strings.ContainsFunc(strings.Join(l.values, ""), unicode.IsLetter) {
			return 0
		}
		return short(l)
	})
	for i := range all {
		if zoneScore(all[i]) {
			g.zoneField = &all[i]
			break
		}
	}
}

// stateScore finds states such as NC, which are not statuses.
func stateScore(l leaf) int {
	if !has(l.last, "state") || has(l.last, "status info") {
		return 0
	}
	for _, v := range l.values {
		if len(v) > 3 || strings.ToUpper(v) != v {
			return 0
		}
	}
	return 5
}

func countryScore(r *carriers.Registry, list string) func(leaf) int {
	return func(l leaf) int {
		if !has(l.last, list) || !has(l.last, "country") && has(l.last, "city state zip postal code") || !slices.ContainsFunc(l.values, func(v string) bool { return r.Country(v) != "" }) {
			return 0
		}
		score := 9 - strings.Count(l.path, ".")
		if has(l.last, "code") {
			score++
		}
		return score
	}
}
