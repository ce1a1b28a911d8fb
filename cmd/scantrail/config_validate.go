package main

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Validate reports every problem of the configuration, by field; the error is
// of type Problems.
func (c *Config) Validate() error {
	var ps Problems
	c.Kafka.validate(&ps)
	c.ClickHouse.validate(&ps)
	c.Ingest.validate(&ps)
	c.Detector.validate(&ps)
	c.Sink.validate(&ps)
	c.Notify.validate(&ps)
	c.Raw.validate(&ps, c.ClickHouse.User)
	c.Web.validate(&ps)
	c.Push.validate(&ps, c.Ingest.MaxRecordBytes)
	c.Admin.validate(&ps)
	ps.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	ps.oneOf("log.format", c.Log.Format, "auto", "text", "json")
	return ps.err()
}

func (ps *Problems) oneOf(field, have string, want ...string) {
	if !slices.Contains(want, have) {
		ps.add(field, fmt.Sprintf("%.40q is not known", have), "choose one of "+strings.Join(want, ", "))
	}
}

func (ps *Problems) between(field string, have, low, high int) {
	if have < low || have > high {
		ps.add(field, fmt.Sprintf("%d is out of range", have), fmt.Sprintf("choose %d to %d", low, high))
	}
}

func (ps *Problems) lasts(field string, have, low, high time.Duration) {
	if have < low || have > high {
		ps.add(field, fmt.Sprintf("%s is out of range", have), fmt.Sprintf("choose %s to %s", low, high))
	}
}

func (k *KafkaConfig) validate(ps *Problems) {
	if len(k.Brokers) == 0 {
		ps.add("kafka.brokers", "names no broker", "give at least one host:port")
	}
	for i, b := range k.Brokers {
		at := fmt.Sprintf("kafka.brokers[%d]", i)
		if err := checkHostPort(b); err != nil {
			ps.add(at, err.Error(), "write host:port, such as kafka-1:9092")
		} else if slices.Index(k.Brokers, b) < i {
			ps.add(at, fmt.Sprintf("%q is named twice", b), "remove one")
		}
	}
	if k.ClientID == "" {
		ps.add("kafka.client_id", "is empty", "give a name for the brokers' logs")
	}
	if len(k.InstanceID) > 249 || strings.ContainsFunc(k.InstanceID, func(r rune) bool { return r <= ' ' || r > '~' }) {
		ps.add("kafka.instance_id", "is no name", "give at most 249 visible ASCII characters, or leave it empty")
	}
	ps.lasts("kafka.session_timeout", k.SessionTimeout, time.Second, 30*time.Minute)
	k.TLS.validate(ps, "kafka.tls")
	k.SASL.validate(ps, k.TLS.Enabled, k.Brokers)
	k.Topics.validate(ps)
}

