package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/stopwatch"
	"scantrail/schemas"
)

// gapLimit is the silence that opens gap_48h under the built-in policy.
const gapLimit = 48 * time.Hour

// rowsEvery is how often ClickHouse is asked for new alerts: a row may be that
// much older than it is said to be.
const rowsEvery = 50 * time.Millisecond

// latency measures, with real ticks in real time, how long after its deadline a
// gap is an alert on parcel.alerts, and a row in ClickHouse.
func (b *bench) latency(ctx context.Context) (rows []stopwatch.Row, err error) {
	for _, every := range b.sizes.ticks {
		row, err := b.latencyOf(ctx, every)
		if err != nil {
			return nil, fmt.Errorf("ticks every %s: %w", every, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (b *bench) latencyOf(ctx context.Context, every time.Duration) (row stopwatch.Row, err error) {
	clickhouse, database, err := b.servers.database(ctx)
	if err != nil {
		return row, err
	}
	broker, err := b.servers.broker(ctx)
	if err != nil {
		return row, err
	}
	defer broker.stop()
	o := b.options(broker, clickhouse, database)
	o.TickEvery, o.Now = every, time.Now
	p, err := newPipeline(o)
	if err != nil {
		return row, err
	}
	defer p.Close()
	if err := p.Prepare(ctx); err != nil {
		return row, err
	}
	if err := readyTopics(ctx, p.kafka, []string{silentTopic}); err != nil {
		return row, err
	}
	ctx, cancel := context.WithTimeout(ctx, b.sizes.lead+b.sizes.during+20*every+time.Minute)
	defer cancel()
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- p.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-done)
	}()
	return b.silences(ctx, p, every)
}

// silences sends parcels that were last scanned almost 48 hours ago and waits for
// their alerts.
func (b *bench) silences(ctx context.Context, p *pipeline, every time.Duration) (row stopwatch.Row, err error) {
	client, err := kgo.NewClient(append(p.o.Kafka[:len(p.o.Kafka):len(p.o.Kafka)],
		kgo.ConsumeTopics(schemas.AlertsTopic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(10*time.Millisecond))...)
	if err != nil {
		return row, err
	}
	defer client.Close()
	// The first one tells when ingest reads: only what comes later is no history.
	if err := client.ProduceSync(ctx, silentScan(0, time.Now().Add(-time.Hour))).FirstErr(); err != nil {
		return row, err
	}
	for p.value("scantrail_ingest_events_total") == 0 {
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return row, fmt.Errorf("the first scan is not in the log: %w", err)
		}
	}
	n := b.sizes.alerts
	deadlines := make(map[string]time.Time, n)
	from := time.Now().Truncate(time.Second).Add(b.sizes.lead)
	records := make([]*kgo.Record, n)
	for i := range n {
		at := from.Add(b.sizes.during * time.Duration(i) / time.Duration(n)).Truncate(time.Second) // carriers state seconds
		deadlines[silentNumber(i+1)] = at
		records[i] = silentScan(i+1, at.Add(-gapLimit))
	}
	b.say("%d deadlines within %s, ticks every %s", n, b.sizes.during, every)
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return row, err
	}
	if time.Now().After(from) {
		return row, errors.New("this machine is too slow: the first deadline passed before all scans were in Kafka")
	}
	onTopic := make(chan seen, 1)
	go func() { onTopic <- seenOnTopic(ctx, client, deadlines) }()
	inRows := seenInRows(ctx, p, deadlines)
	published := <-onTopic
	if err := errors.Join(published.err, inRows.err); err != nil {
		return row, err
	}
	row = stopwatch.Row{Part: "latency", Case: fmt.Sprintf("ticks every %s, %d deadlines", every, n)}
	for _, c := range []struct {
		name  string
		delay []time.Duration
	}{{"alert", published.delays}, {"row", inRows.delays}} {
		p50, p99, most := stopwatch.Percentiles(c.delay)
		for _, m := range []stopwatch.Metric{{Name: "p50", Value: ms(p50)}, {Name: "p99", Value: ms(p99)}, {Name: "max", Value: ms(most)}} {
			row.Metrics = append(row.Metrics, stopwatch.Metric{Name: c.name + "_" + m.Name + "_ms", Value: m.Value})
		}
	}
	row.Metrics = append(row.Metrics, stopwatch.Metric{Name: "goal_p99_ms", Value: ms(2*every + time.Second)})
	return row, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// seen is how long after its deadline each alert was seen.
type seen struct {
	delays []time.Duration
	err    error
}

// note books an alert that is seen for the first time.
func (s *seen) note(number string, at time.Time, left map[string]time.Time) {
	if deadline, ok := left[number]; ok {
		delete(left, number)
		s.delays = append(s.delays, at.Sub(deadline))
	}
}

func copyOf(deadlines map[string]time.Time) map[string]time.Time {
	left := make(map[string]time.Time, len(deadlines))
	for number, at := range deadlines {
		left[number] = at
	}
	return left
}

// seenOnTopic reads parcel.alerts until every gap is open there.
func seenOnTopic(ctx context.Context, client *kgo.Client, deadlines map[string]time.Time) (s seen) {
	left := copyOf(deadlines)
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		now := time.Now()
		if err := fetches.Err(); err != nil {
			return seen{err: fmt.Errorf("%d of %d gaps are not on %s: %w", len(left), len(deadlines), schemas.AlertsTopic, err)}
		}
		fetches.EachRecord(func(r *kgo.Record) {
			var a schemas.Alert
			if err := schemas.ParseAlertJSON(r.Value, &a); err != nil {
				s.err = err
			} else if a.Rule == schemas.RuleGap48h && a.Status == schemas.AlertOpen {
				s.note(a.TrackingNumber, now, left)
			}
		})
		if s.err != nil {
			return s
		}
	}
	return s
}

// seenInRows asks ClickHouse until every gap is open there.
func seenInRows(ctx context.Context, p *pipeline, deadlines map[string]time.Time) (s seen) {
	left := copyOf(deadlines)
	for len(left) > 0 {
		var numbers []string
		err := p.rows.QueryRow(ctx, "SELECT groupArray(tracking_number) FROM alerts WHERE rule = 'gap_48h' AND status = 'open'").Scan(&numbers)
		now := time.Now()
		if err == nil {
			err = pause(ctx, rowsEvery)
		}
		if err != nil {
			return seen{err: fmt.Errorf("%d of %d gaps are not in ClickHouse: %w", len(left), len(deadlines), err)}
		}
		for _, number := range numbers {
			s.note(number, now, left)
		}
	}
	return s
}

const silentTopic = schemas.RawTopicPrefix + "yunexpress"

func silentNumber(i int) string { return fmt.Sprintf("YT26%014d", i) }

// silentScan is a carrier's record of one scan.
func silentScan(i int, at time.Time) *kgo.Record {
	value := fmt.Sprintf(`{"waybill_number":"%s","product_code":"THPHR","origin_country_code":"CN","country_code":"US","track_events":[`+
		`{"process_time":"%s","time_zone":"UTC+00:00","track_node_code":"PICKED_UP","process_content":"Parcel picked up","process_country":"CN","process_city":"Shenzhen"}]}`,
		silentNumber(i), strings.TrimSuffix(at.UTC().Format(time.RFC3339), "Z"))
	return &kgo.Record{Topic: silentTopic, Value: []byte(value)}
}
