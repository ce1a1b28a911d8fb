package sink

import (
	"context"
	"log/slog"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Loader writes records of parcel.events as a Sink does, without Kafka and
// without going on where another left off: it measures what ClickHouse takes,
// in a database of its own. Not safe for concurrent use.
type Loader struct {
	conn    driver.Conn
	pending *pending
	members *membership
}

// NewLoader returns a Loader over conn.
func NewLoader(conn driver.Conn) (*Loader, error) {
	m, err := newMetrics(nil)
	if err != nil {
		return nil, err
	}
	return &Loader{conn: conn, pending: newPending(m), members: newMembership("loader", false, slog.New(slog.DiscardHandler))}, nil
}

// Insert writes at most 100,000 records of one partition in blocks of the Sink.
// The first one of a partition has offset 0, the next call goes on from the
// last. It does not retry: after an error the Loader is of no further use.
func (l *Loader) Insert(ctx context.Context, partition int32, records []*kgo.Record) error {
	if l.pending.ledgers[partition] == nil {
		l.pending.ledgers[partition] = &ledger{}
	}
	if err := l.pending.addEvents(partition, records, l.members); err != nil {
		return err
	}
	l.pending.seal()
	return l.pending.write(ctx, l.conn)
}
