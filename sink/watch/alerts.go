package watch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// Alerts publishes transitions, and holds them against what ClickHouse shows, which
// the sink may not have written yet.
type Alerts struct {
	client     *kgo.Client
	remembered time.Duration
	sent       map[schemas.ID]schemas.Alert // published here, until ClickHouse shows it
}

// NewAlerts connects nothing yet; Publish does. What has not arrived in ClickHouse
// after remembered, of the log's clock, never will.
func NewAlerts(kafka []kgo.Opt, remembered time.Duration) (*Alerts, error) {
	client, err := kgo.NewClient(append(slices.Clip(kafka), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return &Alerts{client, remembered, map[schemas.ID]schemas.Alert{}}, nil
}

// Close ends the connections to Kafka.
func (p *Alerts) Close() { p.client.Close() }

// Merge returns the alerts, in any order, as ClickHouse shows them at now (Unix
// milliseconds of the log's clock), or as they were published here where that is
// newer.
func (p *Alerts) Merge(shown []schemas.Alert, now int64) []schemas.Alert {
	maps.DeleteFunc(p.sent, func(_ schemas.ID, own schemas.Alert) bool {
		return own.ChangedAt < now-p.remembered.Milliseconds()
	})
	all := make(map[schemas.ID]schemas.Alert, len(shown)+len(p.sent))
	for _, a := range shown {
		all[a.AlertID] = a
	}
	for id, own := range p.sent {
		if own.Version <= all[id].Version {
			delete(p.sent, id) // it is written
		} else {
			all[id] = own
		}
	}
	return slices.Collect(maps.Values(all))
}

// Publish sends transitions to parcel.alerts, each with its key, and returns when
// Kafka has them.
func (p *Alerts) Publish(ctx context.Context, changes []schemas.Alert, key func(*schemas.Alert) string) error {
	records := make([]*kgo.Record, len(changes))
	for i := range changes {
		a := &changes[i]
		records[i] = &kgo.Record{Topic: schemas.AlertsTopic, Key: []byte(key(a)), Value: schemas.AppendAlertJSON(nil, a)}
	}
	if err := p.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("write to %s: %w", schemas.AlertsTopic, errors.Join(err, context.Cause(ctx)))
	}
	for _, a := range changes {
		p.sent[a.AlertID] = a
	}
	return nil
}
