package sink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// Defaults of RawOptions.
const (
	DefaultRawDays       = 7
	DefaultRawValueBytes = 1 << 20
)

// RawOptions bound what the raw copy keeps.
type RawOptions struct {
	// Days is how long a record stays in ClickHouse, the day on which it was
	// received included, in days of UTC. Default DefaultRawDays.
	Days int
	// ValueBytes is where a key or value is cut. Default DefaultRawValueBytes.
	ValueBytes int
	// Now is the time at which records are read. Required.
	Now func() time.Time
}

// RawCopy copies the raw topics, byte for byte, into the table raw_records, so
// that a person can see what a carrier sent. Raw records hold names and
// addresses: it is a consumer group of its own, whose ClickHouse connection is
// meant to be of a user that may insert into raw_records and data_gaps and do
// nothing else.
//
// It is a Sink with other topics: written before committed, one block per
// insert, retried until ClickHouse takes it. It never holds up anything else,
// so records that Kafka deleted before they were copied are noted in data_gaps,
// kind raw_copy, and it goes on.
type RawCopy struct{ sink *Sink }

// NewRawCopy checks the configuration and registers the metrics. The default of
// cfg.Group is schemas.RawGroup, of FlushBytes 32 MiB; AcceptGaps is implied.
func NewRawCopy(cfg Config, o RawOptions) (*RawCopy, error) {
	switch {
	case o.Now == nil:
		return nil, errors.New("raw copy: Now is not set")
	case o.Days < 0 || o.ValueBytes < 0:
		return nil, fmt.Errorf("raw copy: Days %d, ValueBytes %d: want positive numbers", o.Days, o.ValueBytes)
	}
	o.Days, o.ValueBytes = cmp.Or(o.Days, DefaultRawDays), cmp.Or(o.ValueBytes, DefaultRawValueBytes)
	cfg.Group, cfg.FlushBytes, cfg.AcceptGaps = cmp.Or(cfg.Group, schemas.RawGroup), cmp.Or(cfg.FlushBytes, 32<<20), true
	s, err := newSink("raw_copy", cfg)
	if err != nil {
		return nil, err
	}
	s.raw = &o
	return &RawCopy{s}, nil
}

// Run copies until ctx ends, which is no error; see Sink.Run. It returns an
// error, too, when the table keeps records for another time than Days: raw
// bytes must not stay longer than was promised. It may be called again.
func (c *RawCopy) Run(ctx context.Context) error {
	days, err := rawDaysOf(ctx, c.sink.cfg.ClickHouse)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	switch want := c.sink.raw.Days; days {
	case want:
		return c.sink.Run(ctx)
	case 0:
		return errors.New("raw copy: this user sees no table raw_records with a TTL: run scantrail migrate, and grant INSERT on raw_records and data_gaps")
	default:
		return fmt.Errorf("raw copy: raw_records keeps %d days and %d are configured: run scantrail migrate", days, want)
	}
}

// Joined is Sink.Joined.
func (c *RawCopy) Joined() bool { return c.sink.Joined() }

// Refused is Sink.Refused.
func (c *RawCopy) Refused() error { return c.sink.Refused() }

// rawDaysOf returns the days of the table's TTL, 0 without table or TTL. Every
// grant on a table lets its user see the definition.
func rawDaysOf(ctx context.Context, conn driver.Conn) (int, error) {
	var days uint32
	err := conn.QueryRow(ctx, `SELECT toUInt32OrZero(max(extract(create_table_query, 'TTL [^\n]*toIntervalDay\\((\\d+)\\)')))
		FROM system.tables WHERE database = currentDatabase() AND name IN ('raw_records', 'raw_records_local')`).Scan(&days)
	if err != nil {
		return 0, explain("read the TTL of raw_records", err)
	}
	return int(days), nil
}

// rawLabel stands for all raw topics in metrics: their number has no bound.
const rawLabel = "scans.raw"

// labels returns what label can return.
func (s *Sink) labels() []string {
	if s.raw != nil {
		return []string{rawLabel}
	}
	return []string{schemas.EventsTopic, schemas.AlertsTopic, schemas.DeadLettersTopic}
}

// label returns a topic's label in metrics.
func (s *Sink) label(topic string) string {
	if s.raw != nil {
		return rawLabel
	}
	return topic
}

// topics returns the options that say what is consumed.
func (s *Sink) topics() []kgo.Opt {
	if s.raw == nil {
		return []kgo.Opt{kgo.ConsumeTopics(s.labels()...)}
	}
	return []kgo.Opt{
		kgo.ConsumeRegex(),
		kgo.ConsumeTopics("^" + regexp.QuoteMeta(schemas.RawTopicPrefix) + ".+"),
		kgo.MetadataMaxAge(10 * time.Second), // a new carrier's topic is found within it
	}
}

func (s *Sink) newPending() *pending {
	p := newPending(s.metrics)
	if s.raw != nil {
		p.raw = &rawDays{}
	}
	return p
}

// beyondRepair reports an error of a fetch after which the raw copy begins anew
// at what its group has committed, or at the start of what is left.
func beyondRepair(err error) bool {
	var loss *kgo.ErrDataLoss
	return errors.Is(err, kerr.OffsetOutOfRange) || errors.As(err, &loss) ||
		errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.InconsistentTopicID)
}

func rawFetchError(topic string, partition int32, group string, err error) error {
	return fmt.Errorf("raw copy: %s/%d: %w: records were deleted before they were copied, or the topic was deleted or created anew; the copy starts again by itself; if this comes back, delete the offsets of group %s for the topic: what is copied twice counts once", topic, partition, err, group)
}
