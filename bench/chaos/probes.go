package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/proc"
	"scantrail/bench/world"
	"scantrail/schemas"
)

// Probes are parcels beside the world, one scan each, that fall silent on time:
// each one's 48 hours end a little later than the last one's, in real time. They
// tell, for every moment of the run, how late an alert is.
const (
	probeEvery = 250 * time.Millisecond
	// probeLead is how long before its deadline a probe's scan is sent.
	probeLead   = 10 * time.Second
	silence     = 48 * time.Hour
	probeFeed   = "yunexpress"
	probeMarket = "US"
)

type probes struct {
	mu        sync.Mutex
	deadlines map[string]time.Time // by number
	opened    map[string]time.Time // when the alert was read from the topic, the first time
	failed    error
}

// startProbes watches parcel.alerts. The probes themselves are sent by send.
func startProbes(ctx context.Context, brokers []string) (*probes, error) {
	p := &probes{deadlines: map[string]time.Time{}, opened: map[string]time.Time{}}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(schemas.AlertsTopic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.MetadataMaxAge(5*time.Second), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	go func() {
		defer client.Close()
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(p.note) // what cannot be read now is read later
		}
	}()
	return p, nil
}

func (p *probes) note(r *kgo.Record) {
	var a schemas.Alert
	err := schemas.ParseAlertJSON(r.Value, &a)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.failed = fmt.Errorf("%s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		return
	}
	if _, seen := p.opened[a.TrackingNumber]; !seen && a.Rule == schemas.RuleGap48h && a.Status == schemas.AlertOpen {
		p.opened[a.TrackingNumber] = time.Now()
	}
}

// send sends one probe after the other until the faults are over.
func (p *probes) send(ctx context.Context, l *load) error {
	for n := 0; ; n++ {
		select {
		case <-l.hurry:
			return nil
		default:
		}
		if err := proc.Pause(ctx, probeEvery); err != nil {
			return err
		}
		number := fmt.Sprintf("YT26%014d", 99_000_000_000+n)
		deadline := time.Now().Add(probeLead).Truncate(time.Second) // carriers state seconds
		p.mu.Lock()
		p.deadlines[number] = deadline
		p.mu.Unlock()
		value := fmt.Sprintf(`{"waybill_number":%q,"product_code":"THPHR","origin_country_code":"CN","country_code":%q,"track_events":[`+
			`{"process_time":%q,"time_zone":"UTC+00:00","track_node_code":"PICKED_UP","process_content":"Parcel picked up","process_country":"CN","process_city":"Shenzhen"}]}`,
			number, probeMarket, deadline.Add(-silence).UTC().Format("2006-01-02T15:04:05"))
		l.produce(ctx, &kgo.Record{Topic: schemas.RawTopicPrefix + probeFeed, Value: []byte(value)})
	}
}

// count is how many there are: each one distinct scan, and one parcel.
func (p *probes) count() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(len(p.deadlines))
}

// cases adds what is true of the probes at a time.
func (p *probes) cases(all map[caseKey]bool, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for number, deadline := range p.deadlines {
		if !deadline.After(at) {
			all[caseKey{rule: world.RuleGap48, number: number, anchor: deadline.Add(-silence).Unix()}] = true
		}
	}
}

// delays of the alerts whose deadlines fell into a time.
type delays struct {
	deadlines    int
	missing      int // alerts that are not on the topic yet
	median, most time.Duration
}

func (d delays) String() string {
	return fmt.Sprintf("%d deadlines, %d without an alert, half of the alerts within %s, the latest %s after its deadline",
		d.deadlines, d.missing, d.median.Round(10*time.Millisecond), d.most.Round(10*time.Millisecond))
}

// between looks at the deadlines of a time as the topic stands now.
func (p *probes) between(from, to time.Time) (d delays) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var late []time.Duration
	for number, deadline := range p.deadlines {
		if deadline.Before(from) || deadline.After(to) {
			continue
		}
		d.deadlines++
		if at, ok := p.opened[number]; ok {
			late = append(late, at.Sub(deadline))
		} else {
			d.missing++
		}
	}
	if len(late) > 0 {
		slices.Sort(late)
		d.median, d.most = late[len(late)/2], late[len(late)-1]
	}
	return d
}

// all fails unless each of these deadlines has its alert, and each alert could be
// read.
func (p *probes) all(d delays) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.missing > 0 || d.deadlines == 0 {
		return errors.Join(p.failed, fmt.Errorf("alerts on %s: %s", schemas.AlertsTopic, d))
	}
	return p.failed
}
