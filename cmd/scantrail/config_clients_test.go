package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/sink"
)

// TestKafkaOptionsLogIn logs in at a broker that demands it, with each
// mechanism, and is turned away with another password.
func TestKafkaOptionsLogIn(t *testing.T) {
	t.Setenv("SCANTRAIL_TEST_PASSWORD", "staple")
	t.Setenv("SCANTRAIL_TEST_WRONG", "paper")
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(),
				kfake.Superuser(mechanism, "scantrail", "staple"))
			if err != nil {
				t.Fatal(err)
			}
			defer broker.Close()
			for env, want := range map[string]bool{"SCANTRAIL_TEST_PASSWORD": true, "SCANTRAIL_TEST_WRONG": false} {
				yaml := "kafka:\n  brokers: ['" + broker.ListenAddrs()[0] + "']\n" +
					"  sasl: {mechanism: " + mechanism + ", user: scantrail, password: env:" + env + "}\n"
				c, err := ParseConfig("scantrail.yaml", []byte(yaml))
				if err != nil {
					t.Fatal(err)
				}
				if err := ping(t, c); (err == nil) != want {
					t.Errorf("password from %s: %v", env, err)
				}
			}
		})
	}
}

func ping(t *testing.T, c *Config) error {
	opts, err := c.KafkaOptions(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	return client.Ping(context.Background())
}

func TestKafkaLoggerLevels(t *testing.T) {
	var out strings.Builder
	l := kafkaLogger{slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if l.Level() != kgo.LogLevelWarn {
		t.Errorf("Level() = %v, want WARN", l.Level())
	}
	l.Log(kgo.LogLevelInfo, "hidden", "broker", 1)
	l.Log(kgo.LogLevelError, "shown", "broker", 2)
	if got := out.String(); strings.Contains(got, "hidden") || !strings.Contains(got, "level=ERROR msg=shown broker=2") {
		t.Errorf("logged %q", got)
	}
	if l := (kafkaLogger{slog.New(slog.DiscardHandler)}); l.Level() != kgo.LogLevelNone {
		t.Errorf("a discarding logger asks for level %v", l.Level())
	}
}

func TestSinkOptions(t *testing.T) {
	t.Setenv("SCANTRAIL_TEST_PASSWORD", "staple")
	for _, tc := range []struct {
		yaml string
		want sink.Options
	}{
		{"{}", sink.Options{URLs: []string{"http://127.0.0.1:8123"}, Database: "scantrail", User: "default", Compression: "none"}},
		{"{addrs: ['clickhouse://a:9000', 'clickhouse://b:9000'], database: d, user: u, password: env:SCANTRAIL_TEST_PASSWORD, compression: lz4}",
			sink.Options{URLs: []string{"clickhouse://a:9000", "clickhouse://b:9000"}, Database: "d", User: "u", Password: "staple", Compression: "lz4"}},
		{"{addrs: ['https://a:8443'], tls: {enabled: true, server_name: ch.example}}",
			sink.Options{URLs: []string{"https://a:8443"}, Database: "scantrail", User: "default", Compression: "none",
				TLS: sink.TLSOptions{ServerName: "ch.example"}}},
	} {
		c, err := ParseConfig("scantrail.yaml", []byte("clickhouse: "+tc.yaml))
		if err != nil {
			t.Fatal(err)
		}
		got := sinkOptions(c)
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v, want %+v", tc.yaml, got, tc.want)
		}
		if _, err := sink.Open(got); err != nil {
			t.Errorf("%s: the sink refuses it: %v", tc.yaml, err)
		}
	}
}

// TestTLSFiles holds the loading of certificates, with a pair made here.
func TestTLSFiles(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key")
	writeKeyPair(t, cert, key)
	c := TLSConfig{Enabled: true, CAFile: cert, CertFile: cert, KeyFile: key}
	got, problems := c.load("kafka.tls")
	if problems.err() != nil || got.RootCAs == nil || len(got.Certificates) != 1 || got.MinVersion != tls.VersionTLS12 {
		t.Fatalf("%v, problems %v", got, problems)
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, problems = c.load("kafka.tls"); len(problems) != 1 || problems[0].Field != "kafka.tls.key_file" {
		t.Errorf("a key that everybody may read gives %v", problems)
	}
}

func writeKeyPair(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o400); err != nil {
			t.Fatal(err)
		}
	}
}
