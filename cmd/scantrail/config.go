package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"scantrail/sink"
)

// Config is everything that one process of Scantrail can be told. The file is
// strict YAML: a key that is not listed here is an error. Durations are written
// as 5s, 10m or 336h, sizes as 512KiB or 1MiB. Relative paths count from the
// folder of the file. deploy/scantrail.yaml is a commented sample.
type Config struct {
	Kafka      KafkaConfig      `yaml:"kafka"`
	ClickHouse ClickHouseConfig `yaml:"clickhouse"`
	Ingest     IngestConfig     `yaml:"ingest"`
	Detector   DetectorConfig   `yaml:"detector"`
	Sink       SinkConfig       `yaml:"sink"`
	Notify     NotifyConfig     `yaml:"notify"`
	Raw        RawConfig        `yaml:"raw"`
	Web        WebConfig        `yaml:"web"`
	Push       PushConfig       `yaml:"push"`
	Admin      AdminConfig      `yaml:"admin"`
	Log        LogConfig        `yaml:"log"`
}

// KafkaConfig says how to reach the brokers and how topics are created.
type KafkaConfig struct {
	Brokers  []string `yaml:"brokers"`   // host:port; any of them leads to the others
	ClientID string   `yaml:"client_id"` // shown in the brokers' logs and quotas
	// InstanceID names this process in its groups (static membership): one that
	// is back within SessionTimeout takes up its partitions without a rebalance.
	// It must differ between processes, and stay with each, such as a pod's name.
	// Empty: partitions move at once when a process stops, and back again.
	InstanceID     string        `yaml:"instance_id"`
	SessionTimeout time.Duration `yaml:"session_timeout"` // silence after which a process is taken for dead and its partitions move
	TLS            TLSConfig     `yaml:"tls"`
	SASL           SASLConfig    `yaml:"sasl"`
	Topics         TopicsConfig  `yaml:"topics"`
}

// TLSConfig turns on TLS 1.2 or newer with verification of the server.
type TLSConfig struct {
	Enabled    bool   `yaml:"enabled"`
	CAFile     string `yaml:"ca_file"`     // PEM; empty: the system's authorities
	CertFile   string `yaml:"cert_file"`   // PEM; for mutual TLS, together with key_file
	KeyFile    string `yaml:"key_file"`    // PEM; must not be readable by others
	ServerName string `yaml:"server_name"` // when it differs from the host dialled
}

// SASLConfig is the login at the brokers; an empty Mechanism means none.
type SASLConfig struct {
	Mechanism string `yaml:"mechanism"` // PLAIN | SCRAM-SHA-256 | SCRAM-SHA-512
	User      string `yaml:"user"`
	Password  Secret `yaml:"password"`
}

// TopicsConfig says how Scantrail's own topics are created. Partitions is fixed
// for the life of a generation: state, ledgers and row versions count on it.
type TopicsConfig struct {
	Create            bool          `yaml:"create"` // false: they exist already and are only checked
	Partitions        int           `yaml:"partitions"`
	ReplicationFactor int           `yaml:"replication_factor"` // -1: the broker's default
	EventsRetention   time.Duration `yaml:"events_retention"`   // of parcel.events; must outlive every snapshot kept
}

// ClickHouseConfig says how to reach ClickHouse.
type ClickHouseConfig struct {
	Addrs       []string  `yaml:"addrs"` // http://host:8123 or clickhouse://host:9000 (TLS: https, clickhouses), all of one kind
	Database    string    `yaml:"database"`
	User        string    `yaml:"user"`
	Password    Secret    `yaml:"password"`
	TLS         TLSConfig `yaml:"tls"`
	Compression string    `yaml:"compression"` // none (best on one machine) | lz4 (best across a network)
	// Cluster of the servers' configuration: the tables are then made ON
	// CLUSTER, replicated, with a Distributed one over them. Empty: one node.
	Cluster string `yaml:"cluster"`

	KeepDays      KeepDaysConfig `yaml:"keep_days"`
	StoragePolicy string         `yaml:"storage_policy"`  // of the servers' configuration, for scans and scan_texts; empty: as the tables have it
	ColdVolume    string         `yaml:"cold_volume"`     // of that policy; empty: nothing moves
	ColdAfterDays int            `yaml:"cold_after_days"` // after its end a month of scans and scan_texts moves there
}

