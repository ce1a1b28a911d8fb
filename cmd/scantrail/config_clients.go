package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

const (
	// A batch that unpacks to more than this stops its partition instead of the
	// process: compression reaches about 1000:1, and a raw topic's writers are
	// not trusted with our memory.
	maxDecompressedBatch = 64 << 20
	maxBrokerRead        = 100 << 20 // one response, before unpacking
)

// KafkaOptions returns what every Kafka client of the process shares: brokers,
// identity, encryption, login, limits and logging. A nil log means none.
func (c *Config) KafkaOptions(log *slog.Logger) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Kafka.Brokers...),
		kgo.ClientID(c.Kafka.ClientID),
		kgo.MaxDecompressBatchBytes(maxDecompressedBatch),
		kgo.BrokerMaxReadBytes(maxBrokerRead),
		kgo.SessionTimeout(c.Kafka.SessionTimeout),
		kgo.HeartbeatInterval(min(3*time.Second, c.Kafka.SessionTimeout/4)),
	}
	if c.Kafka.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(c.Kafka.InstanceID))
	}
	if log != nil {
		opts = append(opts, kgo.WithLogger(kafkaLogger{log}))
	}
	if c.Kafka.TLS.Enabled {
		t, problems := c.Kafka.TLS.load("kafka.tls")
		if err := problems.err(); err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(t))
	}
	if c.Kafka.SASL.Mechanism != "" {
		m, err := c.Kafka.SASL.mechanism()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(m))
	}
	return opts, nil
}

func (s *SASLConfig) mechanism() (sasl.Mechanism, error) {
	switch s.Mechanism {
	case "PLAIN":
		return plain.Auth{User: s.User, Pass: s.Password.Reveal()}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: s.User, Pass: s.Password.Reveal()}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: s.User, Pass: s.Password.Reveal()}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("kafka.sasl.mechanism: %.40q is not known", s.Mechanism)
}

// kafkaLogger hands the client's log lines to slog.
type kafkaLogger struct{ log *slog.Logger }

var kafkaLevels = [...]struct {
	kafka kgo.LogLevel
	slog  slog.Level
}{
	{kgo.LogLevelDebug, slog.LevelDebug},
	{kgo.LogLevelInfo, slog.LevelInfo},
	{kgo.LogLevelWarn, slog.LevelWarn},
	{kgo.LogLevelError, slog.LevelError},
}

// Level returns the finest level that is logged at all, so that the client does
// not build lines for nothing.
func (l kafkaLogger) Level() kgo.LogLevel {
	for _, level := range kafkaLevels {
		if l.log.Enabled(context.Background(), level.slog) {
			return level.kafka
		}
	}
	return kgo.LogLevelNone
}

// Log implements kgo.Logger.
func (l kafkaLogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	for _, known := range kafkaLevels {
		if known.kafka == level {
			l.log.Log(context.Background(), known.slog, msg, keyvals...)
			return
		}
	}
}

// load reads the certificates. The problems name fields below field.
func (t *TLSConfig) load(field string) (*tls.Config, Problems) {
	var ps Problems
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		out.RootCAs = x509.NewCertPool()
		pem, err := readLimited(t.CAFile, maxConfigBytes)
		if err != nil {
			ps.add(field+".ca_file", err.Error(), "")
		} else if !out.RootCAs.AppendCertsFromPEM(pem) {
			ps.add(field+".ca_file", t.CAFile+" holds no certificate", "give a file in PEM form")
		}
	}
	if t.CertFile != "" && t.KeyFile != "" {
		if err := refuseShared(t.KeyFile); err != nil {
			ps.add(field+".key_file", err.Error(), "")
		} else if cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile); err != nil {
			ps.add(field+".cert_file", err.Error(), "give a certificate and its key in PEM form")
		} else {
			out.Certificates = []tls.Certificate{cert}
		}
	}
	return out, ps
}
