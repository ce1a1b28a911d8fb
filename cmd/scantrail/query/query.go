// Package query asks ClickHouse what the console and the API show. It reads the
// published views and tables by their documented columns alone; each statement is
// a constant, and what users write goes in as a parameter. Every answer is
// bounded: by a LIMIT in its rows, by ExecutionTime on the server.
package query

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ExecutionTime bounds one query. Whoever waits for longer has gone away.
const ExecutionTime = 10 * time.Second

// ErrSlow is in the chain of the error of a query that ExecutionTime cut short.
var ErrSlow = errors.New("the query took too long")

// ErrNoTables is in the chain where Scantrail's tables are not there: it has not
// made them yet, or scantrail migrate was not run.
var ErrNoTables = errors.New("the tables of Scantrail are not there")

// ErrNone says that there is no such thing.
var ErrNone = errors.New("not found")

// ErrWrong says that what somebody asked for cannot be.
var ErrWrong = errors.New("cannot be done")

// Queries asks one database.
type Queries struct{ conn driver.Conn }

// New returns the questions to the database behind conn.
func New(conn driver.Conn) *Queries { return &Queries{conn} }

// selectAll returns all rows of a query as structs, by the tag `ch`. what names
// the question in errors; args are clickhouse.Named and stand as @name in sql.
func selectAll[T any](ctx context.Context, q *Queries, what, sql string, args ...any) ([]T, error) {
	var rows []T
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := q.conn.Select(ctx, &rows, sql, args...); err != nil {
		return nil, wrap(what, err)
	}
	return rows, nil
}

// selectOne returns the first row; ErrNone without any.
func selectOne[T any](ctx context.Context, q *Queries, what, sql string, args ...any) (T, error) {
	rows, err := selectAll[T](ctx, q, what, sql, args...)
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("%s: %w", what, ErrNone)
	}
	if err != nil {
		var none T
		return none, err
	}
	return rows[0], nil
}

// selectEach gives row after row to use, for answers that should not be in memory
// as a whole. It stops with the error of use.
func selectEach[T any](ctx context.Context, q *Queries, what, sql string, use func(*T) error, args ...any) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	rows, err := q.conn.Query(ctx, sql, args...)
	if err != nil {
		return wrap(what, err)
	}
	defer rows.Close() //nolint:errcheck // Err says it
	for rows.Next() {
		var row T
		if err := rows.ScanStruct(&row); err != nil {
			return wrap(what, err)
		}
		if err := use(&row); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return wrap(what, err)
	}
	return nil
}

// bounded has the server give up after ExecutionTime, and the client soon after.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, ExecutionTime+2*time.Second)
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"max_execution_time": int(ExecutionTime / time.Second),
	})), cancel
}

func wrap(what string, err error) error {
	const timeoutExceeded, unknownTable, unknownDatabase = 159, 60, 81
	code := exceptionCode(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), code == timeoutExceeded:
		return fmt.Errorf("%s: %w: %w", what, ErrSlow, err)
	case code == unknownTable, code == unknownDatabase:
		return fmt.Errorf("%s: %w: %w", what, ErrNoTables, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// exceptionCode is ClickHouse's code of an error, 0 where it is none of
// ClickHouse's.
func exceptionCode(err error) int32 {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		return exception.Code
	}
	return 0
}
