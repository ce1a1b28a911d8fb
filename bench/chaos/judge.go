package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"scantrail/bench/proc"
	"scantrail/schemas"
)

// judge waits until everything has arrived, stops the services, and compares.
func (c *cluster) judge(ctx context.Context, l *load, r *report) error {
	if err := c.ready(ctx, 5*time.Minute); err != nil {
		return err
	}
	began := time.Now()
	raw, err := c.drained(ctx, l)
	if err != nil {
		return err
	}
	r.Drained = time.Since(began)
	var told error
	r.Promised, told = c.webhook.all(ctx, c.kafka.Addrs())
	r.Probes, r.RSS = l.probes.between(r.Began, time.Now().Add(-5*time.Second)), c.memory.most(r.Began, time.Now())
	for _, s := range c.services {
		s.end(syscall.SIGTERM)
		r.Slowest = max(r.Slowest, s.slowestEnd())
	}
	if err := c.failure(); err != nil {
		return err
	}
	r.Records, r.Sent = raw, l.sent.Load()
	r.Posts, r.Digested, r.PostedAgain, r.Unanswered = c.webhook.counts()
	errs := []error{told, l.probes.all(r.Probes), c.counts(ctx, l, raw), c.alerts(ctx, l, r), c.audit(ctx, r)}
	return errors.Join(errs...)
}

// drained waits until every group has committed everything. It returns how many
// records the raw topics hold.
func (c *cluster) drained(ctx context.Context, l *load) (raw int64, err error) {
	adm := kadm.NewClient(l.client)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	for quiet := 0; quiet < 3; { // the detector's own records follow what it read
		behind, end, err := l.behind(ctx, adm)
		if raw = end; err == nil && behind < 100 { // ticks come all the time
			quiet++
		} else {
			quiet = 0
		}
		if err := c.failure(); err != nil {
			return 0, err
		}
		if err := proc.Pause(ctx, 2*time.Second); err != nil {
			return 0, fmt.Errorf("%d records are still behind after 10 minutes: %w", behind, err)
		}
	}
	return raw, nil
}

// behind counts the records that a group has not committed, and those that the
// raw topics hold.
func (l *load) behind(ctx context.Context, adm *kadm.Client) (behind, raw int64, err error) {
	for _, g := range []struct {
		name   string
		topics []string
	}{
		{schemas.IngestGroup, l.world.Topics()},
		{schemas.DetectorGroup, []string{schemas.EventsTopic}},
		{schemas.SinkGroup, []string{schemas.EventsTopic, schemas.AlertsTopic, schemas.DeadLettersTopic}},
	} {
		n, end, err := lag(ctx, adm, g.name, g.topics)
		if err != nil {
			return 0, 0, err
		}
		if behind += n; g.name == schemas.IngestGroup {
			raw = end
		}
	}
	return behind, raw, nil
}

func lag(ctx context.Context, adm *kadm.Client, group string, topics []string) (behind, end int64, err error) {
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return 0, 0, err
	}
	commits, err := adm.FetchOffsets(ctx, group)
	if err != nil {
		return 0, 0, err
	}
	ends.Each(func(o kadm.ListedOffset) {
		at := int64(0)
		if c, ok := commits.Lookup(o.Topic, o.Partition); ok {
			at = max(c.At, 0)
		}
		behind += max(o.Offset-at, 0)
		end += o.Offset
	})
	return behind, end, nil
}

