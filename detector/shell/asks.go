package shell

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/detector"
	"scantrail/schemas"
)

// maxAsks bounds the questions of one look into the archive.
const maxAsks = 2000

// asker answers the machines' questions about parcels that may have left: it
// looks into the archive in a goroutine of its own, one lot of questions at a
// time. The answers go through the log.
type asker struct {
	rows  RowWriter
	there func() error // as Config.Tables
	todo  chan []question
	done  chan []question
	busy  bool
	sent  map[asked]time.Time // answered lately; the record may be on its way
}

// asked names a question.
type asked struct {
	id     schemas.ID
	offset int64
}

type question struct {
	detector.Ask
	partition int32
	found     []schemas.ArchiveRow // what had left and is not in the archive yet, then all
	err       error
}

func newAsker(cfg Config) *asker {
	return &asker{rows: cfg.Archive, there: cfg.Tables, todo: make(chan []question, 1), done: make(chan []question, 1), sent: map[asked]time.Time{}}
}

// run looks up lots until ctx ends. A failed look-up is asked again.
func (a *asker) run(ctx context.Context, log *slog.Logger) {
	failing := false
	for {
		var lot []question
		select {
		case <-ctx.Done():
			return
		case lot = <-a.todo:
		}
		err := a.lookUp(ctx, lot)
		if err != nil && !failing && ctx.Err() == nil {
			log.Warn("ClickHouse does not say what the archive holds; parcels that are heard of again after their end wait, all others go on", "err", err)
		}
		if failing = err != nil; failing {
			wait(ctx, time.Second)
		}
		a.done <- lot
	}
}

func (a *asker) lookUp(ctx context.Context, lot []question) error {
	ids := make([]schemas.ID, len(lot))
	at := make(map[schemas.ID]int, len(lot))
	for i := range lot {
		ids[i], at[lot[i].EntityID] = lot[i].EntityID, i
	}
	err := a.there()
	var rows []schemas.ArchiveRow
	if err == nil {
		rows, err = a.rows.Archived(ctx, ids)
	}
	for i := range lot {
		lot[i].err = err
	}
	for _, r := range rows {
		if i, ok := at[r.EntityID]; ok {
			lot[i].add(r)
		}
	}
	return err
}

// add keeps the newest state of each life.
func (q *question) add(r schemas.ArchiveRow) {
	i := slices.IndexFunc(q.found, func(has schemas.ArchiveRow) bool { return has.OpenedAt == r.OpenedAt })
	switch {
	case i < 0:
		q.found = append(q.found, r)
	case r.Version > q.found[i].Version:
		q.found[i] = r
	}
}

// state packs what was found for the log, oldest life first. Where it does not
// fit into a record, the oldest lives are left out.
func (q *question) state(log *slog.Logger) []byte {
	slices.SortFunc(q.found, func(x, y schemas.ArchiveRow) int { return int(min(max(x.OpenedAt-y.OpenedAt, -1), 1)) })
	for ; ; q.found = q.found[1:] {
		state := detector.AppendStates(nil, q.found)
		if len(state) <= schemas.MaxRebuild {
			return state
		}
		log.Warn("oldest life of a number left out: its states do not fit into one record", "entity", q.EntityID, "opened_at", schemas.FormatTime(q.found[0].OpenedAt))
	}
}

// resendAfter is how long an answer may take through the log before it is given
// again.
const resendAfter = time.Minute

// answer gives the answers that have come and asks what is new. It never blocks.
func (s *Shell) answer(now time.Time) {
	a := s.asker
	select {
	case lot := <-a.done:
		a.busy = false
		for i := range lot {
			if q := &lot[i]; q.err == nil {
				s.rebuild(q)
				a.sent[asked{q.EntityID, q.Offset}] = now
			}
		}
	default:
	}
	open := 0
	var lot []question
	for _, p := range s.owned() {
		s.asks = p.machine.Asks(maxAsks, s.asks[:0])
		open += len(s.asks)
		for _, ask := range s.asks {
			if sent, ok := a.sent[asked{ask.EntityID, ask.Offset}]; !a.busy && len(lot) < maxAsks && (!ok || now.Sub(sent) > resendAfter) {
				lot = append(lot, question{Ask: ask, partition: p.id, found: p.machine.Unwritten(ask.EntityID)})
			}
		}
	}
	s.cfg.Metrics.Asks.Set(float64(open))
	if open == 0 {
		clear(a.sent)
	}
	if len(lot) > 0 {
		a.busy = true
		a.todo <- lot
	}
}

// rebuild writes an answer into the log, beside the question.
func (s *Shell) rebuild(q *question) {
	rec := schemas.Record{Kind: schemas.KindRebuild, Rebuild: schemas.Rebuild{EntityID: q.EntityID, Ask: q.Offset, State: q.state(s.cfg.Log)}}
	s.direct.Produce(s.sending, &kgo.Record{Topic: schemas.EventsTopic, Partition: q.partition, Key: []byte(q.Name), Value: s.encoder.Append(nil, &rec)}, s.acked)
}
