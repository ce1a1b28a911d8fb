package sink

import (
	"fmt"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// TestRemedyOfAFullDisk: ClickHouse refuses to begin what will not fit (243), and
// else passes on what the system says.
func TestRemedyOfAFullDisk(t *testing.T) {
	for _, e := range []clickhouse.Exception{
		{Code: 243, Message: "Cannot reserve 1.00 MiB, not enough space"},
		{Code: 75, Message: "Cannot write to file /data/store/x.bin, errno: 28, strerror: No space left on device"},
		{Code: 1001, Message: "std::filesystem: error: No space left on device"},
	} {
		if remedy, transient := Remedy(fmt.Errorf("insert: %w", &e)); remedy != diskFull || !transient {
			t.Errorf("%d: %q, %v", e.Code, remedy, transient)
		}
	}
}
