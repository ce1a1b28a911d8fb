// Package oracle computes on its own what the detector must find: from raw facts,
// the figures of the policies and a clock, in SQL on the real ClickHouse engine
// (rules.sql: the alerts that are open, escalated or resolved, whatever the order
// in which the facts came) and in Go as it was known at each tick: known.go (every
// transition, at risk and withdrawn too, and every status), about.go (what a
// transition says: stage, carrier, cause), homes.go (numbers that unite), feeds.go
// (silent carriers) and feedlags.go (late ones, and keys that end). It is written
// from the definitions in detector/README.md and shares no helper, table or constant
// with package detector.
//
// Only unions (which numbers name one parcel) are computed once, in Go, for both.
package oracle
