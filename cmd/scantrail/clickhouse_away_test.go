package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/proc"
	"scantrail/schemas"
)

// TestStartsWithoutClickHouse starts a service while ClickHouse is away: scans are
// read, silence is found and alerted, and the rows follow.
func TestStartsWithoutClickHouse(t *testing.T) {
	r := newRig(t) // makes the tables
	r.proxy.Cut()
	o := r.pipeline.o
	o.Migrate = false
	r.pipeline.Close()
	var err error
	if r.pipeline, err = newPipeline(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.pipeline.Prepare(ctx); err != nil {
		t.Fatal(err)
	}
	r.topic("yunexpress")
	r.start()
	r.silent()
	r.judged(ctx)
	r.awaitAlert(ctx, schemas.RuleGap48h)
	if err := r.pipeline.Ready(ctx); err == nil || !strings.Contains(err.Error(), "clickhouse") || strings.Contains(err.Error(), "ingest") || strings.Contains(err.Error(), "detect") {
		t.Errorf("ready: %v, want that ClickHouse is away and that ingest and detect do their share", err)
	}
	r.proxy.Mend()
	r.settle()
	if n := one[uint64](r, "SELECT count() FROM scans FINAL"); n != 1 {
		t.Errorf("%d scans, want 1", n)
	}
	if rule := one[string](r, "SELECT toString(any(rule)) FROM alerts FINAL WHERE status = 'open' AND rule = 'gap_48h'"); rule != "gap_48h" {
		t.Errorf("the alert is not in ClickHouse: %q", rule)
	}
}

// TestDiskFull fills the disk of ClickHouse: who looks is told so, alerts go on,
// nothing is committed that is not written, and after room is made all of it is
// there, once.
func TestDiskFull(t *testing.T) {
	disk, addr := clickHouseOnDisk(t)
	log := &lockedBuffer{}
	r := newRigOn(t, newFakeBroker(t), func(o *pipelineOptions) {
		o.ClickHouse.URLs, o.Log = []string{"http://" + addr}, slog.New(slog.NewTextHandler(log, nil))
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r.topic("yunexpress")
	r.start()
	r.scan(1)
	r.settle()
	must(t, disk.Fill())
	before := r.committed(ctx)
	r.silent()
	r.judged(ctx)
	r.awaitAlert(ctx, schemas.RuleGap48h)
	const remedy = "the disk of ClickHouse is full: make room"
	untilTrue(t, ctx, "ready says that the disk is full, and nothing else", func() bool {
		err := r.pipeline.Ready(ctx)
		return err != nil && strings.HasPrefix(err.Error(), "sink: ClickHouse takes no inserts: "+remedy+" (/") &&
			strings.Contains(err.Error(), " of 256.00 MiB)") && !strings.Contains(err.Error(), "\n")
	})
	untilTrue(t, ctx, "the detector says so too", func() bool { return strings.Contains(log.String(), "the rows follow") })
	if text := log.String(); strings.Count(text, "takes no inserts") != 1 || !strings.Contains(text, remedy) {
		t.Errorf("the log does not say once what to do:\n%s", text)
	}
	if up := r.pipeline.value("scantrail_sink_clickhouse_up"); up != 0 {
		t.Errorf("scantrail_sink_clickhouse_up is %v", up)
	}
	if n := r.pipeline.value("scantrail_sink_insert_failures_total") + r.pipeline.value("scantrail_detector_insert_failures_total"); n < 1 || n > 50 {
		t.Errorf("%v inserts failed, want few", n)
	}
	if after := r.committed(ctx); after != before {
		t.Errorf("committed %d records of the log, %d of which are not written", after, after-before)
	}
	must(t, disk.Free())
	r.settle()
	r.facts(2)
	for query, want := range map[string]uint64{
		"SELECT count() FROM scans": 2,
		"SELECT count() FROM alerts FINAL WHERE rule = 'gap_48h' AND status = 'open'": 1,
		"SELECT count() FROM audit_blocks":                                            0,
		"SELECT count() FROM data_gaps":                                               0,
	} {
		if n := one[uint64](r, query); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
}

// TestEmbeddedKafkaDiskFull: the embedded broker refuses what it cannot write,
// which its log explains, not at each record, and goes on once there is room.
func TestEmbeddedKafkaDiskFull(t *testing.T) {
	disk, err := proc.NewDisk(t.TempDir(), 8)
	if err != nil {
		t.Skipf("NOT TESTED: %v", err)
	}
	defer disk.Close()
	var log lockedBuffer
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(disk.Path()), kfake.SeedTopics(1, "t"),
		kfake.WithLogger(&brokerLog{log: slog.New(slog.NewTextHandler(&log, nil)), last: map[string]time.Time{}}))
	must(t, err)
	defer broker.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...), kgo.DefaultProduceTopic("t"))
	must(t, err)
	defer client.Close()
	send := func() error {
		value := make([]byte, 8<<10)
		rand.NewChaCha8([32]byte{}).Read(value) //nolint:errcheck // never fails
		return client.ProduceSync(t.Context(), kgo.SliceRecord(value)).FirstErr()
	}
	must(t, send())
	must(t, disk.Fill())
	for range 3 {
		if err := send(); !errors.Is(err, kerr.UnknownServerError) {
			t.Errorf("a full disk: %v", err)
		}
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "no space left on device") || !strings.Contains(text, "is it full?") {
		t.Errorf("the log is\n%s", text)
	}
	must(t, disk.Free())
	must(t, send())
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), "t")
	must(t, err)
	if end, _ := ends.Lookup("t", 0); end.Offset != 2 {
		t.Errorf("the topic holds %d records, want the 2 that were acknowledged", end.Offset)
	}
}

