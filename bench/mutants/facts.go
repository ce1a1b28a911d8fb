package main

// ofFacts are mistakes in what is kept of a parcel.
func ofFacts() []mutant {
	return []mutant{
		{"duplicate-counts-twice", "a copy of a fact with another time counts as another fact", []edit{
			{"detector/facts.go", "if facts[i].id != f.id {", "if facts[i].id != f.id || facts[i].sec != f.sec {"}}},
		{"merge-keeps-later", "of two copies of a fact the later time counts", []edit{
			{"detector/facts.go", "if old.sec < merged.sec ||", "if old.sec > merged.sec ||"}}},
		{"oldest-mapping-counts", "of copies read by two versions of a mapping the older counts", []edit{
			{"detector/facts.go", "case comes < has:", "case comes > has:"}}},
		{"backfill-by-any-copy", "one copy flagged as backfill makes the fact so", []edit{
			{"detector/facts.go", "old.flags&f.flags&factBackfill", "(old.flags|f.flags)&factBackfill"}}},
		{"void-first-ignored", "a void that comes before its fact has no effect", []edit{
			{"detector/facts.go", "merged.flags |= void\n", "\n"}}},
		{"void-lost-on-merge", "another copy of a fact brings it back after its void", []edit{
			{"detector/facts.go", "merged.flags&^factBackfill | void", "merged.flags&^factBackfill"}}},
		{"time-not-clamped", "a time after the reception (2099) is believed", []edit{
			{"detector/scans.go", "at = e.EffectiveAt()", "at = e.OccurredAt"}}},
		{"facts-by-arrival", "facts of one second stand in the order in which they came", []edit{
			{"detector/facts.go", "if a.milestone != b.milestone {\n\t\treturn cmp.Compare(a.milestone, b.milestone)\n\t}\n\treturn cmp.Compare(a.id, b.id)", "return 0"}}},
		{"postcode-by-case", "postcodes are compared with their upper and lower case", []edit{
			{"detector/scans.go", "c -= 'a' - 'A'", ""}}},
		{"customs-union-ignored", "parcels within the customs union need customs", []edit{
			{"detector/dict.go", " && !(customsFree[from] && customsFree[to])", ""}}},
		{"life-bound-by-one", "a number used again 30 days after its end to the second goes on in the old life", []edit{
			{"detector/split.go", "f.sec-end.at() >= newLifeAfter)", "f.sec-end.at() > newLifeAfter)"}}},
		{"no-life-after-silence", "a number used again after 120 days of silence goes on in the old life", []edit{
			{"detector/split.go", "(f.sec-facts[i-1].sec >= expired || end.at()", "(end.at()"}}},
		{"order-in-last-life", "an order belongs to the last life of its number", []edit{
			{"detector/split.go", "if end == 0 || end >= at {\n\t\t\treturn i\n", "if end == 0 || end >= at {\n\t\t\treturn len(ends) - 1 + 0*i\n"}}},
		{"main-order-last", "of several orders of a life the last one counts", []edit{
			{"detector/split.go", "return g.at < o.at", "return g.at > o.at"}}},
		{"earlier-life-counts", "of two lives that call for one alert the earlier is told", []edit{
			{"detector/judge.go", "cmp.Compare(b.life, a.life)", "cmp.Compare(a.life, b.life)"}}},
		{"life-in-soft-end", "lost ends a life for good, although progress follows", []edit{
			{"detector/split.go", "		t.soft = 0\n", ""}}},
	}
}
