package main

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"scantrail/cmd/scantrail/web"
	"scantrail/ingest/carriers"
	"scantrail/schemas"
	"scantrail/sink"
	"scantrail/sink/chdb"
)

// Ports of the embedded servers, as carriers and analysts expect them.
const (
	embeddedKafkaPort  = 9092
	embeddedClickHouse = "127.0.0.1:8123"
)

type runFlags struct {
	config   string
	roles    string
	embedded bool
	data     string
	kafka    int
	http     string

	acceptGaps bool
}

func newRunCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [-c scantrail.yaml] [--role all|ingest,detect,sink,notify,web,raw] [--embedded --data DIR]",
		Short: "Run the service",
		Long: `Run the service against the brokers and the ClickHouse of a configuration file,
or, with --embedded, with both inside this process and their data under --data.
An embedded service survives kill -9 and loses nothing; it listens for carriers on
127.0.0.1:9092 (Kafka) and for queries on 127.0.0.1:8123 (ClickHouse over HTTP).

The role web serves the console and the API on 127.0.0.1:8080; the section web of
the configuration opens it to others, with TLS and tokens.

Carriers write raw scans, as they are, to scans.raw.<carrier>; shops write order
facts to orders. Alerts appear on parcel.alerts and in the table alerts.

The role raw copies raw records into the table raw_records, for a few days. It is
off, and no part of all, unless the configuration says raw.enabled: true.

Ctrl-C flushes, commits and leaves the groups; a second one exits at once.`,
		Example: `  scantrail check -c scantrail.yaml && scantrail migrate -c scantrail.yaml
  scantrail run -c scantrail.yaml
  scantrail run -c scantrail.yaml --role ingest
  scantrail run --embedded --data ./data`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), f) },
	}
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration file; without it the defaults")
	cmd.Flags().StringVar(&f.roles, "role", "all", "roles of this process, separated by commas")
	cmd.Flags().BoolVar(&f.acceptGaps, "accept-gaps", false, "go on where Kafka deleted records before they were read; each range is noted in data_gaps")
	cmd.Flags().BoolVar(&f.embedded, "embedded", false, "run Kafka and ClickHouse inside this process")
	cmd.Flags().StringVar(&f.data, "data", "", "directory of the embedded servers' data")
	cmd.Flags().IntVar(&f.kafka, "kafka-port", embeddedKafkaPort, "port of the embedded Kafka on 127.0.0.1")
	cmd.Flags().StringVar(&f.http, "clickhouse", embeddedClickHouse, "address of the embedded ClickHouse on loopback")
	return cmd
}

func run(ctx context.Context, f runFlags) error {
	cfg := DefaultConfig()
	if f.config != "" {
		var err error
		if cfg, err = LoadConfig(f.config); err != nil {
			return err
		}
	}
	log := newLogger(cfg.Log)
	o, err := runOptions(cfg, f.roles, log)
	if err != nil {
		return err
	}
	listener, err := listenWeb(cfg, o.Roles, log)
	if err != nil {
		return err
	}
	if listener != nil {
		defer listener.Close()
	}
	if f.embedded {
		if f.data == "" {
			return fmt.Errorf("--embedded needs --data DIR: the directory where Kafka and ClickHouse keep their data")
		}
		e, err := startEmbedded(ctx, embeddedOptions{
			Data: f.data, KafkaPort: f.kafka, ClickHouse: f.http, Log: log, Progress: os.Stderr,
		})
		if err != nil {
			return err
		}
		defer e.Close() //nolint:errcheck // the data is on disk
		cfg.Kafka.Brokers, cfg.ClickHouse.Addrs = e.kafka.ListenAddrs(), []string{"http://" + e.clickhouse.Addr()}
		cfg.Kafka.TLS, cfg.Kafka.SASL, cfg.ClickHouse.TLS = TLSConfig{}, SASLConfig{}, TLSConfig{}
		if o, err = runOptions(cfg, f.roles, log); err != nil {
			return err
		}
		o.Topics.Retention, o.Topics.Replication, o.Topics.Create, o.Migrate = 0, 1, true, true
		o.Push.CreateTopics = true
		log.Info("embedded servers are up", "kafka", cfg.Kafka.Brokers[0], "clickhouse", cfg.ClickHouse.Addrs[0], "data", f.data)
	}
	o.AcceptGaps, o.Web = f.acceptGaps, listener
	return serve(ctx, o, cfg.Admin)
}