// counts holds the tables against the world: every scan, once.
func (c *cluster) counts(ctx context.Context, l *load, raw int64) error {
	var errs []error
	scans := int64(l.truth.DistinctScans) + l.probes.count()
	for _, check := range []struct {
		what, query string
		want        int64
	}{
		{"raw records in the ledger of ingest", "SELECT sum(records) FROM ranges FINAL", raw},
		{"distinct scans", "SELECT toInt64(uniqExact(fact_id)) FROM scans", scans},
		{"scans in the rows of parcels", "SELECT toInt64(sum(facts)) FROM parcels FINAL", scans},
		{"rows of scans that stand twice", "SELECT toInt64(count() - uniqExact(partition, offset)) FROM scans FINAL", 0},
		{"parcels that stand twice", "SELECT toInt64(count() - uniqExact(parcel_id, opened_at)) FROM parcels FINAL", 0},
		{"problems in the ledger of the sink", "SELECT toInt64(count()) FROM audit_blocks", 0},
		{"rows of data_gaps", "SELECT toInt64(count()) FROM data_gaps FINAL", 0},
	} {
		var got int64
		if err := c.rows.QueryRow(ctx, check.query).Scan(&got); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", check.query, err))
		} else if got != check.want {
			errs = append(errs, fmt.Errorf("%s: %d, want %d", check.what, got, check.want))
		}
	}
	return errors.Join(errs...)
}

// caseKey names one true case or one alert; both must agree in all of it.
type caseKey struct {
	rule, number, milestone string
	anchor, end             int64 // Unix seconds; 0 while open
}

// casesAt is what was true at a time, of the world and of the probes.
func (l *load) casesAt(at time.Time) map[caseKey]bool {
	all := map[caseKey]bool{}
	l.probes.cases(all, at)
	for _, k := range l.world.TruthAt(at).Cases {
		key := caseKey{rule: k.Rule, number: k.TrackingNumber, milestone: k.Milestone, anchor: k.AnchorAt.Unix()}
		if !k.EndedAt.IsZero() {
			key.end = k.EndedAt.Unix()
		}
		all[key] = true
	}
	return all
}

// alerts compares what is open, escalated or resolved with the truth. The log's
// clock is not the same in each partition, so that what changes within the last
// minute may be either.
func (c *cluster) alerts(ctx context.Context, l *load, r *report) error {
	var clock time.Time
	if err := c.rows.QueryRow(ctx, "SELECT assumeNotNull(clock) FROM log_clock").Scan(&clock); err != nil {
		return err
	}
	early, late := l.casesAt(clock.Add(-time.Minute)), l.casesAt(clock.Add(time.Minute))
	rows, err := c.rows.Query(ctx, `SELECT toString(rule), tracking_number, toString(milestone), toInt64(toUnixTimestamp(anchor_at)), toInt64(ifNull(toUnixTimestamp(ended_at), 0))
		FROM alerts_current WHERE status NOT IN ('at_risk', 'withdrawn') AND rule IN ('gap_48h', 'gap_72h', 'milestone_missing')`)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // read to its end
	found := map[caseKey]bool{}
	var wrong []string
	for rows.Next() {
		var k caseKey
		if err := rows.Scan(&k.rule, &k.number, &k.milestone, &k.anchor, &k.end); err != nil {
			return err
		}
		found[k] = true
		if !early[k] && !late[k] {
			wrong = append(wrong, fmt.Sprintf("not true: %+v", k))
		}
	}
	for k := range early {
		if late[k] && !found[k] {
			wrong = append(wrong, fmt.Sprintf("not found: %+v", k))
		}
	}
	r.Alerts = len(found)
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return fmt.Errorf("%d of %d alerts differ from the truth, such as\n  %s", len(wrong), len(found), strings.Join(wrong[:min(len(wrong), 10)], "\n  "))
	}
	return rows.Err()
}

// audit runs the command as its user would.
func (c *cluster) audit(ctx context.Context, r *report) error {
	cmd := exec.CommandContext(ctx, c.binary, "audit", "-c", c.config, "--replay", "all", "--json")
	out, err := cmd.Output()
	var result struct {
		Holds  bool `json:"holds"`
		Checks []struct {
			Compared int64 `json:"compared"`
		} `json:"checks"`
	}
	if err != nil {
		return fmt.Errorf("scantrail audit: %w\n%s", err, out[:min(len(out), 4000)])
	}
	if err := json.Unmarshal(out, &result); err != nil {
		return fmt.Errorf("scantrail audit: %w", err)
	}
	for _, check := range result.Checks {
		r.Audited += check.Compared
	}
	if !result.Holds || r.Audited == 0 {
		return fmt.Errorf("scantrail audit does not hold: %s", out)
	}
	return nil
}