func (s *SASLConfig) validate(ps *Problems, encrypted bool, brokers []string) {
	if what, remedy := s.Password.problem(); what != "" {
		ps.add("kafka.sasl.password", what, remedy)
	}
	if s.Mechanism == "" {
		if s.User != "" || s.Password.IsSet() {
			ps.add("kafka.sasl.mechanism", "is missing beside a user or password", "choose PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
		}
		return
	}
	ps.oneOf("kafka.sasl.mechanism", s.Mechanism, "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
	if s.User == "" {
		ps.add("kafka.sasl.user", "is missing", "give the user of the mechanism "+s.Mechanism)
	}
	if !s.Password.IsSet() {
		ps.add("kafka.sasl.password", "is missing", secretRemedy)
	}
	remote := slices.ContainsFunc(brokers, func(b string) bool { return !isLoopback(b) })
	if s.Mechanism == "PLAIN" && !encrypted && remote {
		ps.add("kafka.sasl.mechanism", "PLAIN without TLS sends the password readable over the network",
			"set kafka.tls.enabled or use SCRAM-SHA-512")
	}
}

func (t *TopicsConfig) validate(ps *Problems) {
	ps.between("kafka.topics.partitions", t.Partitions, 1, 10_000)
	if t.ReplicationFactor != -1 {
		ps.between("kafka.topics.replication_factor", t.ReplicationFactor, 1, 100)
	}
	// A day is the least in which somebody can repair a detector that does not
	// start, before the log behind its last snapshot is gone.
	ps.lasts("kafka.topics.events_retention", t.EventsRetention, 24*time.Hour, 10*365*24*time.Hour)
}

func (t *TLSConfig) validate(ps *Problems, field string) {
	if !t.Enabled {
		for _, f := range [...][2]string{{"ca_file", t.CAFile}, {"cert_file", t.CertFile}, {"key_file", t.KeyFile}, {"server_name", t.ServerName}} {
			if f[1] != "" {
				ps.add(field+"."+f[0], "has no effect while TLS is off", "set "+field+".enabled: true or remove it")
			}
		}
		return
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		ps.add(field, "cert_file and key_file go together", "give both or neither")
		return
	}
	_, problems := t.load(field)
	*ps = append(*ps, problems...)
}

// identifier is what ClickHouse takes as a name without quoting.
var identifier = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,63}$`)

func (h *ClickHouseConfig) validate(ps *Problems) {
	if len(h.Addrs) == 0 {
		ps.add("clickhouse.addrs", "names no server", "give at least one, such as http://host:8123 or clickhouse://host:9000")
	}
	kind := ""
	for i, a := range h.Addrs {
		at := fmt.Sprintf("clickhouse.addrs[%d]", i)
		u, err := url.Parse(a)
		if err != nil || !slices.Contains([]string{"http", "https", "clickhouse", "clickhouses"}, u.Scheme) {
			ps.add(at, "is no address of ClickHouse", "write http://host:8123 or clickhouse://host:9000, with TLS https://host:8443 or clickhouses://host:9440")
			continue
		}
		if u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
			ps.add(at, "holds more than a host and a port", "use clickhouse.user, clickhouse.password and clickhouse.database")
		} else if err := checkHostPort(u.Host); err != nil {
			ps.add(at, err.Error(), "write the port too, such as http://host:8123")
		}
		if kind != "" && u.Scheme != kind {
			ps.add(at, fmt.Sprintf("mixes %s with %s", u.Scheme, kind), "use one kind of address for all servers")
		}
		kind = u.Scheme
	}
	if encrypted := kind == "https" || kind == "clickhouses"; kind != "" && encrypted != h.TLS.Enabled {
		ps.add("clickhouse.tls.enabled", fmt.Sprintf("is %t beside a %s:// address", h.TLS.Enabled, kind),
			"set true with https:// or clickhouses://, false with http:// or clickhouse://")
	}
	if !identifier.MatchString(h.Database) {
		ps.add("clickhouse.database", fmt.Sprintf("%.40q is no plain name", h.Database), "use letters, digits and underscores")
	}
	if h.Cluster != "" && !identifier.MatchString(h.Cluster) {
		ps.add("clickhouse.cluster", fmt.Sprintf("%.40q is no plain name", h.Cluster), "use letters, digits and underscores")
	}
	if h.User == "" {
		ps.add("clickhouse.user", "is missing", "give the user that may insert")
	}
	if what, remedy := h.Password.problem(); what != "" {
		ps.add("clickhouse.password", what, remedy)
	}
	h.TLS.validate(ps, "clickhouse.tls")
	ps.oneOf("clickhouse.compression", h.Compression, "none", "lz4")
	h.validateLifecycle(ps)
}

// validateLifecycle refuses to delete what is still needed: an entity is judged
// for up to 120 days after its last scan, and audits reach back to the log.
func (h *ClickHouseConfig) validateLifecycle(ps *Problems) {
	const longest = 100 * 366
	for _, k := range []struct {
		field string
		days  int
	}{{"scans", h.KeepDays.Scans}, {"scan_texts", h.KeepDays.ScanTexts}, {"alert_transitions", h.KeepDays.AlertTransitions}} {
		if k.days != 0 {
			ps.between("clickhouse.keep_days."+k.field, k.days, 150, longest)
		}
	}
	ps.between("clickhouse.keep_days.dead_letters", h.KeepDays.DeadLetters, 1, longest)
	for _, n := range [][2]string{{"clickhouse.storage_policy", h.StoragePolicy}, {"clickhouse.cold_volume", h.ColdVolume}} {
		if n[1] != "" && !identifier.MatchString(n[1]) {
			ps.add(n[0], fmt.Sprintf("%.40q is no plain name", n[1]), "use letters, digits and underscores")
		}
	}
	switch {
	case h.ColdVolume == "" && h.ColdAfterDays != 0:
		ps.add("clickhouse.cold_after_days", "has no effect without clickhouse.cold_volume", "name the volume or remove it")
	case h.ColdVolume != "" && h.StoragePolicy == "":
		ps.add("clickhouse.cold_volume", "names a volume of no storage policy", "set clickhouse.storage_policy, which must hold the disk of the tables too")
	case h.ColdVolume != "":
		ps.between("clickhouse.cold_after_days", h.ColdAfterDays, 0, longest)
	}
}

func (g *IngestConfig) validate(ps *Problems) {
	if g.MaxRecordBytes < 1<<10 || g.MaxRecordBytes > 64<<20 {
		ps.add("ingest.max_record_bytes", g.MaxRecordBytes.String()+" is out of range", "choose 1KiB to 64MiB")
	}
	ps.lasts("ingest.tick_interval", g.TickInterval, time.Second, time.Minute)
	ps.lasts("ingest.stall_after", g.StallAfter, 2*g.TickInterval, 24*time.Hour)
}

func (d *DetectorConfig) validate(ps *Problems) {
	ps.lasts("detector.snapshot_interval", d.SnapshotInterval, time.Second, time.Hour)
	ps.lasts("detector.flush_interval", d.FlushInterval, 10*time.Millisecond, time.Minute)
	ps.between("detector.generation", d.Generation, 1, 1<<12-1) // 12 bits of a row's version
}

func (s *SinkConfig) validate(ps *Problems) {
	ps.between("sink.flush_rows", s.FlushRows, 1, 1_000_000)
	ps.lasts("sink.flush_interval", s.FlushInterval, 10*time.Millisecond, time.Minute)
}

func (r *RawConfig) validate(ps *Problems, mainUser string) {
	ps.between("raw.days", r.Days, 1, 365)
	if r.MaxValueBytes < 1<<10 || r.MaxValueBytes > 64<<20 {
		ps.add("raw.max_value_bytes", r.MaxValueBytes.String()+" is out of range", "choose 1KiB to 64MiB")
	}
	switch r.ClickHouse.User {
	case "":
		ps.add("raw.clickhouse.user", "is missing", "give the user that may insert into raw_records")
	case mainUser:
		ps.add("raw.clickhouse.user", "is clickhouse.user too", "raw records hold personal data: give them a user of their own")
	}
	if what, remedy := r.ClickHouse.Password.problem(); what != "" {
		ps.add("raw.clickhouse.password", what, remedy)
	}
}

func (a *AdminConfig) validate(ps *Problems) {
	if err := checkHostPort(a.Listen); err != nil {
		ps.add("admin.listen", err.Error(), "write host:port, such as 127.0.0.1:9464")
		return
	}
	if a.Pprof && !isLoopback(a.Listen) {
		ps.add("admin.pprof", fmt.Sprintf("would show the process's memory and arguments to other machines (admin.listen is %q)", a.Listen),
			"listen on 127.0.0.1 and reach it through ssh -L, or set false")
	}
	if !a.InsecureListen && !isLoopback(a.Listen) {
		ps.add("admin.listen", fmt.Sprintf("%q can be reached by other machines, without a login", a.Listen),
			"use 127.0.0.1, or set admin.insecure_listen: true where the network is trusted")
	}
}

func checkHostPort(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%.80q is not host:port", s)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("%.80q has no port between 1 and 65535", s)
	}
	if host == "" {
		return fmt.Errorf("%.80q names no host", s)
	}
	return nil
}

// isLoopback reports whether an address stays on this machine. A name counts
// only when it is localhost: any other may resolve to anything.
func isLoopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
