package sink

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"scantrail/schemas"
)

// archiveRows returns n rows of different entities, with any bytes as state.
func archiveRows(n int) []schemas.ArchiveRow {
	rows := make([]schemas.ArchiveRow, n)
	for i := range rows {
		number := fmt.Sprintf("LX%09dCN", i)
		rows[i] = schemas.ArchiveRow{
			EntityID: schemas.ParcelID(number), Version: schemas.Version(1, int64(i), 0), Kind: schemas.ArchiveParcel, Name: number, OpenedAt: receivedAt - int64(i)*1000,
			State: []byte{byte(i), 0, '\n', 0xff, '\''}, EvictedAt: receivedAt + int64(i),
		}
	}
	return rows
}

func TestArchive(t *testing.T) {
	conn := migrated(t)
	w, rows := NewRows(conn), archiveRows(20_000)
	for range 2 { // again, as after a lost answer
		if err := w.InsertArchive(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
	}
	// One was evicted again, an older row comes late, and one has another life.
	newer, older := rows[5], rows[6]
	newer.Version, newer.State = schemas.Version(1, 5e6, 0), bytes.Repeat([]byte("s"), schemas.MaxState)
	older.Version, older.State = 0, nil
	order := schemas.ArchiveRow{EntityID: schemas.ParcelID("order:shop:SO-1"), Version: 1, Kind: schemas.ArchiveOrder, Name: "order:shop:SO-1", OpenedAt: 1000, EvictedAt: receivedAt}
	life := rows[7]
	life.OpenedAt, life.State = receivedAt, []byte("another life")
	if err := w.InsertArchive(t.Context(), []schemas.ArchiveRow{life, newer, older, order}); err != nil {
		t.Fatal(err)
	}
	rows[5] = newer
	want := append(rows[:2*maxArchiveIDs+1:2*maxArchiveIDs+1], order)
	ids := []schemas.ID{schemas.ParcelID("never heard of")}
	for i := range want {
		ids = append(ids, want[i].EntityID)
	}
	want = append(want, life)
	start := time.Now()
	got, err := w.Archived(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of 20,001 entities read back in %s", len(got), time.Since(start))
	byID := func(a, b schemas.ArchiveRow) int { return bytes.Compare(a.EntityID[:], b.EntityID[:]) }
	slices.SortStableFunc(got, byID) // the lives of one stay in their order
	slices.SortStableFunc(want, byID)
	if len(got) != len(want) {
		t.Fatalf("%d rows came back, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i].State, want[i].State) {
			t.Fatalf("state of %s came back as %.20x, want %.20x", want[i].Name, got[i].State, want[i].State)
		}
		got[i].State, want[i].State = nil, nil
		if g, w := fmt.Sprintf("%+v", got[i]), fmt.Sprintf("%+v", want[i]); g != w {
			t.Fatalf("row came back as\n%s, want\n%s", g, w)
		}
	}
	if got, err := w.Archived(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("no ids: %d rows, error %v", len(got), err)
	}
}

// What cannot come back is not written, and what is too much is said to be.
func TestArchiveLimits(t *testing.T) {
	conn := migrated(t)
	w, rows := NewRows(conn), archiveRows(3)
	rows[2].State = make([]byte, schemas.MaxState+1)
	if err := w.InsertArchive(t.Context(), rows); err == nil || !strings.Contains(err.Error(), rows[2].Name) {
		t.Errorf("too large a state: error %v, want one that names %s", err, rows[2].Name)
	}
	if n := one[uint64](t, conn, "SELECT count() FROM archive"); n != 0 {
		t.Errorf("%d rows were written, want none", n)
	}
	if err := w.InsertArchive(t.Context(), rows[:2]); err != nil {
		t.Fatal(err)
	}
	room := 2*len(rows[0].State) - 1
	ids := []schemas.ID{rows[0].EntityID, rows[1].EntityID}
	if _, err := w.archived(t.Context(), nil, ids, &room); err == nil || !strings.Contains(err.Error(), "fewer entities") {
		t.Errorf("too large an answer: error %v", err)
	}
}
