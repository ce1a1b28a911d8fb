package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// maxBlockRows bounds one insert. A block of this size costs ClickHouse little
// per row and stays far below the size at which the server would split it.
const maxBlockRows = 100_000

// block collects rows of one table, column by column, in buffers that are
// reused. One insert is one block. It is not safe for concurrent use.
type block struct {
	table string
	query string
	specs []spec
	rows  int
}

func newBlock(table string, specs ...spec) block {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = quoteIdent(s.name)
	}
	return block{table: table, specs: specs, query: "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ")"}
}

// insert writes the rows as one block and keeps them: an insert whose answer
// was lost is repeated with the same rows. buf is scratch space.
//
// Over HTTP the block is encoded here. The driver's batches do the same with
// fresh columns for each insert, which are 3.5 kB of garbage a row; they remain
// for the native protocol and for compression.
func (b *block) insert(ctx context.Context, conn driver.Conn, buf *proto.Buffer) error {
	if b.rows == 0 {
		return nil
	}
	for _, s := range b.specs {
		if s.col.len() != b.rows {
			return fmt.Errorf("clickhouse: insert into %s: column %s has %d values, want %d", b.table, s.name, s.col.len(), b.rows)
		}
	}
	err := clickhouse.ErrFormatNativeUnsupported
	if _, ok := conn.(compressing); !ok {
		b.encode(buf)
		err = conn.InsertFormat(ctx, "Native", b.query, bytes.NewReader(buf.Buf))
	}
	if errors.Is(err, clickhouse.ErrFormatNativeUnsupported) {
		err = b.insertBatch(ctx, conn)
	}
	if err != nil {
		return explain("insert into "+b.table, err)
	}
	return nil
}

// encode puts the block into buf in the Native format.
func (b *block) encode(buf *proto.Buffer) {
	buf.Reset()
	buf.PutUVarInt(uint64(len(b.specs)))
	buf.PutUVarInt(uint64(b.rows))
	for _, s := range b.specs {
		buf.PutString(s.name)
		buf.PutString(s.typ)
		s.col.encode(buf)
	}
}

// insertBatch writes the rows through a batch of the driver: a new one for
// each attempt, sent at once. Its Flush would make several blocks of it.
func (b *block) insertBatch(ctx context.Context, conn driver.Conn) error {
	types := make([]clickhouse.ColumnNameAndType, len(b.specs))
	for i, s := range b.specs {
		types[i] = clickhouse.ColumnNameAndType{Name: s.name, Type: s.typ}
	}
	batch, err := conn.PrepareBatch(clickhouse.Context(ctx, clickhouse.WithColumnNamesAndTypes(types)), b.query)
	if err != nil {
		return err
	}
	defer batch.Close()
	for i, s := range b.specs {
		if err := batch.Column(i).Append(s.col.values()); err != nil {
			return fmt.Errorf("column %s: %w", s.name, err)
		}
	}
	return batch.Send()
}

// reset empties the block and keeps its buffers.
func (b *block) reset() {
	for _, s := range b.specs {
		s.col.reset()
	}
	b.rows = 0
}
