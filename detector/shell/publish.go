package shell

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// publish sends what the last record caused: alerts, stages reached, facts for
// other partitions. It is news unless a former owner has sent it before.
func (s *Shell) publish(news bool) {
	for i := range s.out.Alerts {
		a := &s.out.Alerts[i]
		r := &kgo.Record{Topic: schemas.AlertsTopic, Key: []byte(alertKey(a)), Value: schemas.AppendAlertJSON(nil, a)}
		s.client.Produce(s.sending, r, s.alerted(a, news))
		s.cfg.Metrics.alert(a)
	}
	for i := range s.out.Statuses {
		st := &s.out.Statuses[i]
		s.send(schemas.StatusTopic, st.TrackingNumber, schemas.AppendStatusJSON(nil, st))
	}
	for i := range s.out.Forwards {
		f := &s.out.Forwards[i]
		s.send(schemas.EventsTopic, f.Key, f.Value)
	}
	for _, g := range s.out.Gaps {
		s.cfg.Metrics.Quarantined.Inc()
		s.cfg.Log.Warn("quarantined: "+g.Reason, "tracking_number", g.TrackingNumber, "shop_id", g.ShopID, "order_id", g.OrderID)
	}
}

// alertKey keeps the transitions of one alert in one partition, in their order.
func alertKey(a *schemas.Alert) string {
	switch {
	case a.TrackingNumber != "":
		return a.TrackingNumber
	case a.OrderID != "":
		return schemas.OrderKey(a.ShopID, a.OrderID)
	}
	return schemas.FeedKey(a.Carrier)
}

// alerted returns what to do when Kafka has an alert. Only one that somebody waits
// for tells of a delay: history, and what a replay repeats, is late by nature.
func (s *Shell) alerted(a *schemas.Alert, news bool) func(*kgo.Record, error) {
	opened := a.Status == schemas.AlertOpen || a.Status == schemas.AlertEscalated
	if !opened || !news || a.Backfill || a.Held {
		return s.acked
	}
	due := time.UnixMilli(a.ChangedAt)
	return func(r *kgo.Record, err error) {
		if err == nil {
			s.cfg.Metrics.AlertDelay.Observe(max(s.cfg.Now().Sub(due), 0).Seconds())
		}
		s.acked(r, err)
	}
}

func (s *Shell) send(topic, key string, value []byte) {
	s.client.Produce(s.sending, &kgo.Record{Topic: topic, Key: []byte(key), Value: value}, s.acked)
}

func (s *Shell) acked(r *kgo.Record, err error) {
	if err != nil {
		err = fmt.Errorf("detector: Kafka refused a message for %s: %w", r.Topic, err)
		s.failed.CompareAndSwap(nil, &err)
	}
}

func sortPartitions(ps []*partition) {
	slices.SortFunc(ps, func(a, b *partition) int { return int(a.id - b.id) })
}
