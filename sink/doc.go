// Package sink keeps ClickHouse a faithful view of the log. It creates the
// schema (Migrate), writes the rows of the detector (Rows) and consumes
// parcel.events, parcel.alerts and scans.dead-letter into tables (Sink).
//
// A batch is written before its offsets are committed, and every row has a key
// that names one fact. So a crash, a rebalance or an insert whose answer was
// lost writes the same rows again, and ReplacingMergeTree makes that harmless.
// One insert is one block of one table into one partition: ClickHouse makes no
// promise about anything larger.
package sink
