package schemas

import "embed"

// ClickHouseSQL holds the numbered migrations of ClickHouse. They are
// text/templates; package sink renders and applies them.
//
//go:embed clickhouse/*.sql
var ClickHouseSQL embed.FS
