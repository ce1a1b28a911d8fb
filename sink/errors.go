package sink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// remedies name what to do about errors of ClickHouse that no retry heals by
// itself. Numbers are the server's error codes.
var remedies = map[int32]string{
	16:  "a column is missing: run scantrail migrate with this version",
	20:  "the columns do not fit: run scantrail migrate with this version",
	47:  "a column is missing: run scantrail migrate with this version",
	53:  "a column has another type: run scantrail migrate with this version",
	60:  "a table is missing: run scantrail migrate",
	81:  "the database is missing: run scantrail migrate",
	115: "the server does not know a setting: it is older than Scantrail needs",
	164: "the user may only read: grant INSERT",
	192: "the user is unknown: check user and password",
	193: "the password is wrong: check user and password",
	194: "a password is required: check user and password",
	195: "the server's address is not allowed for this user",
	242: "the table is read-only: check the replica's connection to Keeper",
	243: diskFull,
	252: "too many parts: merges do not keep up; give ClickHouse more CPU or disk",
	291: "access to the database is denied: grant INSERT and SELECT",
	497: "the user lacks the grant that the server names: give it, on that table alone",
	516: "authentication failed: check user and password",
}

const diskFull = "the disk of ClickHouse is full: make room"

// Remedy says what to do about an error of ClickHouse, and whether it heals by
// itself: a server that is away or overloaded comes back, a missing table or a
// wrong password needs somebody.
func Remedy(err error) (remedy string, transient bool) {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		if strings.Contains(exception.Message, "No space left on device") { // several codes
			return diskFull, true
		}
		if r, ok := remedies[exception.Code]; ok {
			return r, exception.Code == 242 || exception.Code == 243 || exception.Code == 252
		}
		return "see the server's log", true
	}
	var netErr net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "ClickHouse does not listen there: start it, or check its URL", true
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return "ClickHouse does not answer in time: check its load and the network", true
	}
	return "check that ClickHouse is up and reachable", true
}

// explain adds to an error of ClickHouse what was being done and the remedy.
func explain(doing string, err error) error {
	remedy, _ := Remedy(err)
	return fmt.Errorf("clickhouse: %s: %w (%s)", doing, err, remedy)
}

// disks tells which of ClickHouse's disks have how much room, where this login may
// see that.
func disks(ctx context.Context, conn driver.Conn) (text string) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	const query = `SELECT arrayStringConcat(groupArray(concat(' (', path, ' on ', hostName(), ' has ', formatReadableSize(unreserved_space), ' of ',
		formatReadableSize(total_space), ')')), '') FROM system.disks WHERE total_space < 1000000000000000000` // object storage has no end
	if err := conn.QueryRow(ctx, query).Scan(&text); err != nil {
		return ""
	}
	return text
}
