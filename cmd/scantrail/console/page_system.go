package console

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"scantrail/cmd/scantrail/query"
	"scantrail/schemas"
)

// Limits of the page System: of what one block may take, and of an audit.
const (
	blockLimit = 6 * time.Second
	auditLimit = 15 * time.Minute
)

// block is a part of the page that fails by itself.
type block struct {
	Err  string
	Data any
}

// systemPage shows how the service itself is doing.
func (c *console) systemPage(r *request) error {
	blocks := map[string]func(context.Context) (any, error){
		"Log": c.logBlock, "Snapshots": c.snapshotBlock, "Sources": c.sourcesBlock, "Process": c.processBlock,
		"Versions": c.versionsBlock, "Policy": c.policyBlock, "Gaps": func(ctx context.Context) (any, error) { return c.queries.DataGaps(ctx) },
	}
	data := map[string]any{"Audit": c.audit.now(), "MayAudit": r.Caller.MayHandle() && c.Audit != nil, "Now": c.Now(), "AuditLimit": auditLimit, "Busy": r.param("busy") != ""}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for name, make := range blocks {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(r.Context(), blockLimit)
			defer cancel()
			b := block{}
			var err error
			if b.Data, err = make(ctx); err != nil {
				c.log.Warn("a part of the page System failed", "part", name, "error", err)
				b = block{Err: Cut(300, Clean(err.Error()))}
			}
			mu.Lock()
			defer mu.Unlock()
			data[name] = b
		})
	}
	wg.Wait()
	return r.render(r.Get("system.title"), data)
}

// logRow is a partition of parcel.events, from the broker and from ClickHouse.
type logRow struct {
	logState
	query.LogPartition
	Clock time.Time // as far as ClickHouse has it
}

func (c *console) logBlock(ctx context.Context) (any, error) {
	known, err := c.queries.LogPartitions(ctx)
	if err != nil {
		return nil, err
	}
	byID := map[int32]query.LogPartition{}
	for _, p := range known {
		byID[p.Partition] = p
	}
	broker, err := withKafka(ctx, c, readLog)
	if err != nil {
		return nil, err
	}
	rows := make([]logRow, len(broker.Partitions))
	for i, p := range broker.Partitions {
		rows[i] = logRow{logState: p, LogPartition: byID[p.ID]}
		if at := byID[p.ID].LastTickAt; at != nil {
			rows[i].Clock = *at
		}
	}
	return map[string]any{"Rows": rows, "Groups": broker.Groups, "F": broker.Forwarded}, nil
}

func (c *console) snapshotBlock(ctx context.Context) (any, error) {
	return withKafka(ctx, c, func(ctx context.Context, k *kafka) ([]snapshotState, error) {
		return readSnapshots(ctx, k, c.Generation)
	})
}

func (c *console) sourcesBlock(ctx context.Context) (any, error) {
	return withKafka(ctx, c, readSources)
}

// figure is a figure of this process.
type figure struct {
	Key  string // text system.figure.KEY
	Text string // empty: Age
	Age  time.Duration
	Bad  bool
}

// processBlock has what the metrics of this process say.
func (c *console) processBlock(context.Context) (any, error) {
	if c.Metrics == nil {
		return nil, nil
	}
	m, err := gather(c.Metrics)
	if err != nil {
		return nil, err
	}
	now := c.Now()
	var all []figure
	age := func(key, metric string, worry time.Duration) {
		if at, ok := m.value(metric); ok && at > 0 {
			d := now.Sub(time.UnixMilli(int64(at * 1000)))
			all = append(all, figure{Key: key, Age: d, Bad: d > worry})
		}
	}
	age("tick", "scantrail_tick_timestamp_seconds", time.Minute)
	age("clock", "scantrail_detector_clock_timestamp_seconds", 2*time.Minute)
	age("forwarded", "scantrail_forwarded_through_timestamp_seconds", 5*time.Minute)
	for _, g := range []struct {
		key, metric string
		bad         bool
	}{
		{"behind", "scantrail_raw_partitions_behind", false}, {"stalled", "scantrail_raw_partitions_stalled", true},
		{"stuck", "scantrail_detector_partitions_stuck", true}, {"dirty", "scantrail_detector_rows_pending", false},
		{"parcels", "scantrail_detector_parcels", false}, {"resting", "scantrail_detector_reading_rests", true},
	} {
		if v, ok := m.value(g.metric); ok {
			all = append(all, figure{Key: g.key, Text: decimal(0, v), Bad: g.bad && v > 0})
		}
	}
	if v, ok := m.value("scantrail_detector_state_bytes"); ok {
		all = append(all, figure{Key: "state", Text: bytesText(v)})
	}
	for _, h := range []struct{ key, metric string }{{"restores", "scantrail_detector_restore_seconds"}, {"snapshots", "scantrail_detector_snapshot_seconds"}} {
		if n, mean, ok := m.mean(h.metric); ok && n > 0 {
			all = append(all, figure{Key: h.key, Text: fmt.Sprintf("%d × %.2f s", n, mean)})
		}
	}
	return all, nil
}

// version is a name and what it is at.
type version struct{ Name, At string }

func (c *console) versionsBlock(ctx context.Context) (any, error) {
	all := []version{{"Scantrail", firstOf(c.Version, revision())}, {"Go", runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}}
	server, files, err := c.queries.Versions(ctx)
	if err != nil {
		return nil, err
	}
	all = append(all, version{"ClickHouse", server})
	if broker, err := withKafka(ctx, c, brokerVersion); err == nil {
		all = append(all, version{"Kafka", broker})
	}
	if n := len(files); n > 0 {
		all = append(all, version{"schema", fmt.Sprintf("%s (%d)", files[n-1].Name, n)})
	}
	return append(all, version{"detector", fmt.Sprint(schemas.DetectorVersion)}), nil
}

// revision is the commit that the program was built from.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "?"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return Cut(12, s.Value)
		}
	}
	return info.Main.Version
}

func (c *console) policyBlock(ctx context.Context) (any, error) {
	p, err := c.queries.Policy(ctx)
	if err != nil {
		return nil, err
	}
	doc, err := schemas.ParsePolicies([]byte(p.Document))
	if err != nil {
		return nil, fmt.Errorf("the policies in force, number %d: %w", p.Number, err)
	}
	var names []string
	for i := range doc.List {
		names = append(names, doc.List[i].Name)
	}
	return map[string]any{"Number": p.Number, "Generation": p.Generation, "Partitions": p.Partitions, "Names": names, "Document": p.Document}, nil
}

// startAudit runs the audit in the background.
func (c *console) startAudit(r *request) error {
	if !r.Caller.MayHandle() {
		return errForbidden
	}
	if c.Audit == nil {
		return fmt.Errorf("%w: this process cannot run the audit", query.ErrWrong)
	}
	started := c.audit.start(r.Caller.Name, "", auditLimit, c.Now, func(ctx context.Context, p progress) (*Audit, error) {
		return c.Audit(ctx, p.say)
	})
	if !started {
		return r.redirect("/system?busy=1#audit")
	}
	return r.redirect("/system#audit")
}

func (c *console) stopAudit(r *request) error {
	if !r.Caller.MayHandle() {
		return errForbidden
	}
	c.audit.cancel()
	return r.redirect("/system#audit")
}