// KeepDaysConfig says after how many days ClickHouse deletes rows, counted from
// their reception, in whole months for scans and scan_texts; 0: never. A change
// takes effect with scantrail migrate.
type KeepDaysConfig struct {
	Scans            int `yaml:"scans"`
	ScanTexts        int `yaml:"scan_texts"`
	AlertTransitions int `yaml:"alert_transitions"`
	DeadLetters      int `yaml:"dead_letters"` // at least a day
}

// IngestConfig holds the limits of the first stage and its ticks.
type IngestConfig struct {
	CarriersDir    string        `yaml:"carriers_dir"`     // further mappings; empty: only the built-in ones
	MaxRecordBytes Size          `yaml:"max_record_bytes"` // a longer raw record is a dead letter
	TickInterval   time.Duration `yaml:"tick_interval"`
	StallAfter     time.Duration `yaml:"stall_after"`     // time stops waiting for a raw partition without progress
	AcceptBackfill bool          `yaml:"accept_backfill"` // believe the header that flags a raw record as history
}

// DetectorConfig holds the detector's rhythm and its generation.
type DetectorConfig struct {
	SnapshotInterval time.Duration `yaml:"snapshot_interval"` // bounds what a new owner replays
	FlushInterval    time.Duration `yaml:"flush_interval"`
	Generation       int           `yaml:"generation"`   // raised when facts change their meaning: new tables
	MemoryLimit      Size          `yaml:"memory_limit"` // of the state: then reading rests until some of it has left; 0: none
}

// SinkConfig bounds one insert into ClickHouse, by rows and by age.
type SinkConfig struct {
	FlushRows     int           `yaml:"flush_rows"`
	FlushInterval time.Duration `yaml:"flush_interval"`
}

// RawConfig copies raw records into the table raw_records, for people who have to
// see what a carrier sent. They hold personal data: off unless it is asked for.
type RawConfig struct {
	Enabled       bool                `yaml:"enabled"`
	Days          int                 `yaml:"days"`            // in ClickHouse, the day of reception included
	MaxValueBytes Size                `yaml:"max_value_bytes"` // a longer value is cut
	ClickHouse    RawClickHouseConfig `yaml:"clickhouse"`
}

// RawClickHouseConfig is the login of the raw copy at the servers of the section
// clickhouse: a user of its own, since nothing else may touch raw_records.
type RawClickHouseConfig struct {
	User     string `yaml:"user"`
	Password Secret `yaml:"password"`
}

// AdminConfig is the listener for /metrics, /healthz and /readyz. It has no
// login, hence the loopback address.
type AdminConfig struct {
	Listen         string `yaml:"listen"`
	InsecureListen bool   `yaml:"insecure_listen"` // allow an address that other machines reach
	Pprof          bool   `yaml:"pprof"`           // profiles of the process below /debug/pprof/; on loopback alone
}

// LogConfig is what goes to standard error.
type LogConfig struct {
	Level  string `yaml:"level"`  // debug | info | warn | error
	Format string `yaml:"format"` // auto (text on a terminal, else json) | text | json
}

// DefaultConfig returns a configuration that works against a broker and a
// ClickHouse on this machine.
func DefaultConfig() *Config {
	return &Config{
		Kafka: KafkaConfig{
			Brokers:  []string{"127.0.0.1:9092"},
			ClientID: "scantrail", SessionTimeout: 45 * time.Second,
			Topics: TopicsConfig{
				Create: true, Partitions: 12, ReplicationFactor: 1,
				EventsRetention: 14 * 24 * time.Hour,
			},
		},
		ClickHouse: ClickHouseConfig{
			Addrs: []string{"http://127.0.0.1:8123"}, Database: "scantrail",
			User: "default", Compression: "none", KeepDays: KeepDaysConfig{DeadLetters: sink.DefaultDeadLetterDays},
		},
		Ingest: IngestConfig{
			MaxRecordBytes: 1 << 20, TickInterval: 5 * time.Second, StallAfter: 15 * time.Minute, AcceptBackfill: true,
		},
		Detector: DetectorConfig{SnapshotInterval: time.Minute, FlushInterval: time.Second, Generation: 1, MemoryLimit: 8 << 30},
		Sink:     SinkConfig{FlushRows: 100_000, FlushInterval: time.Second},
		Notify:   NotifyConfig{HoldLimit: 24 * time.Hour, IncidentLimit: 7 * 24 * time.Hour, GiveUpAfter: 24 * time.Hour},
		Raw: RawConfig{Days: sink.DefaultRawDays, MaxValueBytes: sink.DefaultRawValueBytes,
			ClickHouse: RawClickHouseConfig{User: "scantrail_raw"}},
		Web:   defaultWeb(),
		Push:  defaultPush(),
		Admin: AdminConfig{Listen: "127.0.0.1:9464"},
		Log:   LogConfig{Level: "info", Format: "auto"},
	}
}

