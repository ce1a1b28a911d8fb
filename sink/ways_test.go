package sink

import (
	"maps"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// The own encoding of a block and the driver's batches write the same rows
// into every table that the log fills.
func TestLogIsWrittenTheSameWays(t *testing.T) {
	metrics, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	var values []*kgo.Record
	for i, v := range encode(append(records(), event(0), event(1), tick(receivedAt),
		schemas.Record{Kind: schemas.KindOrder, Order: label()},
		schemas.Record{Kind: schemas.KindOrder, Order: schemas.OrderFact{OrderID: "SO-2", Kind: schemas.OrderCreated}},
		schemas.Record{Kind: schemas.KindFeed, Feed: schemas.Feed{First: -1, Events: -1}},
		schemas.Record{Kind: schemas.KindFeed, Feed: schemas.Feed{First: 1<<63 - 1, Last: 1<<63 - 1}},
		schemas.Record{Kind: schemas.KindControl, Control: schemas.Control{Number: 1, Policy: "name: x", Generation: 1}})...) {
		values = append(values, &kgo.Record{Offset: int64(i), Value: v})
	}
	tables := []string{"scans", "scan_texts", "voids", "order_facts", "policies", "feed_minutes", "blocks", "archive"}
	written := func(wrap func(driver.Conn) driver.Conn) map[string]string {
		conn := migrated(t)
		p, m := newPending(metrics), newMembership("g", false, nil)
		m.ledgers[0] = &ledger{}
		if err := p.addEvents(0, values, m); err != nil {
			t.Fatal(err)
		}
		p.seal()
		if err := p.write(t.Context(), wrap(conn)); err != nil {
			t.Fatal(err)
		}
		if err := NewRows(wrap(conn)).InsertArchive(t.Context(), archiveRows(3)); err != nil {
			t.Fatal(err)
		}
		rows := map[string]string{}
		for _, table := range tables {
			rows[table] = one[string](t, conn, "SELECT toString(arraySort(groupArray(toString(tuple(*))))) FROM "+table)
		}
		return rows
	}
	encoded := written(func(c driver.Conn) driver.Conn { return c })
	batch := written(func(c driver.Conn) driver.Conn { return compressing{c} })
	for _, table := range tables {
		if encoded[table] == "[]" {
			t.Errorf("%s is empty: the test tests nothing", table)
		}
	}
	if !maps.Equal(encoded, batch) {
		t.Errorf("the driver's batches write\n%v, the own encoding\n%v", batch, encoded)
	}
}
