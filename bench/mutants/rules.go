package main

// ofRules are mistakes in what is judged by the trail.
func ofRules() []mutant {
	return []mutant{
		{"gap-open-by-one", "a silence of 48 h to the second opens no alert", []edit{
			{"detector/evaluate.go", "case length >= limits.open:", "case length > limits.open:"}}},
		{"gap-closed-by-one", "a closed silence of 48 h to the second is no gap", []edit{
			{"detector/evaluate.go", "if length < limits.open {", "if length <= limits.open {"}}},
		{"gap-level-by-one", "a closed silence of 72 h to the second is of level 1", []edit{
			{"detector/evaluate.go", "if length < limits.escalate {", "if length <= limits.escalate {"}}},
		{"gap-risk-by-one", "at risk begins a second late", []edit{
			{"detector/evaluate.go", "case length >= limits.atRisk:", "case length > limits.atRisk:"}}},
		{"gap-risk-not-awaited", "no timer for at risk: it shows only when something else is looked at", []edit{
			{"detector/evaluate.go", "v.wake(saturate(s, limits.atRisk))", "v.wake(saturate(s, limits.open))"}}},
		{"gap-never-escalates", "no timer for 72 h once a gap is open", []edit{
			{"detector/evaluate.go", "v.wake(saturate(s, limits.escalate))", ""}}},
		{"end-leaves-gap", "the last silence is not closed by an end that is no progress", []edit{
			{"detector/evaluate.go", "updates || ends {", "updates {"}}},
		{"gap-over-return", "the time between the end and the way back is a gap", []edit{
			{"detector/evaluate.go", "v.ended, v.endMilestone, v.end, v.since = false, schemas.Unmapped, 0, 0", "v.ended, v.endMilestone, v.end = false, schemas.Unmapped, 0"}}},
		{"returned-is-delivered", "delivered on the way back counts as delivered", []edit{
			{"detector/evaluate.go", "\t\tv.returning = true\n", ""}}},
		{"soft-end-sticks", "lost ends the trail although progress follows", []edit{
			{"detector/evaluate.go", "silentAfter && kind&isSoftEnd != 0", "kind&isSoftEnd != 0"}}},
		{"stay-across-end", "a stay in a stage goes on across the end of the trail", []edit{
			{"detector/evaluate.go", "if v.staying {", "if v.staying && !v.ended {"}}},
		{"stay-limit-by-one", "a stay of 48 h to the second is stalled", []edit{
			{"detector/trailrules.go", "s.to-s.sec > limit &&", "s.to-s.sec >= limit &&"}}},
		{"stay-beside-gap", "a stay with a gap in it is stalled too", []edit{
			{"detector/trailrules.go", " && v.gapSince(s.sec) >= s.to {", " {"}}},
		{"episode-closed-by-stage", "progress in the same stage closes undeliverable", []edit{
			{"detector/trailrules.go", "m > e.stage)", "m >= e.stage)"}}},
		{"refusal-ignored", "that a scan says the parcel was refused has no effect", []edit{
			{"detector/evaluate.go", "if f.refused() && !ends {", "if f.refused() && ends {"}}},
		{"refusal-while-off", "a refusal is undeliverable although the policy lists nothing", []edit{
			{"detector/rules.go", "if len(p.Undeliverable) > 0 {", "if true {"}}},
		{"refused-at-end", "a refusal that ends the trail leaves an alert open", []edit{
			{"detector/evaluate.go", "if f.refused() && !ends {", "if f.refused() {"}}},
		{"upload-limit-by-one", "a first scan uploaded after 24 h to the second is late", []edit{
			{"detector/trailrules.go", "f.extra > r.uploadLate", "f.extra >= r.uploadLate"}}},
		{"origin-without-departure", "a departure from an unknown country is no sign of the origin", []edit{
			{"detector/trailrules.go", "f.milestone <= schemas.DepartedOrigin", "f.milestone < schemas.DepartedOrigin"}}},
		{"excused-still-missing", "a milestone that is excused is missing all the same", []edit{
			{"detector/requirements.go", "if excused {", "if excused && observed {"}}},
		{"in-transit-passes", "in_transit, which is anywhere, shows that milestones were passed", []edit{
			{"detector/rules.go", "if inChain(schemas.Milestone(s)) {", "if schemas.Milestone(s).Forward() {"}}},
		{"milestone-limit-by-one", "a milestone in the last second of its time is late", []edit{
			{"detector/requirements.go", "at > limit {", "at >= limit {"}}},
		{"milestone-overdue-by-one", "a milestone is missing in the last second of its time", []edit{
			{"detector/requirements.go", "limit != 0 && until > limit, v.seen", "limit != 0 && until >= limit, v.seen"},
			{"detector/requirements.go", "v.wake(saturate(limit, 1))", "v.wake(limit)"}}},
		{"overdue-without-anchor", "a milestone is overdue of a parcel without any update", []edit{
			{"detector/requirements.go", " && a.sec != 0 { // no anchor, no rule", " {"}}},
		{"milestone-not-awaited", "no timer for a milestone that will be overdue", []edit{
			{"detector/requirements.go", "v.wake(saturate(limit, 1))", ""}}},
	}
}
