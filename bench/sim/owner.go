package main

import (
	"cmp"
	"slices"

	"scantrail/detector"
	"scantrail/schemas"
)

const generation = 1

// owner is a process that holds a partition: one machine and what it has not told
// yet. A zombie was replaced and goes on until it notices.
type owner struct {
	c      *cluster
	p      *partition
	m      *detector.Machine
	out    detector.Output
	alerts []schemas.Alert
	states []schemas.Status
	copies []detector.Forward

	parcels []schemas.ParcelRow // taken, not written yet
	orders  []schemas.OrderRow
	leavers []schemas.ArchiveRow

	generation uint16 // of the rows, by the control records applied
	left       int    // actions until a zombie notices; 0: rightful
	dead       bool
}

// start gives a partition a new owner, restored from the newest snapshot that
// can be read.
func (c *cluster) start(p *partition) *owner {
	o := &owner{c: c, p: p, generation: generation}
	order := make([]int, len(p.snapshots))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p.snapshots[b].offset, p.snapshots[a].offset) })
	for _, i := range order {
		s := &p.snapshots[i]
		if c.chance(10) {
			c.cover.fault("old snapshot", "restore")
			continue
		}
		m := detector.NewMachine(int32(p.number), s.generation, detector.WithDocuments(c.parsed))
		err := restore(m, s.chunks)
		if err == nil && !s.whole {
			c.failf("a torn snapshot of partition %d at offset %d was read without an error", p.number, s.offset)
		}
		if err != nil && s.whole {
			c.failf("snapshot of partition %d at offset %d: %v", p.number, s.offset, err)
		}
		if err == nil {
			o.m, o.generation = m, s.generation
			c.tracef("restore %d from offset %d", p.number, s.offset)
			break
		}
		c.cover.fault("torn snapshot", "restore")
	}
	if o.m == nil {
		o.m = detector.NewMachine(int32(p.number), generation, detector.WithDocuments(c.parsed))
	}
	p.owners = append(p.owners, o)
	return o
}

func restore(m *detector.Machine, chunks [][]byte) error {
	for _, b := range chunks {
		if err := m.ReadChunk(b); err != nil {
			return err
		}
	}
	return m.FinishRestore()
}

// replace ends the owner of a partition, which may not know it yet, and starts
// another.
func (c *cluster) replace(p *partition) {
	last := p.owners[len(p.owners)-1]
	if c.chance(2) && len(p.owners) < 3 {
		c.cover.fault("zombie", "rebalance")
		last.left = 1 + c.r.IntN(30)
	} else {
		p.owners = p.owners[:len(p.owners)-1]
	}
	c.start(p)
}

// crash ends an owner at once.
func (o *owner) crash(phase string) {
	o.c.tracef("crash of owner of %d in %s", o.p.number, phase)
	o.dead = true
	rightful := o.p.owners[len(o.p.owners)-1] == o
	o.p.owners = slices.DeleteFunc(o.p.owners, func(x *owner) bool { return x == o })
	if rightful {
		o.c.start(o.p)
	}
}

// effect does something outside of the owner, which may fail in four ways, and
// says whether the owner knows that it is done.
func (o *owner) effect(phase string, do func()) bool {
	c := o.c
	if o.left > 0 {
		c.cover.fault("zombie", phase)
	}
	rarely := c.rarely
	if phase == "asks" || phase == "archives" { // themselves rare
		rarely /= 10
	}
	switch {
	case c.chance(rarely):
		c.cover.fault("crash before", phase)
		o.crash(phase)
		return false
	case c.chance(rarely):
		c.cover.fault("failed", phase)
		return false
	case c.chance(rarely):
		c.cover.fault("failed but done", phase)
		do()
		return false
	case c.chance(rarely):
		c.cover.fault("crash after", phase)
		do()
		o.crash(phase)
		return false
	}
	do()
	return true
}

