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

// ofFeeds are mistakes in how late a feed is found, and when its key ends.
func ofFeeds() []mutant {
	return []mutant{
		{"lag-limit-by-one", "an hour is late by the lag that it may have", []edit{
			{"detector/feedlag.go", "return lag > max(lagFloor,", "return lag >= max(lagFloor,"}}},
		{"lag-hour-begun", "an hour is judged before it has ended", []edit{
			{"detector/feedlag.go", "min(hourOf(f.last), hourOf(now)-1)", "min(hourOf(f.last), hourOf(now))"}}},
		{"lag-of-one-hour", "the hours beside that of a week before do not count", []edit{
			{"detector/feedlag.go", "at := hour - week*weekHours - 1; at <= hour-week*weekHours+1; at++", "at := hour - week*weekHours; at <= hour-week*weekHours; at++"}}},
		{"lag-of-the-better-week", "of two weeks the one with the smaller lag is usual", []edit{
			{"detector/feedlag.go", "return weeks[len(weeks)/2]", "return weeks[(len(weeks)-1)/2]"}}},
		{"lag-upper-median", "of the minutes of an hour the upper median counts", []edit{
			{"detector/feedlag.go", "return told[(len(told)-1)/2]", "return told[len(told)/2]"}}},
		{"lag-as-last-told", "of what is told of one minute the last counts, not the largest", []edit{
			{"detector/feedlag.go", "hours > *minute {", "hours != *minute {"}}},
		{"lag-of-two-hours", "two late hours in a row are a run", []edit{
			{"detector/feedlag.go", "lateHours = 3", "lateHours = 2"}}},
		{"lag-ends-by-silence", "an hour of which no lag is told ends a run", []edit{
			{"detector/feedlag.go", "switch {\n\t\tcase !judged:", "switch {\n\t\tcase !judged && n == 0:"}}},
		{"lag-told-later", "what is told of hours that were judged has no effect until the next hour", []edit{
			{"detector/feedlag.go", "f.lagNews = f.lagNews || hour < f.lagHour\n", "\n"}}},
		{"lag-never-withdrawn", "a run that there no longer is stays", []edit{
			{"detector/feedlag.go", "case !found:\n\t\tk.status, k.ended = schemas.AlertWithdrawn, 0", "case !found:"}}},
		{"lag-withdrawn-with-age", "a run whose beginning is no longer judged is withdrawn", []edit{
			{"detector/feedlag.go", "hourOf(k.anchor) < from {", "hourOf(k.anchor) < from-2*feedHours {"}}},
		{"key-by-one", "a key is warned of a second late", []edit{
			{"detector/feedkeys.go", "if !stated || now < anchor {", "if !stated || now <= anchor {"}}},
		{"key-last-stated", "of several terms of one carrier the last counts, not the latest", []edit{
			{"detector/feedkeys.go", "max(ends[k.Carrier], seconds(k.Expires))", "seconds(k.Expires)"}}},
		{"key-never-renewed", "a later key withdraws the warning instead of resolving it", []edit{
			{"detector/feedkeys.go", "if stated && anchor > k.anchor {", "if stated && anchor > end {"}}},
		{"key-not-withdrawn", "a document that does not state the key leaves its warning open", []edit{
			{"detector/feedkeys.go", "if !stated && f.key.status != schemas.AlertOpen {", "if !stated {"}}},
		{"key-while-stuck", "the key of a feed that we do not read is not looked at", []edit{
			{"detector/feeds.go", "\t\tm.judgeKey(f, out)\n", "\t\tif !slices.Contains(m.stalled, f.carrier) {\n\t\t\tm.judgeKey(f, out)\n\t\t}\n"}}},
	}
}
