// Package chdb runs the real ClickHouse engine inside the process and puts
// ClickHouse's HTTP interface in front of it, so that production code, tests
// and analysts' tools all reach it the same way, through clickhouse-go or curl.
//
// The engine is libchdb, one shared library loaded at run time without cgo:
//
//   - Locate finds it, or fetches it once through npm.
//   - Open starts it on one data directory; an Engine holds a fixed number of
//     handles, each of which serves one query at a time.
//   - NewGateway answers HTTP; Start does all of it and listens.
//
// The build tag nochdb leaves the engine out: Open then reports ErrNotBuilt and
// the binary has no dynamic dependency.
//
// # What the gateway promises
//
// Queries, parameters ({name:Type} with param_name), settings as URL
// parameters, INSERT in any format from the request's body, LZ4, ZSTD, gzip,
// deflate and brotli bodies, exceptions with ClickHouse's own codes. Settings
// and the current database belong to one request: none leaks into the next.
// Formats whose chunks can simply be joined (Native, CSV, TabSeparated,
// JSONEachRow, RowBinary) are streamed; others (JSON, Parquet, Pretty) are built
// in the engine's memory first, since the library closes the document at every
// chunk.
//
// What differs from a server: session_id is accepted and has no effect (no
// temporary tables or SET across requests), query_id is echoed but unknown to
// system.processes, external tables and SELECT FROM input() are refused.
//
// # Security
//
// The engine's only user has no SOURCES privilege unless Options.AllowSources is
// set: file(), url(), s3(), remote(), the table engines behind them, tables named
// like a file, dictionaries and SYSTEM SHUTDOWN are refused by the engine
// itself, and INTO OUTFILE and FROM INFILE by the gateway. GET may only read. Without a password Start
// listens on loopback only and refuses requests that a foreign web page made.
// What remains open: whoever may query may read and write every table, and a
// query may use all memory the engine was given.
package chdb