// act does one thing, whichever.
func (o *owner) act() {
	switch o.c.r.IntN(12) {
	case 0, 1, 2, 3:
		o.poll(1 + o.c.r.IntN(400))
	case 4:
		o.publish()
	case 5:
		o.forward()
	case 6:
		o.writeParcels(1 + o.c.r.IntN(5))
	case 7:
		o.writeOrders(1 + o.c.r.IntN(5))
	case 8:
		o.writeArchives(1 + o.c.r.IntN(5))
	case 9:
		o.answer(1 + o.c.r.IntN(3))
	case 10:
		o.snapshot()
	case 11:
		o.commit()
	}
	if o.left > 0 && !o.dead {
		if o.left--; o.left == 0 {
			o.p.owners = slices.DeleteFunc(o.p.owners, func(x *owner) bool { return x == o })
		}
	}
}

// finish does all that there is to do.
func (o *owner) finish() {
	o.poll(len(o.p.log))
	o.publish()
	o.forward()
	for range 1000 {
		if !o.writeParcels(100) && !o.writeOrders(100) && !o.writeArchives(100) {
			break
		}
	}
	o.answer(100)
	o.commit()
}

// poll applies records.
func (o *owner) poll(n int) {
	next := o.m.Offset() + 1
	end := min(next+int64(n), int64(len(o.p.log)))
	for ; next < end; next++ {
		o.out.Reset()
		r := o.p.at(next)
		if err := o.m.Apply(next, r, &o.out); err != nil {
			o.c.failf("apply of %d:%d: %v", o.p.number, next, err)
		}
		if r.Kind == schemas.KindControl {
			o.generation = max(o.generation, uint16(r.Control.Generation))
		}
		for i := range o.out.Alerts {
			if told := &o.out.Alerts[i]; slices.ContainsFunc(o.out.Alerts[:i], func(a schemas.Alert) bool {
				return a.AlertID == told.AlertID && a.Home == told.Home && a.Version == told.Version
			}) {
				o.c.failf("%d:%d tells two things in one version, the second is\n%+v", o.p.number, next, *told)
			}
			o.alerts = append(o.alerts, o.out.Alerts[i])
			if o.c.trace != nil {
				a := &o.out.Alerts[i]
				o.c.tracef("%d:%d alert %s %s %s anchor %s level %d %s ended %s", o.p.number, next, a.Rule, a.Detail, a.TrackingNumber, when(a.AnchorAt), a.Level, a.Status, when(a.EndedAt))
			}
		}
		o.states = append(o.states, o.out.Statuses...)
		if o.copies = append(o.copies, o.out.Forwards...); len(o.copies)+len(o.alerts) > maxRecords {
			o.c.failf("liveness: %d alerts and %d copies of %d:%d", len(o.alerts), len(o.copies), o.p.number, next)
		}
		if o.c.chance(100 * o.c.rarely) {
			o.c.cover.fault("crash after", "apply")
			o.crash("apply")
			return
		}
	}
}

// publish sends alerts and stages, in order, from where alerts reach the table.
func (o *owner) publish() {
	if inParts(o, "alerts", &o.alerts, 4, o.c.alert) {
		inParts(o, "statuses", &o.states, 4, o.c.status)
	}
}

// forward sends copies to the partitions of their keys.
func (o *owner) forward() {
	inParts(o, "copies", &o.copies, 16, func(f detector.Forward) {
		r := new(schemas.Record)
		if err := r.Decode(slices.Clone(f.Value)); err != nil {
			o.c.failf("copy for %q cannot be read: %v", f.Key, err)
		}
		o.c.send(f.Key, r)
	})
}

// inParts sends what waits, a few at a time, until something fails. It says
// whether all is acknowledged.
func inParts[T any](o *owner, phase string, waiting *[]T, most int, send func(T)) bool {
	for len(*waiting) > 0 {
		part := (*waiting)[:min(len(*waiting), 1+o.c.r.IntN(most))]
		if !o.effect(phase, func() {
			for i := range part {
				send(part[i])
			}
		}) {
			return false
		}
		*waiting = (*waiting)[len(part):]
	}
	return true
}

// send appends a record now, or later where the producer does not wait for it.
func (c *cluster) send(key string, r *schemas.Record) {
	c.append(key, r)
	if c.chance(10) {
		c.cover.fault("again later", "copies")
		c.flights = append(c.flights, flight{c.now + c.r.Int64N(3*hour), key, r})
	}
}

