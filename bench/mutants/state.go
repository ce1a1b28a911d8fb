package main

// ofState are mistakes in alerts, links, memory and restarts.
func ofState() []mutant {
	return append(ofClock(), append(ofLinks(), append(ofAlerts(), ofMemory()...)...)...)
}

func ofClock() []mutant {
	return []mutant{
		{"tick-without-limit", "one bad tick moves the clock as far as it likes", []edit{
			{"detector/machine.go", "m.clock = schemas.TickClock(m.clock, t.At)", "m.clock = max(m.clock, schemas.TickClock(0, t.At))"}}},
		{"tick-backwards", "a tick may move the clock back", []edit{
			{"detector/machine.go", "m.clock = schemas.TickClock(m.clock, t.At)",
				"if at := schemas.TickClock(0, t.At); first || at == 0 || at > m.clock {\n\t\tm.clock = schemas.TickClock(m.clock, t.At)\n\t} else {\n\t\tm.clock = at\n\t}"}}},
		{"forwarded-backwards", "a late tick moves back what is known to be forwarded", []edit{
			{"detector/machine.go", "max(m.forwarded, seconds(f))", "seconds(f)"},
			{"detector/machine.go", "max(m.slow, min(m.now(), m.forwarded))", "min(m.now(), m.forwarded)"}}},
		{"version-by-wall-clock", "rows are versioned by the wall clock instead of the offset", []edit{
			{"detector/machine.go", "\t\"strings\"\n", "\t\"strings\"\n\t\"time\"\n"},
			{"detector/machine.go", "m.version = schemas.Version(m.generation, offset, 0)", "m.version = schemas.Version(m.generation, time.Now().UnixNano()>>16, 0)"}}},
		{"version-without-generation", "versions leave out the generation", []edit{
			{"detector/machine.go", "m.version = schemas.Version(m.generation, offset, 0)", "m.version = schemas.Version(0, offset, 0)"}}},
		{"ordinal-goes-on", "the ordinal of a version goes on from one parcel to the next", []edit{
			{"detector/judge.go", "m.ordinal = 0\n\tnews", "news"}}},
		{"ended-by-new-policy", "what has ended is judged by a policy that came later", []edit{
			{"detector/policies.go", "if e.is(entityEnded) && e.policy != 0 {", "if e.is(entityEnded) && e.policy != 0 && m.inForce == nil {"}}},
	}
}

func ofLinks() []mutant {
	return []mutant{
		{"links-not-transitive", "other numbers of a parcel do not hear of a new one", []edit{
			{"detector/links.go", "m.tell(other, number, out)\n\t\tm.tell(number, other, out)\n", "_ = other\n"}}},
		{"hand-over-without-alerts", "the new home does not hear which alerts are known", []edit{
			{"detector/links.go", "for k := range m.known {", "for k := range m.known[:0] {"}}},
		{"hand-over-without-orders", "order facts stay in the old home", []edit{
			{"detector/links.go", "for k := range orders {", "for k := range orders[:0] {"}}},
		{"hand-over-without-number", "facts are handed over under the number of their home", []edit{
			{"detector/links.go", "&facts[k], numbers[facts[k].num],", "&facts[k], numbers[0],"}}},
		{"hand-over-stays", "a parcel that was handed over goes on in its old home", []edit{
			{"detector/links.go", "entityBadNumber) | entityMoved", "entityBadNumber)"},
			{"detector/links.go", "m.store(e, sections{id: was.id, name: was.name, more: m.buf3})", "m.store(e, sections{id: was.id, name: was.name, more: m.buf3, alerts: was.alerts, facts: was.facts})\n\tm.count(e, 1)"}}},
		{"forward-without-mapping", "a forwarded scan does not say which version of the mapping read it", []edit{
			{"detector/links.go", "MappingVersion: at.mapping, ", ""}}},
		{"forward-without-void", "a void that comes after the hand-over stays in the old home", []edit{
			{"detector/scans.go", "m.forwardFact(m.passOn(i, p), &f, v.TrackingNumber, \"\", 0, out)", "m.passOn(i, p)"}}},
		{"many-links", "twice as many numbers may be linked", []edit{
			{"detector/links.go", "if len(x.links) == maxLinks {", "if len(x.links) == 2*maxLinks {"}}},
		{"many-facts", "a parcel of more than 256 scans is not quarantined", []edit{
			{"detector/facts.go", "const MaxFacts = schemas.MaxFacts", "const MaxFacts = 4 * schemas.MaxFacts"}}},
	}
}

func ofAlerts() []mutant {
	return []mutant{
		{"never-withdrawn", "an alert that the facts no longer call for stays", []edit{
			{"detector/alerts.go", "k = withdrawn(&was)", "k = was"}}},
		{"never-reopened", "a withdrawn alert does not open again", []edit{
			{"detector/alerts.go", "k := *was\n\tk.wanted, k.again = *w, false\n", "k := *was\n\tif was.status == schemas.AlertWithdrawn {\n\t\treturn k\n\t}\n\tk.wanted, k.again = *w, false\n"}}},
		{"reopened-anew", "an alert that opens again forgets when it first opened", []edit{
			{"detector/alerts.go", "if k.opened == 0 {", "if k.opened == 0 || was.status == schemas.AlertWithdrawn {"}}},
		{"risk-not-withdrawn", "that an alert at risk is withdrawn is not said", []edit{
			{"detector/alerts.go", "if k != was {", "if k != was && (k.status != schemas.AlertWithdrawn || k.opened != 0) {"}}},
		{"alerts-by-map", "transitions of one tick are published in the order of a map", []edit{
			{"detector/alerts.go", "has, changed := m.known, false", "has, changed := m.known, false\n\tmoved := map[known]*life{}"},
			{"detector/alerts.go", "m.publish(e, &k, l, out)\n", "moved[k] = l\n"},
			{"detector/alerts.go", "if changed {\n\t\tm.keep(e)", "for k, l := range moved {\n\t\tm.publish(e, &k, l, out)\n\t}\n\tif changed {\n\t\tm.keep(e)"}}},
		{"snapshot-before-alerts", "a snapshot is taken although alerts are not acknowledged", []edit{
			{"bench/sim/owner.go", "if !o.told() || o.m.Offset() < 0 {", "if o.m.Offset() < 0 {"}}},
	}
}