// lockedBuffer takes what several goroutines log.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// clickHouseOnDisk starts the engine in a process of its own on a disk of limited
// size.
func clickHouseOnDisk(t *testing.T) (disk *proc.Disk, addr string) {
	t.Helper()
	dir := t.TempDir()
	disk, err := proc.NewDisk(dir, 256)
	if err != nil {
		t.Skipf("NOT TESTED: %v", err)
	}
	t.Cleanup(disk.Close)
	addr = freeAddr(t)
	command := disk.Command(os.Args[0], "clickhouse", "--data", dir, "--listen", addr)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env, cmd.SysProcAttr = append(os.Environ(), asCommand+"=1"), proc.DiesWithParent()
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	must(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // it was killed
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	untilTrue(t, ctx, "ClickHouse answers", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return disk, addr
}

// committed sums the sink's offsets of the log.
func (r *rig) committed(ctx context.Context) (sum int64) {
	r.t.Helper()
	commits, err := kadm.NewClient(r.producer).FetchOffsets(ctx, schemas.SinkGroup)
	must(r.t, err)
	commits.Each(func(o kadm.OffsetResponse) {
		if o.Topic == schemas.EventsTopic {
			sum += max(o.At, 0)
		}
	})
	return sum
}

// silent sends a scan of 54 hours ago.
func (r *rig) silent() {
	r.t.Helper()
	r.send("yunexpress", []byte(strings.Replace(fmt.Sprintf(goodScan, "PICKED_UP"), "2026-09-20", "2026-09-19", 1)))
}

// judged waits until ingest has read everything, and ticks.
func (r *rig) judged(ctx context.Context) {
	r.t.Helper()
	untilTrue(r.t, ctx, "ingest has read everything", func() bool {
		n, err := groupLag(ctx, kadm.NewClient(r.producer), schemas.IngestGroup, []string{schemas.RawTopicPrefix + "yunexpress"})
		return err == nil && n == 0
	})
	if err := r.pipeline.ticker.Tick(ctx); err != nil {
		r.t.Fatal(err)
	}
}

// awaitAlert reads parcel.alerts until a rule's alert is open there.
func (r *rig) awaitAlert(ctx context.Context, rule string) {
	r.t.Helper()
	client, err := kgo.NewClient(append(r.kafka[:len(r.kafka):len(r.kafka)], kgo.ConsumeTopics(schemas.AlertsTopic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close()
	for found := false; !found; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			r.t.Fatalf("no alert %s: %v", rule, err)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			var a schemas.Alert
			if err := schemas.ParseAlertJSON(rec.Value, &a); err != nil {
				r.t.Error(err)
			}
			found = found || a.Rule == rule && a.Status == schemas.AlertOpen
		})
	}
}
