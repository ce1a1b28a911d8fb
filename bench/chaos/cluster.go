package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/bench/kafka"
	"scantrail/bench/proc"
	"scantrail/sink"
)

// cluster is everything that runs.
type cluster struct {
	o          options
	kafka      *kafka.Cluster
	clickhouse *process
	disk       *proc.Disk  // of ClickHouse; nil: the machine's
	proxy      *proc.Proxy // between the services and ClickHouse
	webhook    *webhook    // where the services send alerts
	services   []*process
	admin      []string // address of each service's admin server
	binary     string
	config     string // of the first service, for the commands
	rows       driver.Conn
	memory     memory
}

func startCluster(ctx context.Context, o options) (*cluster, error) {
	c := &cluster{o: o, binary: filepath.Join(o.Dir, "scantrail")}
	if err := c.launch(ctx); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

func (c *cluster) launch(ctx context.Context) (err error) {
	if c.binary, err = proc.Build(ctx, c.o.Dir); err != nil {
		return err
	}
	replicas := map[string]string{"min.insync.replicas": fmt.Sprint(min(2, c.o.Brokers)), "default.replication.factor": fmt.Sprint(c.o.Brokers),
		// A broker that is killed must not forget what it has acknowledged: with
		// one copy, only what is on disk counts, and the page cache outlives the
		// process.
		"unclean.leader.election.enable": "false"}
	if c.kafka, err = kafka.Start(ctx, kafka.Options{Dir: filepath.Join(c.o.Dir, "kafka"), Brokers: c.o.Brokers, Properties: replicas, Progress: c.o.Out}); err != nil {
		return err
	}
	engine, err := proc.FreeAddr()
	if err != nil {
		return err
	}
	if err := c.startClickHouse(engine); err != nil {
		return err
	}
	if c.proxy, err = proc.NewProxy(engine); err != nil {
		return err
	}
	if c.rows, err = sink.Open(sink.Options{URLs: []string{"http://" + engine}, Database: "scantrail", User: "default"}); err != nil {
		return err
	}
	if c.webhook, err = newWebhook(c.o.Dir); err != nil {
		return err
	}
	for i := range c.o.Processes {
		if err := c.addService(i); err != nil {
			return err
		}
	}
	if err := c.migrate(ctx); err != nil {
		return err
	}
	for _, s := range c.services {
		if err := s.start(); err != nil {
			return err
		}
	}
	return c.ready(ctx, 2*time.Minute)
}

// diskMiB is the size of the disk that fills: many times what a run of some
// 100,000 records keeps there, merges included.
const diskMiB = 2048

func (c *cluster) startClickHouse(addr string) (err error) {
	data := filepath.Join(c.o.Dir, "clickhouse-data")
	command := []string{c.binary, "clickhouse", "--data", data, "--listen", addr}
	if c.o.DiskFull > 0 {
		if err := os.MkdirAll(data, 0o755); err != nil {
			return err
		}
		if c.disk, err = proc.NewDisk(data, diskMiB); err != nil {
			return err
		}
		command = c.disk.Command(command...)
	}
	c.clickhouse = newProcess(c.o.Dir, "clickhouse", command...)
	return c.clickhouse.start()
}

const configText = `
kafka:
  brokers: [%s]
  client_id: chaos-%d
  session_timeout: 3s
  topics: {partitions: 6, replication_factor: %d}
clickhouse:
  addrs: ["http://%s"]
ingest: {tick_interval: 1s}
detector: {snapshot_interval: 5s, flush_interval: 200ms}
sink: {flush_interval: 200ms}
admin: {listen: %q}
web: {listen: "127.0.0.1:0"} # any free port: several run here
notify:
  receivers:
    - %s
`

func (c *cluster) addService(i int) error {
	admin, err := proc.FreeAddr()
	if err != nil {
		return err
	}
	config := filepath.Join(c.o.Dir, fmt.Sprintf("service-%d.yaml", i))
	text := fmt.Sprintf(configText, `"`+strings.Join(c.kafka.Addrs(), `", "`)+`"`, i, c.o.Brokers, c.proxy.Addr(), admin, c.webhook.config())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	if i == 0 {
		c.config = config
	}
	c.admin = append(c.admin, admin)
	c.services = append(c.services, newProcess(c.o.Dir, fmt.Sprintf("service-%d", i), c.binary, "run", "-c", config))
	return nil
}

func (c *cluster) migrate(ctx context.Context) error {
	deadline := time.Now().Add(time.Minute)
	for {
		out, err := exec.CommandContext(ctx, c.binary, "migrate", "-c", c.config).CombinedOutput()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("scantrail migrate: %w\n%s", err, out)
		}
		if err := proc.Pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// ready waits until every service says that it is.
func (c *cluster) ready(ctx context.Context, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for i, addr := range c.admin {
		for {
			if err := c.failure(); err != nil {
				return err
			}
			err := healthy(ctx, addr)
			if err == nil {
				break
			}
			if time.Now().After(deadline) || ctx.Err() != nil {
				return fmt.Errorf("service %d is not ready after %s: %w\n%s", i, patience, err, c.services[i].tail(2000))
			}
			if err := proc.Pause(ctx, 100*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

func healthy(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, body)
	}
	return nil
}

// failure is the end of a process that nobody asked for.
func (c *cluster) failure() error {
	var errs []error
	for _, p := range append([]*process{c.clickhouse}, c.services...) {
		errs = append(errs, p.err())
	}
	return errors.Join(errs...)
}

func (c *cluster) stop() {
	for _, s := range c.services {
		s.end(syscall.SIGKILL)
	}
	if c.webhook != nil {
		c.webhook.close()
	}
	if c.rows != nil {
		c.rows.Close() //nolint:errcheck // the end
	}
	if c.proxy != nil {
		c.proxy.Close()
	}
	if c.clickhouse != nil {
		c.clickhouse.end(syscall.SIGKILL)
	}
	if c.disk != nil {
		c.disk.Close()
	}
	if c.kafka != nil {
		c.kafka.Stop()
	}
}
