package sink

import (
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/schemas"
	"scantrail/sink/chdb/chdbtest"
)

// ms returns the Unix milliseconds of a time in October 2026, or 0 for "".
func ms(t testing.TB, s string) int64 {
	t.Helper()
	if s == "" {
		return 0
	}
	v, err := time.Parse("2006-01-02 15:04", "2026-"+s)
	if err != nil {
		t.Fatal(err)
	}
	return v.UnixMilli()
}

// parcelRows returns n different parcels at the given offset of the log.
func parcelRows(n int, offset int64) []schemas.ParcelRow {
	rows := make([]schemas.ParcelRow, n)
	opened := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	carriers := []string{"yunexpress", "usps"}
	for i := range rows {
		number := fmt.Sprintf("LX%09dCN", i)
		rows[i] = schemas.ParcelRow{
			ParcelID: schemas.ParcelID(number), OpenedAt: opened + int64(i)*1000, Version: schemas.Version(1, offset+int64(i), 0),
			TrackingNumber: number, Carriers: carriers, ShopID: fmt.Sprintf("shop-%d", i%100), OrderID: fmt.Sprintf("SO-%d", i),
			Market: "US", Origin: "CN", Destination: "US", LabelSource: "platform",
			Stage: schemas.OutForDelivery, LastMilestone: schemas.OutForDelivery, LastCarrier: "usps", LastFacility: "LAX",
			LastCountry: "US", LastProgressAt: opened + 9e8, OrderedAt: opened, ConfirmedAt: opened + 36e5,
			PromiseAt: opened + 7*864e5, AcceptedAt: opened + 72e5, ExportClearedAt: opened + 864e5,
			ArrivedAt: opened + 4e8, OutForDeliveryAt: opened + 9e8, Facts: 12, ProgressFacts: 11,
			Life: 2, Product: "economy", FirstPhysicalAt: opened + 72e5, MarkedDeliveredAt: opened + 4992e5,
			Required: 7, Due: 7, Observed: 7, Policy: "default", UpdatedAt: opened + 9e8,
		}
	}
	return rows
}

func TestInsertParcels(t *testing.T) {
	ctx, conn := t.Context(), migrated(t)
	w := NewRows(conn)
	rows := parcelRows(100_000, 1000)
	start := time.Now()
	if err := w.InsertParcels(ctx, rows); err != nil {
		t.Fatal(err)
	}
	t.Logf("100,000 parcels in %s", time.Since(start))
	// Again, as after a lost answer; and one parcel anew, one deleted.
	if err := w.InsertParcels(ctx, rows); err != nil {
		t.Fatal(err)
	}
	newer, gone := rows[5], rows[6]
	newer.Version, newer.Stage = schemas.Version(1, 5e6, 0), schemas.Delivered
	gone.Version, gone.Deleted = schemas.Version(1, 5e6, 1), true
	older := rows[5]
	older.Version, older.Stage = schemas.Version(1, 10, 0), schemas.Accepted
	if err := w.InsertParcels(ctx, []schemas.ParcelRow{newer, gone, older}); err != nil {
		t.Fatal(err)
	}
	if n := one[uint64](t, conn, "SELECT count() FROM parcels FINAL"); n != 99_999 {
		t.Errorf("%d parcels, want 99999: 100000 without the deleted one", n)
	}
	if s := one[string](t, conn, "SELECT stage FROM parcels FINAL WHERE tracking_number = 'LX000000005CN'"); s != "delivered" {
		t.Errorf("stage %q, want that of the highest version, delivered", s)
	}
	got := one[string](t, conn, `SELECT toString(tuple(parcel_id, opened_at, life, carriers, product, stage_no, first_physical_at, marked_delivered_at, ended_at, promise_at, silent_secs, deleted))
		FROM parcels FINAL WHERE tracking_number = 'LX000000007CN'`)
	want := "('" + rows[7].ParcelID.String() + "','2026-10-01 00:00:07.000',2,['yunexpress','usps'],'economy',90,'2026-10-01 02:00:00.000','2026-10-06 18:40:00.000',NULL,'2026-10-08 00:00:00.000',0,0)"
	if got != want {
		t.Errorf("row is\n%s, want\n%s", got, want)
	}
}

