package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// kafkaTarget are the flags of commands that write raw records or orders.
type kafkaTarget struct {
	config  string
	brokers []string
}

func (t *kafkaTarget) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&t.config, "config", "c", "", "configuration file, as of scantrail run; without it the defaults")
	cmd.Flags().StringSliceVar(&t.brokers, "brokers", nil, "Kafka brokers, host:port, in place of those of the configuration (default 127.0.0.1:9092, as of scantrail run --embedded)")
}

// load reads the configuration.
func (t *kafkaTarget) load() (*Config, error) {
	cfg := DefaultConfig()
	if t.config != "" {
		var err error
		if cfg, err = LoadConfig(t.config); err != nil {
			return nil, err
		}
	}
	if len(t.brokers) > 0 {
		cfg.Kafka.Brokers = t.brokers
	}
	return cfg, nil
}

// bulkOptions are those of a producer of many records, of at most so many bytes.
func bulkOptions(recordBytes int) []kgo.Opt {
	return []kgo.Opt{
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()), kgo.MaxBufferedRecords(50_000),
		kgo.ProducerBatchMaxBytes(int32(recordBytes) + 64<<10), kgo.ProducerLinger(5 * time.Millisecond),
		kgo.RecordDeliveryTimeout(time.Minute),
	}
}

// open returns a producer for bulk, once the brokers have answered.
func (t *kafkaTarget) open(ctx context.Context, cfg *Config, more ...kgo.Opt) (*kgo.Client, error) {
	kafka, err := cfg.KafkaOptions(nil)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(slices.Concat(kafka, bulkOptions(int(cfg.Ingest.MaxRecordBytes)), more)...)
	if err != nil {
		return nil, err
	}
	ping, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := client.Ping(ping); err != nil {
		client.Close()
		return nil, fmt.Errorf("no broker answers at %s: %w; is the service up? name it with -c or --brokers", strings.Join(cfg.Kafka.Brokers, ","), err)
	}
	return client, nil
}

// ensureTargets creates the raw topics that are missing; everything else is made
// by scantrail run.
func ensureTargets(ctx context.Context, client *kgo.Client, cfg *Config, topics []string) error {
	adm := kadm.NewClient(client)
	existing, err := adm.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("listing topics: %w", err)
	}
	for _, name := range topics {
		if d, ok := existing[name]; ok && d.Err == nil {
			continue
		}
		switch {
		case !strings.HasPrefix(name, schemas.RawTopicPrefix):
			return fmt.Errorf("topic %s does not exist: start scantrail run on this cluster once, or check -c and --brokers", name)
		case !cfg.Kafka.Topics.Create:
			return fmt.Errorf("topic %s does not exist and kafka.topics.create is false: create it", name)
		}
		if _, err := adm.CreateTopic(ctx, -1, -1, nil, name); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("creating topic %s: %w", name, err)
		}
	}
	return nil
}
