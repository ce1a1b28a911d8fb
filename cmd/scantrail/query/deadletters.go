package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// LetterGroup counts dead letters of one carrier and reason.
type LetterGroup struct {
	Carrier string    `ch:"carrier"` // empty: of orders
	Reason  string    `ch:"reason"`
	Letters uint64    `ch:"letters"`
	Records uint64    `ch:"records"` // refused records, of which one may have several letters
	FirstAt time.Time `ch:"first_at"`
	LastAt  time.Time `ch:"last_at"`
	Latest  string    `ch:"latest"` // detail of the latest
}

// LetterGroups returns what could not be read, as far back as dead_letters is kept,
// the most frequent first.
func (q *Queries) LetterGroups(ctx context.Context) ([]LetterGroup, error) {
	const sql = `SELECT carrier, reason, count() AS letters, uniqExact(topic_id, ` + "`partition`, `offset`" + `) AS records,
    min(received_at) AS first_at, max(received_at) AS last_at, argMax(detail, received_at) AS latest
FROM dead_letters FINAL GROUP BY carrier, reason ORDER BY letters DESC, carrier, reason LIMIT 1000`
	return selectAll[LetterGroup](ctx, q, "dead letters", sql)
}

// Letter is one dead letter with its record.
type Letter struct {
	Topic      string    `ch:"topic"`
	Partition  int32     `ch:"partition"`
	Offset     int64     `ch:"offset"`
	Index      int32     `ch:"index"`
	EventIndex int32     `ch:"event_index"`
	Carrier    string    `ch:"carrier"`
	Reason     string    `ch:"reason"`
	Field      string    `ch:"field"`
	Detail     string    `ch:"detail"`
	Mapping    uint32    `ch:"mapping_version"`
	ReceivedAt time.Time `ch:"received_at"`
	Raw        string    `ch:"raw"`
	RawBytes   uint32    `ch:"raw_bytes"` // before Raw was cut
}

// Letters returns the latest dead letter of each field of a carrier and reason,
// five at most.
func (q *Queries) Letters(ctx context.Context, carrier, reason string) ([]Letter, error) {
	const sql = "SELECT topic, `partition`, `offset`, `index`, event_index, carrier, reason, field, detail, mapping_version, received_at, raw, raw_bytes" + `
FROM dead_letters FINAL WHERE carrier = @carrier AND reason = @reason
ORDER BY received_at DESC, topic, ` + "`partition`, `offset` DESC, `index`" + ` LIMIT 1 BY field LIMIT 5`
	letters, err := selectAll[Letter](ctx, q, "samples of dead letters", sql, clickhouse.Named("carrier", carrier), clickhouse.Named("reason", reason))
	for i := range letters {
		if err == nil && letters[i].Raw == "" && letters[i].Index > 0 {
			err = q.firstLetter(ctx, &letters[i])
		}
	}
	return letters, err
}

// firstLetter fills in the record, which stands in its first letter only.
func (q *Queries) firstLetter(ctx context.Context, l *Letter) error {
	const sql = "SELECT raw, raw_bytes FROM dead_letters FINAL WHERE topic = @topic AND `partition` = @partition AND `offset` = @offset AND `index` = 0 LIMIT 1"
	rows, err := selectAll[Letter](ctx, q, "record of a dead letter", sql,
		clickhouse.Named("topic", l.Topic), clickhouse.Named("partition", l.Partition), clickhouse.Named("offset", l.Offset))
	if len(rows) > 0 {
		l.Raw, l.RawBytes = rows[0].Raw, rows[0].RawBytes
	}
	return err
}
