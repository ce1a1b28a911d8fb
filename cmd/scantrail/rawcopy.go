package main

import (
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/sink"
)

// rawRole copies raw records into ClickHouse. It is off by default, since they
// hold personal data, and no part of roleNames.
const rawRole = "raw"

// rawFlushInterval is longer than that of the sink: nobody waits for a copy, and
// few large parts cost ClickHouse less than many small ones.
const rawFlushInterval = 5 * time.Second

// rawOptions is what the role raw has for itself.
type rawOptions struct {
	ClickHouse sink.Options // with a user of its own
	Days       int          // 0: the role is off
	ValueBytes int
	FlushEvery time.Duration
}

// rawCopy is the running role and its connections.
type rawCopy struct {
	*sink.RawCopy
	conn driver.Conn
}

// newRawCopy returns nil without the role.
func (p *pipeline) newRawCopy() (*rawCopy, error) {
	if !p.runs(rawRole) {
		return nil, nil
	}
	conn, err := sink.Open(p.o.Raw.ClickHouse)
	if err != nil {
		return nil, err
	}
	c, err := sink.NewRawCopy(sink.Config{
		Kafka: p.o.Kafka, ClickHouse: conn, FlushRows: p.o.FlushRows, FlushInterval: p.o.Raw.FlushEvery,
		Log: p.o.Log.With("role", rawRole), Metrics: p.registry,
	}, sink.RawOptions{Days: p.o.Raw.Days, ValueBytes: p.o.Raw.ValueBytes, Now: p.o.Now})
	return &rawCopy{c, conn}, err
}

func (c *rawCopy) close() {
	if c != nil {
		c.conn.Close() //nolint:errcheck // nothing is under way
	}
}
