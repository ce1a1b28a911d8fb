package ingest

import (
	"testing"
	"time"

	"scantrail/schemas"
)

func TestLedgerTravelsThroughTheCommitMetadata(t *testing.T) {
	l := &ledger{backfillBelow: 7}
	l.First, l.Records, l.Events, l.DeadLetters, l.Empty = 65536, 10, 20, 3, 1
	at := time.UnixMilli(1_790_000_000_123)
	m, ok := parseMetadata(l.metadata(at))
	if !ok || m.committedAt != at.UnixMilli() || m.ledger != *l {
		t.Errorf("metadata %q reads as %+v, %v", l.metadata(at), m, ok)
	}
	for _, foreign := range []string{"", "v2 t=1", "v1 t=1 b=2", "scantrail-1234"} {
		if _, ok := parseMetadata(foreign); ok {
			t.Errorf("metadata %q of another writer was accepted", foreign)
		}
	}
}

func TestLedgerClosesSpansWithoutAHole(t *testing.T) {
	l := &ledger{}
	var closed []schemas.Range
	for _, offset := range []int64{0, 1, 65534, 65536, 65537, 3 * 65536} {
		if done, ok := l.advance(offset); ok {
			closed = append(closed, done)
		}
		l.count(2, 0)
	}
	closed = append(closed, l.Range)
	want := []struct{ first, last, records, events int64 }{
		{0, 65535, 3, 6},
		{65536, 131071, 2, 4},
		{196608, 196608, 1, 2},
	}
	if len(closed) != len(want) {
		t.Fatalf("%d ranges, want %d: %+v", len(closed), len(want), closed)
	}
	for i, w := range want {
		c := closed[i]
		if c.First != w.first || c.Last != w.last || c.Records != w.records || c.Events != w.events {
			t.Errorf("range %d is %+v, want %+v", i, c, w)
		}
	}
}
