package chdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ErrNotBuilt is returned by Open in a binary without the engine: one built with
// the tag nochdb, or for a system that libchdb does not exist for.
var ErrNotBuilt = errors.New("chdb: this binary was built without the embedded ClickHouse (build tag nochdb, or an unsupported system); use a ClickHouse server, or build it without that tag")

// ErrClosed is returned by queries on an engine that is closed or closing.
var ErrClosed = errors.New("chdb: the engine is closed")

// EngineOptions tune Open. The zero value is a good default.
type EngineOptions struct {
	// Handles is the number of queries that run at once; further ones queue.
	// 0 means 8.
	Handles int
	// QueueTimeout is how long a query waits for a handle before it fails with
	// TOO_MANY_SIMULTANEOUS_QUERIES. 0 means 60 s.
	QueueTimeout time.Duration
	// MaxMemory bounds the engine's memory in bytes; a query that would pass it
	// fails with MEMORY_LIMIT_EXCEEDED. 0 means the engine's own default, 90 % of
	// the machine's memory.
	MaxMemory int64
	// AllowSources gives SQL the right to reach outside the data directory:
	// file(), url(), s3(), remote(), Kafka and other external table engines, and
	// dictionaries, which may run commands. Whoever may query then owns the
	// process's user.
	AllowSources bool
	// Config is appended to the engine's configuration: XML elements such as
	// remote_servers.
	Config string
	// Users replaces the engine's file of users: a whole XML document. Every
	// query runs as its user default, without a password.
	Users string
	// Log receives what the engine has to say about itself; nil discards it.
	Log *slog.Logger
}

func (o EngineOptions) withDefaults() EngineOptions {
	if o.Handles <= 0 {
		o.Handles = 8
	}
	if o.QueueTimeout <= 0 {
		o.QueueTimeout = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Query is one statement and everything that it depends on: nothing of an
// earlier query applies to it.
type Query struct {
	SQL string
	// Format is the output format of a query without a FORMAT clause, and the
	// format of the data for Insert. "" means TabSeparated.
	Format string
	// Database is the current database; "" means "default".
	Database string
	// Settings are ClickHouse settings for this query alone.
	Settings map[string]string
	// Params are the values of {name:Type} in the SQL, escaped as in
	// TabSeparated, as over HTTP.
	Params map[string]string
	// Buffered asks that nothing be written before the query has succeeded.
	Buffered bool
}

// Stats counts what one query did, in rows and bytes of the engine.
type Stats struct {
	ReadRows, ReadBytes       uint64
	WrittenRows, WrittenBytes uint64
}

// Exception is an error of ClickHouse. Code is ClickHouse's number for it (60 is
// UNKNOWN_TABLE, 62 SYNTAX_ERROR, 252 TOO_MANY_PARTS); Message is the text
// after the code, which ends in the code's name in parentheses.
type Exception struct {
	Code    int
	Message string
}

// Error returns the text as ClickHouse prints it.
func (e *Exception) Error() string {
	return fmt.Sprintf("Code: %d. DB::Exception: %s", e.Code, e.Message)
}

// Codes of ClickHouse that this package raises or looks at.
const (
	codeBadArguments     = 36
	codeNotImplemented   = 48
	codeReadonly         = 164
	codeTooManyQueries   = 202
	codeAuthFailed       = 516
	codeTooManyBytes     = 307
	codeQueryCancelled   = 394
	codeStdException     = 1001
	codeCannotDecompress = 271
	codeAborted          = 236
	codeSyntaxError      = 62
)

var exceptionText = regexp.MustCompile(`^(?:Error: )?Code: (\d+)\. (?:DB::[A-Za-z]*Exception: )?`)

// parseException turns the engine's error text into an Exception. The engine
// wraps a rethrown exception in a second prefix, and appends stack traces.
func parseException(text string) *Exception {
	if i := strings.Index(text, "Stack trace"); i > 0 {
		text = text[:i]
	}
	text = strings.TrimRight(text, "\n ,.:")
	e := &Exception{Code: codeStdException}
	for {
		m := exceptionText.FindStringSubmatch(text)
		if m == nil {
			break
		}
		if code, err := strconv.Atoi(m[1]); err == nil && code > 0 {
			e.Code = code
		}
		text = text[len(m[0]):]
	}
	e.Message = text
	return e
}

// contextError is what a query returns whose context ended.
func contextError(ctx context.Context) error {
	return fmt.Errorf("chdb: query cancelled: %w", context.Cause(ctx))
}

// formatOr is ClickHouse's default for a format that was not named.
func formatOr(format string) string {
	if format == "" {
		return "TabSeparated"
	}
	return format
}
