package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"scantrail/bench/kafka"
)

//go:embed trail/*.java streams/*.java flink/*.java streams/pom.xml flink/pom.xml
var sources embed.FS

const (
	scansTopic  = "peer.scans"
	alertsTopic = "peer.alerts"
)

// jvmFlags: the collector for throughput, and no more heap than the job needs.
var jvmFlags = []string{"-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"}

// jvmJob is a job in Java that writes scans and alerts to topics, from which the
// Kafka engine takes them to ClickHouse.
type jvmJob struct {
	rig  *rig
	proc *process
}

func streams(store string, repartition bool) func(context.Context, *rig) (job, error) {
	return func(ctx context.Context, r *rig) (job, error) {
		return startJVM(ctx, r, "streams", "Kafka Streams "+kafka.Version+", 94 MiB,", "Streams", []string{"-Xms1536m", "-Xmx1536m"}, store, fmt.Sprint(repartition), fmt.Sprint(partitions))
	}
}

func flink(backend string) func(context.Context, *rig) (job, error) {
	return func(ctx context.Context, r *rig) (job, error) {
		return startJVM(ctx, r, "flink", "Apache Flink "+flinkVersion+", 133 MiB,", "Flink", []string{"-Xms2g", "-Xmx2g",
			// Flink on Java 17 asks for these.
			"--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED"}, backend, fmt.Sprint(r.input.to.Unix()))
	}
}

// startJVM compiles a job and starts it. Its arguments are brokers, topics, its
// own, and a directory.
func startJVM(ctx context.Context, r *rig, folder, what, class string, flags []string, own ...string) (job, error) {
	classpath, err := compile(ctx, r, folder, what)
	if err != nil {
		return nil, err
	}
	if err := r.createTopics(ctx, scansTopic, alertsTopic); err != nil {
		return nil, err
	}
	if err := r.engine.exec(ctx, "CREATE DATABASE peer", scansTable, alertsTable,
		r.queue("scans_queue", `tracking_number String, carrier String, milestone_no UInt8, physical Bool, progress Bool,
			occurred_at DateTime('UTC'), utc_offset_minutes Int16, raw_code String, raw_text String, country String, city String, facility String,
			origin String, destination String, product String, source_partition Int32, source_offset Int64, received_at DateTime64(3, 'UTC')`,
			scansTopic, "RowBinary", 2),
		r.queue("alerts_queue", "tracking_number String, kind String, rule String, milestone String, status String, anchor_at Int64, ended_at Int64, changed_at Int64",
			alertsTopic, "JSONEachRow", 1),
		"CREATE MATERIALIZED VIEW peer.scans_view TO peer.scans AS SELECT * FROM peer.scans_queue",
		"CREATE MATERIALIZED VIEW peer.alerts_view TO peer.alerts AS SELECT *, toInt32(_partition) AS partition, toInt64(_offset) AS offset FROM peer.alerts_queue",
	); err != nil {
		return nil, err
	}
	name := folder + "-" + strings.Join(own, "-")
	dir := filepath.Join(r.o.Dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	args := append(append([]string{"java"}, jvmFlags...), flags...)
	args = append(args, "-cp", classpath, class, r.kafka.Addrs()[0], rawTopic, scansTopic, alertsTopic)
	p, err := startProcess(r.o.Dir, name, append(append(args, own...), dir)...)
	return &jvmJob{r, p}, err
}

// compile returns the class path of a job: its own classes and the jars.
func compile(ctx context.Context, r *rig, folder, what string) (string, error) {
	pom, err := sources.ReadFile(folder + "/pom.xml")
	if err != nil {
		return "", err
	}
	jars, err := kafka.MavenJars(ctx, pom, what, r.o.Out)
	if err != nil {
		return "", err
	}
	if _, err := exec.LookPath("javac"); err != nil {
		return "", fmt.Errorf("javac: %w (package default-jdk-headless of your system)", kafka.ErrMissing)
	}
	dir := filepath.Join(r.o.Dir, folder+"-classes")
	args := []string{"-encoding", "UTF-8", "-d", filepath.Join(dir, "classes"), "-cp", jars}
	for _, sub := range []string{"trail", folder} {
		files, err := fs.Glob(sources, sub+"/*.java")
		if err != nil {
			return "", err
		}
		for _, f := range files {
			args = append(args, filepath.Join(dir, f))
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.CopyFS(dir, sources); err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(ctx, "javac", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("javac: %w\n%s", err, out)
	}
	return filepath.Join(dir, "classes") + string(os.PathListSeparator) + jars, nil
}

func (j *jvmJob) process() *process { return j.proc }
func (j *jvmJob) stop()             { stopProcess(j.proc) }

func (j *jvmJob) state(ctx context.Context) (state, error) {
	n, err := j.rig.engine.numbers(ctx, "SELECT (SELECT count() FROM peer.scans), (SELECT count() FROM peer.alerts) FORMAT TSV")
	if err != nil {
		return state{}, err
	}
	return state{consumed: j.proc.consumed.Load(), rows: n[0], alerts: n[1]}, nil
}

// found takes the last transition of each alert: they lie in one partition in
// their order.
func (j *jvmJob) found(ctx context.Context) (map[caseKey]bool, time.Time, error) {
	all, err := j.rig.engine.readCases(ctx, `SELECT argMax(rule, offset), tracking_number, argMax(milestone, offset), anchor_at, argMax(ended_at, offset)
		FROM peer.alerts GROUP BY tracking_number, kind, anchor_at HAVING argMax(status, offset) != 'withdrawn' FORMAT TSV`)
	return all, j.rig.input.to, err
}
