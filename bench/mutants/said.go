package main

// ofSayings are mistakes in what a transition says besides, in stages and in feeds.
func ofSayings() []mutant {
	return []mutant{
		{"cause-of-last", "the cause of a silence goes by what came after it", []edit{
			{"detector/alerts.go", "ctx.stage, ctx.fact.milestone, latest.stage,", "ctx.stage, latest.fact.milestone, latest.stage,"}}},
		{"trouble-after-end", "what went wrong stays the cause of a late delivery that came", []edit{
			{"detector/cause.go", "c != \"\" && lasts {", "c != \"\" {"}}},
		{"return-by-last-scan", "a silence on the way back is one only if the last scan says return", []edit{
			{"detector/alerts.go", "c.back = c.back || f", "c.back = f"}}},
		{"stage-before-anchor", "the stage of an alert leaves out the second of its anchor", []edit{
			{"detector/alerts.go", "if f.sec > sec {", "if f.sec >= sec {"}}},
		{"silent-since-last", "a silence counts from the last update, not from its beginning", []edit{
			{"detector/alerts.go", "if k.family == gapFamily && k.status != schemas.AlertWithdrawn {\n\t\tsince", "if k.family == gapFamily && k.status == schemas.AlertWithdrawn {\n\t\tsince"}}},
		{"carrier-of-last", "a silence names the carrier that scanned after it", []edit{
			{"detector/alerts.go", "if k.family != gapFamily {\n", "if true {\n"}}},
		{"held-after-end", "what is resolved is held too", []edit{
			{"detector/alerts.go", "a.Held = k.status < schemas.AlertResolved && ", "a.Held = "}}},
		{"status-goes-back", "a stage that becomes known late is told after later ones", []edit{
			{"detector/alerts.go", "news&(1<<stage) == 0 || stage != exception && before>>stage != 0", "news&(1<<stage) == 0 || stage > exception && before>>stage != 0"}}},
		{"status-of-old-life", "a new life does not tell the stages that the old one reached", []edit{
			{"detector/judge.go", "\t\te.stages = 0\n", ""}}},
		{"status-forgotten", "a snapshot does not hold which stages were told", []edit{
			{"detector/snapshot.go", "b = append(b, e.stages, e.policy)", "b = append(b, 0, e.policy)"}}},
		{"older-policy-counts", "a control record of before puts its policies in force again", []edit{
			{"detector/policies.go", "if c.Number <= m.control {", "if c.Number == m.control {"}}},
		{"feed-limit-by-one", "a feed is stale in the last second of the silence it may keep", []edit{
			{"detector/feeds.go", "x-int64(a) > f.limit(h)", "x-int64(a) >= f.limit(h)"},
			{"detector/feeds.go", "int64(a)+feedSilence, int64(f.first)+feedYoung-1) + 1", "int64(a)+feedSilence-1, int64(f.first)+feedYoung-1) + 1"}}},
		{"feed-young-by-one", "a feed is young a second longer than a week", []edit{
			{"detector/feeds.go", "int64(f.first)+feedYoung-1) + 1", "int64(f.first)+feedYoung) + 1"}}},
		{"feed-three-weeks", "what a feed usually does is told by three weeks", []edit{
			{"detector/feeds.go", "usualWeeks = 4", "usualWeeks = 3"}}},
		{"feed-never-withdrawn", "a reception that came in time ends the silence of a feed instead of undoing it", []edit{
			{"detector/feeds.go", "known && !f.stale(k.anchor, k.anchor, until)", "!known && !f.stale(k.anchor, k.anchor, until)"}}},
		{"feed-news-lost", "after a restart receptions that no tick has judged are not judged", []edit{
			{"detector/feedstate.go", "f.news, f.lagNews = true, true // whatever", "f.news, f.lagNews = false, true // whatever"}}},
	}
}