// told says that nothing is left to be acknowledged.
func (o *owner) told() bool { return len(o.alerts)+len(o.states)+len(o.copies) == 0 }

func (o *owner) commit() {
	if at := o.m.Clock() / 1000; o.told() && at > 0 {
		o.effect("commit", func() { o.p.committed = max(o.p.committed, at) })
	}
}

func (o *owner) snapshot() {
	if !o.told() || o.m.Offset() < 0 {
		return
	}
	s := snapshot{generation: o.generation, offset: o.m.Offset(), whole: true}
	err := o.m.WriteSnapshot(200+o.c.r.IntN(4000), func(b []byte) error {
		s.chunks = append(s.chunks, slices.Clone(b))
		return nil
	})
	if err != nil {
		o.c.failf("snapshot: %v", err)
	}
	switch {
	case o.c.chance(8):
		o.c.cover.fault("torn", "snapshot")
		s.chunks, s.whole = s.chunks[:o.c.r.IntN(len(s.chunks))], false
	case o.c.chance(20):
		o.c.cover.fault("damaged", "snapshot")
		b := s.chunks[o.c.r.IntN(len(s.chunks))]
		b[o.c.r.IntN(len(b))] ^= 1 << o.c.r.IntN(8)
		s.whole = false
	}
	o.effect("snapshot", func() {
		o.p.snapshots = append(o.p.snapshots, s)
		slices.SortStableFunc(o.p.snapshots, func(a, b snapshot) int { return cmp.Compare(a.offset, b.offset) })
		whole := 0
		for i, x := range slices.Backward(o.p.snapshots) {
			if x.whole {
				whole++
			}
			if whole == 3 {
				o.p.snapshots = slices.Delete(o.p.snapshots, 0, i)
				break
			}
		}
	})
}

// write takes rows that are to be written, or writes those that it took before:
// records are applied in between. It says whether there was anything to do.
func write[R any](o *owner, phase string, taken *[]R, dirty func(int, []R) []R, limit int, put func(*R), mark func([]R)) bool {
	if len(*taken) == 0 {
		*taken = dirty(limit, nil)
		return len(*taken) > 0
	}
	rows := *taken
	*taken = nil
	if o.effect(phase, func() {
		for i := range rows {
			put(&rows[i])
		}
	}) {
		mark(rows)
	}
	return true
}

func (o *owner) writeParcels(limit int) bool {
	return write(o, "parcels", &o.parcels, o.m.DirtyParcels, limit, o.c.parcel, o.m.MarkParcelsWritten)
}

func (o *owner) writeOrders(limit int) bool {
	return write(o, "orders", &o.orders, o.m.DirtyOrders, limit, o.c.order, o.m.MarkOrdersWritten)
}

func (o *owner) writeArchives(limit int) bool {
	return write(o, "archives", &o.leavers, o.m.DirtyArchives, limit, o.c.archive, o.m.MarkArchivesWritten)
}

// answer answers questions with what the archive and the machine itself hold.
func (o *owner) answer(limit int) {
	for _, a := range o.m.Asks(limit, nil) {
		states := map[int64]schemas.ArchiveRow{}
		for _, row := range o.c.tables.archives {
			if row.EntityID == a.EntityID {
				states[row.OpenedAt] = row
			}
		}
		for _, row := range o.m.Unwritten(a.EntityID) {
			if known, ok := states[row.OpenedAt]; !ok || row.Version >= known.Version {
				states[row.OpenedAt] = row
			}
		}
		rows := make([]schemas.ArchiveRow, 0, len(states))
		for _, row := range states {
			rows = append(rows, row)
		}
		slices.SortFunc(rows, func(a, b schemas.ArchiveRow) int { return cmp.Compare(a.OpenedAt, b.OpenedAt) })
		r := &schemas.Record{Kind: schemas.KindRebuild, Rebuild: schemas.Rebuild{EntityID: a.EntityID, Ask: a.Offset, State: detector.AppendStates(nil, rows)}}
		o.c.cover.fault("answered", "asks")
		if len(rows) > 0 {
			o.c.cover.fault("came back", "asks")
		}
		if !o.effect("asks", func() { o.c.append(a.Name, r) }) {
			return
		}
	}
}
