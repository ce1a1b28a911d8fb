package sink

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Options says how to reach ClickHouse.
type Options struct {
	// URLs of one or more replicas, all with the same scheme: http and https
	// for the HTTP interface, clickhouse and clickhouses (TLS) for the native
	// protocol. The first one that answers is used. HTTP inserts cost less
	// here, since the server then makes the dictionaries of LowCardinality.
	URLs     []string
	Database string // default: default
	User     string
	Password string

	// Compression of inserts on the wire: none (the default; best on one
	// machine) or lz4 (best across a network).
	Compression string
	TLS         TLSOptions

	// Cluster names the cluster whose tables these are: an insert then counts as
	// written once a majority of each shard's replicas has it. Empty: one node.
	Cluster string

	DialTimeout time.Duration // default 5 s
	ReadTimeout time.Duration // for one answer; default 60 s
	MaxConns    int           // default 8
}

// TLSOptions tell how to trust the server and how to show who we are. TLS 1.2
// is the least that is spoken.
type TLSOptions struct {
	CAFile     string // PEM; default: the system's roots
	CertFile   string // PEM; client certificate, with KeyFile
	KeyFile    string
	ServerName string // default: the host of the URL
}

// Open returns a pool of connections to ClickHouse. It does not connect: the
// first query does.
func Open(o Options) (driver.Conn, error) {
	opts, err := o.driverOptions()
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	conn, err := clickhouse.Open(opts)
	if err == nil && opts.Compression != nil {
		return compressing{conn}, nil
	}
	return conn, err
}

// compressing marks connections whose inserts are to be compressed.
type compressing struct{ driver.Conn }

func (o Options) driverOptions() (*clickhouse.Options, error) {
	protocol, secure, addrs, err := parseURLs(o.URLs)
	if err != nil {
		return nil, err
	}
	opts := &clickhouse.Options{
		Protocol: protocol,
		Addr:     addrs,
		Auth:     clickhouse.Auth{Database: cmp.Or(o.Database, "default"), Username: o.User, Password: o.Password},
		Settings: clickhouse.Settings{
			// A block that waits in the server's memory is not written yet.
			"async_insert": 0,
			// One Send goes to one ClickHouse partition, or it is not atomic.
			"max_partitions_per_insert_block": 1,
			// Collapsing the rows of one key already while inserting costs half of
			// the insert; FINAL and merges do it in any case.
			"optimize_on_insert": 0,
		},
		DialTimeout:         cmp.Or(o.DialTimeout, 5*time.Second),
		ReadTimeout:         cmp.Or(o.ReadTimeout, 60*time.Second),
		MaxOpenConns:        cmp.Or(o.MaxConns, 8),
		MaxIdleConns:        cmp.Or(o.MaxConns, 8),
		HttpMaxConnsPerHost: cmp.Or(o.MaxConns, 8),
	}
	if o.Cluster != "" {
		maps.Copy(opts.Settings, clusterSettings())
	}
	switch o.Compression {
	case "", "none":
	case "lz4":
		opts.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
	default:
		return nil, fmt.Errorf("compression %q: want none or lz4", o.Compression)
	}
	if !secure {
		if o.TLS != (TLSOptions{}) {
			return nil, errors.New("tls: set, but the URLs are not https or clickhouses")
		}
		return opts, nil
	}
	opts.TLS, err = o.TLS.config()
	return opts, err
}

// defaultPorts are those that ClickHouse listens on.
var defaultPorts = map[string]string{"http": "8123", "https": "8443", "clickhouse": "9000", "clickhouses": "9440"}

func parseURLs(urls []string) (p clickhouse.Protocol, secure bool, addrs []string, err error) {
	if len(urls) == 0 {
		return 0, false, nil, errors.New("urls: none given, want for example http://127.0.0.1:8123")
	}
	var scheme string
	for i, s := range urls {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" {
			return 0, false, nil, fmt.Errorf("urls[%d]: not a URL such as http://127.0.0.1:8123", i)
		}
		port, known := defaultPorts[u.Scheme]
		switch {
		case !known:
			return 0, false, nil, fmt.Errorf("urls[%d]: scheme %q, want http, https, clickhouse or clickhouses", i, u.Scheme)
		case scheme != "" && u.Scheme != scheme:
			return 0, false, nil, fmt.Errorf("urls[%d]: scheme %q, but the first one has %q", i, u.Scheme, scheme)
		case u.User != nil:
			return 0, false, nil, fmt.Errorf("urls[%d]: holds a user; give user and password apart, so that no log shows them", i)
		case u.Path != "" && u.Path != "/" || u.RawQuery != "":
			return 0, false, nil, fmt.Errorf("urls[%d]: holds a path or a query; give only scheme, host and port", i)
		}
		scheme = u.Scheme
		if u.Port() != "" {
			port = u.Port()
		}
		addrs = append(addrs, net.JoinHostPort(u.Hostname(), port))
	}
	if scheme == "http" || scheme == "https" {
		p = clickhouse.HTTP
	}
	return p, scheme == "https" || scheme == "clickhouses", addrs, nil
}

func (t TLSOptions) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca_file: %s holds no PEM certificate", t.CAFile)
		}
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return nil, errors.New("tls: cert_file and key_file go together")
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.cert_file: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