func ofMemory() []mutant {
	return []mutant{
		{"dirty-bit-lost", "a row that changed while it was written is not written again", []edit{
			{"detector/rows.go", "e.is(entityDirty) && m.unwritten.get(i).version == version {", "e.is(entityDirty) {"}}},
		{"row-while-news", "a row is written between a fact and the tick that judges it", []edit{
			{"detector/rows.go", "(entityFree|entityOrder|entityPending|entityPutOff|entityDirty) == entityDirty", "(entityFree|entityOrder|entityDirty) == entityDirty"}}},
		{"old-life-stays", "the row of a life that there no longer is stays", []edit{
			{"detector/rows.go", "for i := range max(len(keys)+1, 1) {", "for i := range max(len(lives), 1) {"}}},
		{"snapshot-without-dirty", "a snapshot does not hold which rows are to be written", []edit{
			{"detector/snapshot.go", "b = le.AppendUint16(b, e.flags)", "b = le.AppendUint16(b, e.flags&^entityDirty)"}}},
		{"history-in-parts", "what half of has been read is judged while history is read", []edit{
			{"detector/timers.go", "case m.history && m.onlyHistory(e, facts):", "case m.history && !m.history:"}}},
		{"put-off-forgotten", "what waits until history is read is forgotten in a restart", []edit{
			{"detector/restore.go", "if e.is(entityPutOff) {", "if e.is(entityPutOff) && m.clock < 0 {"}}},
		{"live-put-off", "a parcel with a scan that is no history waits as well", []edit{
			{"detector/timers.go", "if any = true; f.flags&factBackfill == 0 {", "if any = true; f.flags&factBackfill == 0 && i == 0 {"}}},
		{"snapshot-without-news", "a snapshot does not hold what the next tick has to judge", []edit{
			{"detector/snapshot.go", "b = le.AppendUint16(b, e.flags)", "b = le.AppendUint16(b, e.flags&^entityPending)"}}},
		{"news-not-listed", "news are in the snapshot, but nobody looks at them after it", []edit{
			{"detector/restore.go", "m.pending = append(m.pending, i)", ""}}},
		{"timers-not-restored", "after a restart no deadline is waited for", []edit{
			{"detector/restore.go", "e.deadline != 0 {", "e.deadline != 0 && m.clock == 0 {"}}},
		{"clock-forgotten", "a snapshot does not hold what is known to be forwarded", []edit{
			{"detector/snapshot.go", "b = le.AppendUint32(b, m.forwarded)", "b = le.AppendUint32(b, 0)"}}},
		{"gone-forgotten", "what has left leaves no sign", []edit{
			{"detector/leave.go", "m.gone.add(&l.id, m.now())", ""}}},
		{"gone-bits-cleared", "a number that leaves wipes others out of the filter", []edit{
			{"detector/gone.go", "f.words[word] |= mask", "f.words[word] = mask"}}},
		{"archive-without-state", "the archive holds no facts", []edit{
			{"detector/leave.go", "State: m.appendEntity([]byte{entityVersion}, &e, rowState{})}", "State: m.appendEntity([]byte{snapshotVersion}, &e, rowState{})[:0]}"}}},
		{"archive-without-alerts", "what comes back from the archive has no alerts", []edit{
			{"detector/leave.go", "*e = s\n\t\tm.count(e, 1)", "*e = s\n\t\tsec := m.sections(e)\n\t\tsec.alerts = nil\n\t\tm.store(e, sec)\n\t\tm.count(e, 1)"}}},
		{"held-records-lost", "what came while the archive was asked is lost", []edit{
			{"detector/leave.go", "range a.held {", "range a.held[:0] {"}}},
		{"held-not-restored", "of the records that wait for the archive a restart keeps the last", []edit{
			{"detector/restore.go", "q.keep(r.long(int(r.u32())))", "if raw := r.long(int(r.u32())); n == 1 {\n\t\t\tq.keep(raw)\n\t\t}"}}},
		{"answered-twice", "a second answer of the archive puts the old state in place of the new one", []edit{
			{"detector/leave.go", "if a == nil || a.Offset != b.Ask {\n\t\treturn\n\t}\n", "if a == nil {\n\t\ta = &ask{}\n\t} else {\n"},
			{"detector/leave.go", "\tm.asks.remove(b.EntityID)\n", "\tm.asks.remove(b.EntityID)\n\t}\n"},
			{"detector/leave.go", "m.mergeState(i, e, &s, blob, out)", "old := s\n\t\told.blob = m.blobs.put(0, blob)\n\t\tm.store(e, m.sections(&old))"}}},
		{"leaves-unwritten", "what has left is forgotten before its last row is written", []edit{
			{"detector/leave.go", "if !l.archived || l.is(entityDirty) {", "if !l.archived {"}}},
		{"archive-without-orders", "what comes back from the archive has no order", []edit{
			{"detector/leave.go", "*e = s\n\t\tm.count(e, 1)", "*e = s\n\t\tsec := m.sections(e)\n\t\tsec.orders = nil\n\t\tif !e.is(entityOrder) {\n\t\t\tm.store(e, sec)\n\t\t}\n\t\tm.count(e, 1)"}}},
	}
}
