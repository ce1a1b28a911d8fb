package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/proc"
	"scantrail/schemas"
	"scantrail/sink"
)

// asCommand makes the test binary behave as scantrail itself, so that a test can
// kill the real thing.
const asCommand = "SCANTRAIL_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	code := m.Run()
	apache.close()
	os.Exit(code)
}

// service is a `scantrail run --embedded` in a process of its own.
type service struct {
	t      *testing.T
	dir    string
	kafka  string
	http   string
	config string
	cmd    *exec.Cmd
	output *os.File
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{t: t, dir: t.TempDir(), kafka: freeAddr(t), http: freeAddr(t)}
	s.config = filepath.Join(s.dir, "scantrail.yaml")
	text := fmt.Sprintf("admin:\n  listen: %s\nweb:\n  listen: 127.0.0.1:0\ningest:\n  tick_interval: 1s\ndetector:\n  snapshot_interval: 1s\nsink:\n  flush_interval: 100ms\n", freeAddr(t))
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.output, err = os.Create(filepath.Join(s.dir, "output")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.stop(syscall.SIGKILL)
		if t.Failed() {
			out, _ := os.ReadFile(s.output.Name())
			t.Logf("output of the service:\n%s", tail(string(out), 4000))
		}
	})
	return s
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

func freeAddr(t *testing.T) string {
	addr, err := proc.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func (s *service) start() {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.kafka)
	s.cmd = exec.Command(os.Args[0], "run", "--embedded", "--data", filepath.Join(s.dir, "data"), "-c", s.config, "--kafka-port", port, "--clickhouse", s.http)
	s.cmd.Env = append(os.Environ(), asCommand+"=1")
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// stop sends a signal and waits for the end.
func (s *service) stop(sig syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	s.cmd.Process.Signal(sig) //nolint:errcheck // it may have ended by itself
	err := s.cmd.Wait()
	s.cmd = nil
	return err
}

// client returns a producer that outlives the service's deaths.
func (s *service) client() *kgo.Client {
	s.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(s.kafka), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

func (s *service) rows() driver.Conn {
	s.t.Helper()
	conn, err := sink.Open(sink.Options{URLs: []string{"http://" + s.http}, Database: "scantrail", User: "default"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() }) //nolint:errcheck // the end of the test
	return conn
}

// TestKillLosesAndDoublesNothing kills the service with SIGKILL in the middle of
// its work, again and again, and counts at the end.
func TestKillLosesAndDoublesNothing(t *testing.T) {
	t.Parallel() // in a process of its own
	if testing.Short() {
		t.Skip("kills a service several times")
	}
	const kills, parcels = 4, 200
	s := newService(t)
	s.start()
	client := s.client()
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Second)
	defer cancel()
	untilTrue(t, ctx, "the raw topic is created", func() bool {
		_, err := kadm.NewClient(client).CreateTopic(ctx, 1, 1, nil, schemas.RawTopicPrefix+"yunexpress")
		return err == nil || strings.Contains(err.Error(), "TOPIC_ALREADY_EXISTS")
	})

	var sent atomic.Int64
	stopSending := make(chan struct{})
	sendingDone := make(chan error, 1)
	go func() { sendingDone <- sendScans(ctx, client, parcels, &sent, stopSending) }()
	for n := range kills {
		enough := int64((n + 1) * 400)
		untilTrue(t, ctx, fmt.Sprintf("%d scans are sent", enough), func() bool { return sent.Load() >= enough })
		s.stop(syscall.SIGKILL) //nolint:errcheck // it says that it was killed
		s.start()
	}
	close(stopSending)
	if err := <-sendingDone; err != nil {
		t.Fatal(err)
	}
	// A record whose acknowledgement died with the broker is sent again, and may
	// stand in the topic twice: what the topic holds is what must be accounted for.
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, schemas.RawTopicPrefix+"yunexpress")
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(schemas.RawTopicPrefix+"yunexpress", 0)
	raw := end.Offset
	if raw < sent.Load() {
		t.Fatalf("the raw topic holds %d records, %d were acknowledged", raw, sent.Load())
	}
	conn := s.rows()
	untilTrue(t, ctx, "everything is in ClickHouse", func() bool {
		var facts uint64
		err := conn.QueryRow(ctx, "SELECT toUInt64(sum(facts)) FROM parcels FINAL").Scan(&facts)
		return err == nil && int64(facts) == sent.Load()
	})
	for query, want := range map[string]int64{
		"SELECT toInt64(uniqExact(fact_id)) FROM scans FINAL":                         sent.Load(),
		"SELECT toInt64(uniqExact(source_partition, source_offset)) FROM scans FINAL": raw,
		"SELECT toInt64(count()) FROM parcels FINAL":                                  parcels,
		"SELECT toInt64(count()) FROM audit_blocks":                                   0,
		"SELECT toInt64(count()) FROM dead_letters FINAL":                             0,
		"SELECT toInt64(count()) FROM data_gaps FINAL":                                0,
		"SELECT toInt64(count() - uniqExact(partition, offset)) FROM scans FINAL":     0,
		"SELECT toInt64(countIf(last_offset + 1 < bucket)) FROM ranges FINAL":         0,
	} {
		var got int64
		untilTrue(t, ctx, fmt.Sprintf("%s is %d", query, want), func() bool {
			if err := conn.QueryRow(ctx, query).Scan(&got); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
			return got == want
		})
	}
	untilTrue(t, ctx, "the ledger accounts for every raw record", func() bool {
		var records int64
		err := conn.QueryRow(ctx, "SELECT sum(records) FROM ranges FINAL WHERE topic = 'scans.raw.yunexpress'").Scan(&records)
		return err == nil && records == raw
	})
	if err := s.stop(syscall.SIGTERM); err != nil {
		t.Errorf("SIGTERM: %v, want a clean end", err)
	}
	t.Logf("%d kills, %d scans of %d parcels, %d raw records", kills, sent.Load(), parcels, raw)
}

// sendScans sends scans, each a fact of its own, until told to stop.
func sendScans(ctx context.Context, client *kgo.Client, parcels int64, sent *atomic.Int64, stop <-chan struct{}) error {
	start := time.Now().Add(-24 * time.Hour).UTC()
	for n := int64(0); ; n++ {
		select {
		case <-stop:
			if n >= parcels {
				return nil
			}
		default:
		}
		at := start.Add(time.Duration(n) * time.Second).Format("2006-01-02T15:04:05")
		value := fmt.Sprintf(`{"waybill_number":"YT26321%09d","country_code":"GB","track_events":[{"process_time":%q,"time_zone":"UTC+00:00","track_node_code":"TRANSIT_IN","process_content":"text","process_location":"SHENZHEN","process_country":"CN"}]}`, n%parcels, at)
		rec := &kgo.Record{Topic: schemas.RawTopicPrefix + "yunexpress", Value: []byte(value)}
		if err := client.ProduceSync(ctx, rec).FirstErr(); err != nil {
			return err
		}
		sent.Add(1)
	}
}

// untilTrue polls a condition until the context ends.
func untilTrue(t *testing.T, ctx context.Context, what string, cond func() bool) {
	t.Helper()
	for !cond() {
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			t.Fatalf("not in time: %s", what)
		}
	}
}