func TestInsertOrders(t *testing.T) {
	ctx, conn := t.Context(), migrated(t)
	w := NewRows(conn)
	row := schemas.OrderRow{OrderID: "SO-1", ShopID: "shop-1", Market: "GB", Version: 7, Facts: 1,
		CreatedAt: ms(t, "10-01 08:00"), UpdatedAt: ms(t, "10-01 08:00")}
	newer := row
	newer.Version, newer.TrackingNumbers, newer.LabelAt, newer.Facts = 9, []string{"LX000000175CN"}, ms(t, "10-02 08:00"), 2
	for _, r := range []schemas.OrderRow{newer, row} {
		if err := w.InsertOrders(ctx, []schemas.OrderRow{r}); err != nil {
			t.Fatal(err)
		}
	}
	got := one[string](t, conn, "SELECT toString(groupArray(tuple(shop_id, order_id, tracking_numbers, created_at, label_at, facts))) FROM orders FINAL")
	want := "[('shop-1','SO-1',['LX000000175CN'],'2026-10-01 08:00:00.000','2026-10-02 08:00:00.000',2)]"
	if got != want {
		t.Errorf("orders are\n%s, want\n%s", got, want)
	}
}

// All ways to ClickHouse write the same.
func TestInsertWays(t *testing.T) {
	direct := migrated(t)
	database, addr := one[string](t, direct, "SELECT currentDatabase()"), chdbtest.Start(t)
	lz4, err := Open(Options{URLs: []string{"http://" + addr}, Database: database, Compression: "lz4"})
	if err != nil {
		t.Fatal(err)
	}
	defer lz4.Close()
	rows := parcelRows(1000, 0)
	rows[3].Carriers, rows[4].Carriers, rows[4].EndedAt = nil, []string{"", "ü"}, rows[4].OpenedAt
	var want string
	for name, conn := range map[string]driver.Conn{"http": direct, "batch": compressing{direct}, "lz4": lz4} {
		if err := direct.Exec(t.Context(), "TRUNCATE TABLE parcels"); err != nil {
			t.Fatal(err)
		}
		if err := NewRows(conn).InsertParcels(t.Context(), rows); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := one[string](t, direct, "SELECT hex(SHA256(toString(groupArray(tuple(*))))) FROM (SELECT * FROM parcels ORDER BY tracking_number)")
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%s writes other rows", name)
		}
	}
}

func BenchmarkInsertParcels(b *testing.B) {
	for _, batches := range []bool{false, true} {
		b.Run(map[bool]string{false: "encoded", true: "batch"}[batches], func(b *testing.B) {
			conn := migrated(b)
			if batches {
				conn = compressing{conn}
			}
			w, rows := NewRows(conn), parcelRows(100_000, 0)
			b.ReportAllocs()
			cpu := cpuTime(b)
			for b.Loop() {
				if err := w.InsertParcels(b.Context(), rows); err != nil {
					b.Fatal(err)
				}
			}
			n := float64(b.N) * float64(len(rows))
			b.ReportMetric(n/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(cpuTime(b)-cpu)/n, "cpu-ns/row")
		})
	}
}

func TestQuarantinedParcelStandsInDataGaps(t *testing.T) {
	conn := migrated(t)
	rows := []schemas.ParcelRow{
		{ParcelID: schemas.ParcelID("TEST000001"), TrackingNumber: "TEST000001", OpenedAt: 1_790_000_000_000, Version: 1, Facts: schemas.MaxFacts, UpdatedAt: 1_790_000_000_000},
		{ParcelID: schemas.ParcelID("TEST000000"), TrackingNumber: "TEST000000", OpenedAt: 1_790_000_000_000, Version: 1, Facts: schemas.MaxFacts + 1, UpdatedAt: 1_790_000_000_000},
	}
	w := NewRows(conn)
	for range 2 { // a retry adds nothing
		if err := w.InsertParcels(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
	}
	var entities []string
	if err := conn.QueryRow(t.Context(), "SELECT groupArray(entity) FROM data_gaps FINAL WHERE kind = 'quarantine'").Scan(&entities); err != nil {
		t.Fatal(err)
	}
	if len(entities) != 1 || entities[0] != "TEST000000" {
		t.Errorf("data_gaps names %v, want TEST000000 alone", entities)
	}
}