// Problem is one thing that is wrong with a configuration or with a file that
// it names, and what to do about it.
type Problem struct {
	File   string // empty when it stands in no file
	Line   int    // 0 when not known
	Field  string // path such as kafka.brokers[1]
	What   string
	Remedy string
}

func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.What)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// Problems is the error of LoadConfig and Validate: everything that is wrong,
// one line each.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps *Problems) add(field, what, remedy string) {
	*ps = append(*ps, Problem{Field: field, What: what, Remedy: remedy})
}

// err returns ps as an error, nil when there is none.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// maxConfigBytes bounds a configuration file: a mistaken path to a data file
// must not be read into memory.
const maxConfigBytes = 1 << 20

// LoadConfig reads a configuration file on top of the defaults, resolves its
// secrets and paths, and validates it. The error is of type Problems.
func LoadConfig(path string) (*Config, error) {
	raw, err := readLimited(path, maxConfigBytes)
	if err != nil {
		return nil, Problems{{File: path, What: err.Error(), Remedy: "give the path of a configuration file with -c"}}
	}
	return ParseConfig(path, raw)
}

// ParseConfig is LoadConfig for text that was read already; path gives its name
// and the folder that relative paths count from.
func ParseConfig(path string, raw []byte) (*Config, error) {
	c := DefaultConfig()
	lines, problems := decodeConfig(raw, c)
	c.resolve(filepath.Dir(path))
	if v, ok := c.Validate().(Problems); ok {
		problems = append(problems, v...)
	}
	if len(problems) == 0 {
		return c, nil
	}
	for i := range problems {
		problems[i].File = path
		if problems[i].Line == 0 {
			problems[i].Line = lineOf(lines, problems[i].Field)
		}
	}
	sort.SliceStable(problems, func(i, j int) bool { return problems[i].Line < problems[j].Line })
	return nil, dropRepeats(problems)
}

// dropRepeats keeps the first problem of a line and field: a value that could
// not be read left its default behind, which needs no second verdict.
func dropRepeats(ps Problems) Problems {
	type key struct {
		line  int
		field string
	}
	seen := map[key]bool{}
	kept := ps[:0]
	for _, p := range ps {
		k := key{p.Line, p.Field}
		if p.Line > 0 && seen[k] {
			continue
		}
		seen[k] = true
		kept = append(kept, p)
	}
	return kept
}

// lineOf returns the line of a field, or of the nearest thing around it that
// the file states, or 0.
func lineOf(lines map[string]int, field string) int {
	for field != "" {
		if n := lines[field]; n > 0 {
			return n
		}
		cut := strings.LastIndexAny(field, ".[")
		if cut < 0 {
			return 0
		}
		field = field[:cut]
	}
	return 0
}

// resolve makes paths absolute and reads secrets; what fails is reported by
// Validate.
func (c *Config) resolve(dir string) {
	for _, p := range []*string{
		&c.Kafka.TLS.CAFile, &c.Kafka.TLS.CertFile, &c.Kafka.TLS.KeyFile,
		&c.ClickHouse.TLS.CAFile, &c.ClickHouse.TLS.CertFile, &c.ClickHouse.TLS.KeyFile,
		&c.Ingest.CarriersDir,
	} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	c.Kafka.SASL.Password.resolve(dir)
	c.ClickHouse.Password.resolve(dir)
	c.Raw.ClickHouse.Password.resolve(dir)
	c.Notify.resolve(dir)
	c.Web.resolve(dir)
	c.Push.resolve(dir)
}

// readLimited reads a file of at most limit bytes.
func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("longer than %d bytes", limit)
	}
	return b, nil
}