// serve runs a pipeline with its admin listener until ctx ends.
func serve(ctx context.Context, o pipelineOptions, admin AdminConfig) error {
	p, err := newPipeline(o)
	if err != nil {
		return err
	}
	defer p.Close()
	stop, addr, err := startAdmin(admin, p.registry, p.Checks)
	if err != nil {
		return err
	}
	defer stop()
	o.Log.Info("starting", "roles", strings.Join(o.Roles, ","), "admin", "http://"+addr)
	if err := p.Prepare(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	o.Log.Info("running", "carriers", len(o.Carriers.Names()), "partitions", o.Topics.Partitions)
	return p.Run(ctx)
}

// runOptions turns a configuration into a pipeline's options.
func runOptions(cfg *Config, roles string, log *slog.Logger) (pipelineOptions, error) {
	var o pipelineOptions
	kafka, err := cfg.KafkaOptions(log.With("component", "kafka"))
	if err != nil {
		return o, err
	}
	chosen, err := parseRoles(roles, cfg.Raw.Enabled)
	if err != nil {
		return o, err
	}
	registry, err := carriers.Load(schemas.Carriers, cfg.Ingest.CarriersDir)
	if err != nil {
		return o, err
	}
	routes := cfg.Notify
	routes.ConsoleURL = cmp.Or(routes.ConsoleURL, cfg.Web.URL)
	notified, err := routes.options(log)
	if err != nil {
		return o, err
	}
	if notified == nil {
		if roles != "all" && slices.Contains(chosen, "notify") {
			return o, fmt.Errorf("--role notify: no receiver is configured: name one in notify.receivers, or leave the role out")
		}
		chosen = slices.DeleteFunc(slices.Clone(chosen), func(r string) bool { return r == "notify" })
	}
	if cfg.Web.Listen == "" {
		if roles != "all" && slices.Contains(chosen, webRole) {
			return o, fmt.Errorf("--role web: web.listen is empty: give an address such as %s, or leave the role out", web.DefaultListen)
		}
		chosen = slices.DeleteFunc(slices.Clone(chosen), func(r string) bool { return r == webRole })
	}
	limits := carriers.Limits{Bytes: int(cfg.Ingest.MaxRecordBytes)}
	return pipelineOptions{
		Kafka: kafka, ClickHouse: sinkOptions(cfg), Raw: rawCopyOptions(cfg), Lifecycle: lifecycle(cfg), Roles: chosen, Carriers: registry, Limits: limits, NoBackfill: !cfg.Ingest.AcceptBackfill,
		Topics: topicOptions{
			Partitions: int32(cfg.Kafka.Topics.Partitions), Replication: int16(cfg.Kafka.Topics.ReplicationFactor),
			Retention: cfg.Kafka.Topics.EventsRetention, Create: cfg.Kafka.Topics.Create,
		},
		Generation: uint16(cfg.Detector.Generation), Snapshot: cfg.Detector.SnapshotInterval,
		TickEvery: cfg.Ingest.TickInterval, StallAfter: cfg.Ingest.StallAfter,
		FlushRows: cfg.Sink.FlushRows, FlushEvery: cfg.Sink.FlushInterval, RowsEvery: cfg.Detector.FlushInterval,
		StateLimit: int64(cfg.Detector.MemoryLimit), Push: cfg.Push.options(), Notify: notified, Now: time.Now, Log: log,
	}, nil
}

func sinkOptions(cfg *Config) sink.Options {
	ch := cfg.ClickHouse
	return sink.Options{
		URLs: ch.Addrs, Database: ch.Database, User: ch.User, Password: ch.Password.Reveal(), Compression: ch.Compression,
		TLS:     sink.TLSOptions{CAFile: ch.TLS.CAFile, CertFile: ch.TLS.CertFile, KeyFile: ch.TLS.KeyFile, ServerName: ch.TLS.ServerName},
		Cluster: ch.Cluster,
	}
}

// rawCopyOptions are those of the raw copy; zero while it is off.
func rawCopyOptions(cfg *Config) rawOptions {
	if !cfg.Raw.Enabled {
		return rawOptions{}
	}
	o := sinkOptions(cfg)
	o.User, o.Password, o.MaxConns = cfg.Raw.ClickHouse.User, cfg.Raw.ClickHouse.Password.Reveal(), 2
	return rawOptions{ClickHouse: o, Days: cfg.Raw.Days, ValueBytes: int(cfg.Raw.MaxValueBytes), FlushEvery: rawFlushInterval}
}

// parseRoles reads --role. Raw records are copied only where the configuration
// says so, whatever the command line asks for.
func parseRoles(s string, raw bool) ([]string, error) {
	known := roleNames
	if raw {
		known = append(roleNames[:len(roleNames):len(roleNames)], rawRole)
	}
	if s == "all" {
		return known, nil
	}
	var chosen []string
	for _, r := range strings.Split(s, ",") {
		if r == rawRole && !raw {
			return nil, fmt.Errorf("--role: raw is off: set raw.enabled: true in the configuration to copy raw records, which hold personal data")
		}
		if !slices.Contains(known, r) {
			return nil, fmt.Errorf("--role: %q is no role: want all, or some of %s", r, strings.Join(append(roleNames[:len(roleNames):len(roleNames)], rawRole), ","))
		}
		if !slices.Contains(chosen, r) {
			chosen = append(chosen, r)
		}
	}
	return chosen, nil
}

// newLogger writes to standard error: text for people, JSON for machines.
func newLogger(c LogConfig) *slog.Logger {
	var level slog.Level
	level.UnmarshalText([]byte(c.Level)) //nolint:errcheck // validated with the configuration
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "text" || c.Format == "auto" && isTerminal(os.Stderr) {
		return slog.New(slog.NewTextHandler(os.Stderr, o))
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, o))
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// loadMappings lets `scantrail check` read a directory of mappings.
func loadMappings(_ fs.FS, dir string) (int, error) {
	r, err := carriers.Load(schemas.Carriers, dir)
	if err != nil {
		return 0, err
	}
	return len(r.Names()), nil
}

func newClickHouseCommand() *cobra.Command {
	var data, listen string
	cmd := &cobra.Command{
		Use:   "clickhouse --data DIR [--listen ADDR]",
		Short: "Run the embedded ClickHouse alone, over HTTP",
		Long: `Run the embedded ClickHouse alone. It speaks ClickHouse's HTTP interface, for
curl, clickhouse-go and everything else that does.`,
		Example: `  scantrail clickhouse --data ./data/clickhouse
  curl 'http://127.0.0.1:8123/?query=SELECT+version()'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if data == "" {
				return fmt.Errorf("--data is missing: the directory where ClickHouse keeps its data")
			}
			lib, err := chdb.Locate(cmd.Context(), os.Stderr)
			if err != nil {
				return err
			}
			if host, _, err := net.SplitHostPort(listen); err != nil || !net.ParseIP(host).IsLoopback() {
				return fmt.Errorf("--listen %s: want an address on loopback such as 127.0.0.1:8123: the embedded ClickHouse has no login", listen)
			}
			srv, err := chdb.Start(cmd.Context(), chdb.Options{Lib: lib, DataDir: data, Listen: listen, Log: newLogger(DefaultConfig().Log)})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "ClickHouse answers on http://%s\n", srv.Addr())
			<-cmd.Context().Done()
			return srv.Close()
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "directory of the data")
	cmd.Flags().StringVar(&listen, "listen", embeddedClickHouse, "address to listen on")
	return cmd
}
