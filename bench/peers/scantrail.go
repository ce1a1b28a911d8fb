package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"scantrail/bench/proc"
	"scantrail/schemas"
)

// All else is as the service has it: a tick every 5 s, flushes each second.
const serviceConfig = `
kafka:
  brokers: [%q]
  topics: {partitions: %d, replication_factor: 1}
clickhouse:
  addrs: ["http://%s"]
admin: {listen: %q}
web: {listen: "127.0.0.1:0"}
`

// service is scantrail run.
type service struct {
	rig   *rig
	proc  *process
	admin string
}

func startScantrail(ctx context.Context, r *rig) (job, error) {
	binary, err := proc.Build(ctx, r.o.Dir)
	if err != nil {
		return nil, err
	}
	s := &service{rig: r}
	if s.admin, err = proc.FreeAddr(); err != nil {
		return nil, err
	}
	config := filepath.Join(r.o.Dir, "scantrail.yaml")
	text := fmt.Sprintf(serviceConfig, r.kafka.Addrs()[0], partitions, r.engine.addr, s.admin)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	if p, err := startProcess(r.o.Dir, "migrate", binary, "migrate", "-c", config); err != nil {
		return nil, err
	} else if <-p.ended; p.err != nil {
		return nil, fmt.Errorf("scantrail migrate: %w\n%s", p.err, p.tail(2000))
	}
	s.proc, err = startProcess(r.o.Dir, "scantrail", binary, "run", "-c", config)
	return s, err
}

func (s *service) process() *process { return s.proc }
func (s *service) stop()             { stopProcess(s.proc) }

// ticking is how many ticks and what they cause may wait in the log at any time.
const ticking = 100

func (s *service) state(ctx context.Context) (state, error) {
	m, err := s.metrics(ctx)
	if err != nil {
		return state{}, nil //nolint:nilerr // it is starting; if it has ended, its process says so
	}
	st := state{consumed: int64(m["scantrail_ingest_records_total"]), busy: m["scantrail_detector_rows_pending"] > 0}
	n, err := s.rig.engine.numbers(ctx, "SELECT (SELECT count() FROM scantrail.scans), (SELECT count() FROM scantrail.alert_transitions) FORMAT TSV")
	if err != nil {
		return st, err
	}
	st.rows, st.alerts = n[0], n[1]
	if st.rows < s.rig.input.scans {
		return st, nil
	}
	for _, g := range []struct{ name, topic string }{
		{schemas.DetectorGroup, schemas.EventsTopic}, {schemas.SinkGroup, schemas.EventsTopic}, {schemas.SinkGroup, schemas.AlertsTopic},
	} {
		behind, err := s.lag(ctx, g.name, g.topic)
		if err != nil {
			return st, err
		}
		st.busy = st.busy || behind > ticking
	}
	return st, nil
}

func (s *service) lag(ctx context.Context, group, topic string) (behind int64, err error) {
	ends, err := s.rig.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	commits, err := s.rig.admin.FetchOffsets(ctx, group)
	if err != nil {
		return 0, err
	}
	ends.Each(func(o kadm.ListedOffset) {
		at := int64(0)
		if c, ok := commits.Lookup(o.Topic, o.Partition); ok {
			at = max(c.At, 0)
		}
		behind += max(o.Offset-at, 0)
	})
	return behind, nil
}

// metrics sums each metric over its labels.
func (s *service) metrics(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	all := map[string]float64{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if i := strings.IndexByte(lines.Text(), '{'); i >= 0 && !strings.HasPrefix(name, "#") {
			name, value = lines.Text()[:i], lines.Text()[strings.LastIndexByte(lines.Text(), ' ')+1:]
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			all[name] += v
		}
	}
	return all, nil
}

func (s *service) found(ctx context.Context) (map[caseKey]bool, time.Time, error) {
	all, err := s.rig.engine.readCases(ctx, `SELECT toString(rule), tracking_number, toString(milestone), toInt64(toUnixTimestamp(anchor_at)),
		toInt64(ifNull(toUnixTimestamp(ended_at), 0)) FROM scantrail.alerts_current
		WHERE status NOT IN ('at_risk', 'withdrawn') AND rule IN ('gap_48h', 'gap_72h', 'milestone_missing') FORMAT TSV`)
	return all, time.Now(), err
}
