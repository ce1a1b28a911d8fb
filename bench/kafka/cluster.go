package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/proc"
)

// Options say which cluster to start.
type Options struct {
	Dir     string // holds data and logs of the brokers; survives them
	Brokers int    // each broker and controller at once; default 1
	// Properties are added to each broker's server.properties.
	Properties map[string]string
	// Users turn on SASL/SCRAM-SHA-512 for clients: name to password. The
	// user "admin" may do everything where Properties name an authorizer.
	Users map[string]string
	// TLS encrypts the clients' listener, with a certificate for 127.0.0.1
	// that CA signed.
	TLS bool
	// HeapMiB of each broker. Default 384.
	HeapMiB  int
	Progress io.Writer // of the fetch; nil discards
}

// Cluster is a running Apache Kafka.
type Cluster struct {
	o         Options
	classpath string
	id        string // of the cluster
	brokers   []*broker
	ca        *authority
}

type broker struct {
	client, internal, controller string // loopback addresses
	dir                          string
	cmd                          *exec.Cmd
	ended                        chan struct{}
}

// Start formats and starts a cluster, and returns once clients can use it.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if o.Brokers == 0 {
		o.Brokers = 1
	}
	if o.HeapMiB == 0 {
		o.HeapMiB = 384
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	classpath, err := Jars(ctx, o.Progress)
	if err != nil {
		return nil, err
	}
	c := &Cluster{o: o, classpath: classpath, id: "c2NhbnRyYWlsLWthZmthLQ"}
	if o.TLS {
		if c.ca, err = newAuthority(o.Dir); err != nil {
			return nil, err
		}
	}
	if err := c.reserve(); err != nil {
		return nil, err
	}
	for i := range c.brokers {
		if err := c.format(ctx, i); err != nil {
			return nil, err
		}
	}
	for i := range c.brokers {
		if err := c.launch(i); err != nil {
			c.Stop()
			return nil, err
		}
	}
	if err := c.Ready(ctx); err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

// reserve chooses the addresses, all of them before the first is given back.
func (c *Cluster) reserve() error {
	for i := range c.o.Brokers {
		b := &broker{dir: filepath.Join(c.o.Dir, fmt.Sprintf("broker-%d", i))}
		for _, addr := range []*string{&b.client, &b.internal, &b.controller} {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer ln.Close() //nolint:errcheck // it was only asked for its port
			*addr = ln.Addr().String()
		}
		if err := os.MkdirAll(b.dir, 0o755); err != nil {
			return err
		}
		c.brokers = append(c.brokers, b)
	}
	return nil
}

// properties returns the content of the server.properties of broker i.
func (c *Cluster) properties(i int) string {
	b := c.brokers[i]
	var voters []string
	for n, other := range c.brokers {
		voters = append(voters, fmt.Sprintf("%d@%s", n, other.controller))
	}
	protocol := "PLAINTEXT"
	switch {
	case c.o.Users != nil && c.o.TLS:
		protocol = "SASL_SSL"
	case c.o.Users != nil:
		protocol = "SASL_PLAINTEXT"
	case c.o.TLS:
		protocol = "SSL"
	}
	copies := fmt.Sprint(min(3, len(c.brokers)))
	p := map[string]string{
		"process.roles":                                    "broker,controller",
		"node.id":                                          fmt.Sprint(i),
		"listeners":                                        fmt.Sprintf("CLIENT://%s,INTERNAL://%s,CONTROLLER://%s", b.client, b.internal, b.controller),
		"advertised.listeners":                             fmt.Sprintf("CLIENT://%s,INTERNAL://%s", b.client, b.internal),
		"listener.security.protocol.map":                   "CLIENT:" + protocol + ",INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"inter.broker.listener.name":                       "INTERNAL",
		"controller.listener.names":                        "CONTROLLER",
		"controller.quorum.voters":                         strings.Join(voters, ","),
		"log.dirs":                                         filepath.Join(b.dir, "data"),
		"offsets.topic.replication.factor":                 copies,
		"offsets.topic.num.partitions":                     "3",
		"transaction.state.log.replication.factor":         copies,
		"transaction.state.log.num.partitions":             "3",
		"transaction.state.log.min.isr":                    "1",
		"share.coordinator.state.topic.replication.factor": copies,
		"share.coordinator.state.topic.min.isr":            "1",
		"group.initial.rebalance.delay.ms":                 "0",
		"group.min.session.timeout.ms":                     "1000",
		"auto.create.topics.enable":                        "false",
		"super.users":                                      "User:ANONYMOUS;User:admin",
	}
	if c.o.Users != nil {
		p["sasl.enabled.mechanisms"] = "SCRAM-SHA-512"
		p["listener.name.client.scram-sha-512.sasl.jaas.config"] = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
	}
	if c.ca != nil {
		p["ssl.keystore.type"] = "PEM"
		p["ssl.keystore.location"] = c.ca.keystore
	}
	maps.Copy(p, c.o.Properties)
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&text, "%s=%s\n", key, p[key])
	}
	return text.String()
}

func (c *Cluster) format(ctx context.Context, i int) error {
	path := filepath.Join(c.brokers[i].dir, "server.properties")
	if err := os.WriteFile(path, []byte(c.properties(i)), 0o600); err != nil {
		return err
	}
	args := []string{"-XX:TieredStopAtLevel=1", "-cp", c.classpath, "kafka.tools.StorageTool", "format", "-t", c.id, "-c", path, "--ignore-formatted"}
	for _, name := range slices.Sorted(maps.Keys(c.o.Users)) {
		args = append(args, "--add-scram", fmt.Sprintf("SCRAM-SHA-512=[name=%s,password=%s]", name, c.o.Users[name]))
	}
	if out, err := exec.CommandContext(ctx, "java", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("apache kafka: format of broker %d: %w\n%s", i, err, out)
	}
	return nil
}

// launch starts broker i; it ends with this process.
func (c *Cluster) launch(i int) error {
	b := c.brokers[i]
	output, err := os.OpenFile(b.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer output.Close() //nolint:errcheck // the broker has its own descriptor
	heap := fmt.Sprintf("-Xmx%dm", c.o.HeapMiB)
	b.cmd = exec.Command("java", heap, "-XX:+UseG1GC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp", c.classpath, "kafka.Kafka", filepath.Join(b.dir, "server.properties"))
	b.cmd.Stdout, b.cmd.Stderr = output, output
	b.cmd.SysProcAttr = proc.DiesWithParent()
	if err := b.cmd.Start(); err != nil {
		return fmt.Errorf("apache kafka: %w", err)
	}
	b.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		cmd.Wait() //nolint:errcheck // that it ended is what counts
		close(ended)
	}(b.cmd, b.ended)
	return nil
}

func (b *broker) log() string { return filepath.Join(b.dir, "broker.log") }

// Addrs are the clients' addresses of all brokers.
func (c *Cluster) Addrs() []string {
	var all []string
	for _, b := range c.brokers {
		all = append(all, b.client)
	}
	return all
}

// Inside is the address of broker 0 that needs neither user nor certificate, and
// where everything is allowed: brokers talk to one another there.
func (c *Cluster) Inside() string { return c.brokers[0].internal }

// CAFile is the certificate that clients must trust. Empty without TLS.
func (c *Cluster) CAFile() string {
	if c.ca == nil {
		return ""
	}
	return c.ca.file
}

// Ready waits until every broker that should run is in the cluster. It asks by
// the listener between brokers, which needs neither user nor certificate.
func (c *Cluster) Ready(ctx context.Context) error {
	running := 0
	var seeds []string
	for _, b := range c.brokers {
		if b.running() {
			running++
			seeds = append(seeds, b.internal)
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(seeds...))
	if err != nil {
		return err
	}
	defer client.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		once, cancel := context.WithTimeout(ctx, 2*time.Second)
		brokers, err := kadm.NewClient(client).ListBrokers(once)
		cancel()
		if err == nil && len(brokers) >= running {
			return nil
		}
		for i, b := range c.brokers {
			if b.cmd != nil && !b.running() {
				return fmt.Errorf("apache kafka: broker %d ended:\n%s", i, c.Log(i, 3000))
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("apache kafka: not ready: %w\n%s", errors.Join(ctx.Err(), err), c.Log(0, 3000))
		case <-tick.C:
		}
	}
}

func (b *broker) running() bool {
	if b.cmd == nil {
		return false
	}
	select {
	case <-b.ended:
		return false
	default:
		return true
	}
}

// Running reports whether broker i runs, or is paused.
func (c *Cluster) Running(i int) bool { return c.brokers[i].running() }

// Pid is the process of broker i, which must be running.
func (c *Cluster) Pid(i int) int { return c.brokers[i].cmd.Process.Pid }

// Log returns the last n bytes that broker i has printed.
func (c *Cluster) Log(i, n int) string {
	out, err := os.ReadFile(c.brokers[i].log())
	if err != nil {
		return err.Error()
	}
	return string(out[max(0, len(out)-n):])
}

// Signal sends a signal to broker i: SIGSTOP and SIGCONT pause and wake it.
func (c *Cluster) Signal(i int, s syscall.Signal) error { return c.brokers[i].cmd.Process.Signal(s) }

// Kill ends broker i at once, as a power cut would.
func (c *Cluster) Kill(i int) {
	b := c.brokers[i]
	if b.running() {
		b.cmd.Process.Kill() //nolint:errcheck // it may have ended by itself
		<-b.ended
	}
	b.cmd = nil
}

// Restart starts broker i again on its data, and waits until it is back.
func (c *Cluster) Restart(ctx context.Context, i int) error {
	c.Kill(i)
	if err := c.launch(i); err != nil {
		return err
	}
	return c.Ready(ctx)
}

// Stop ends all brokers. Their data stays.
func (c *Cluster) Stop() {
	for i := range c.brokers {
		c.Kill(i)
	}
}
