package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// nordpak is a mapping of a carrier that the generic reader cannot read.
const nordpak = `carrier: nordpak
version: 1
title: Nordpak
source: invented
zone: [Europe/Stockholm]
layouts:
  - name: scans
    format: json
    when: np
    parcels: np
    number: no
    events: ev
    event: {code: c, time: [{value: t, layout: iso}]}
codes: {A: accepted, D: delivered}
`

// TestReplayDeadLetters: records that no mapping read are sent again once one does;
// a second time changes nothing, and the ledger adds up.
func TestReplayDeadLetters(t *testing.T) {
	r := newRig(t)
	r.topic("nordpak")
	run := func(work func()) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.pipeline.Run(ctx) }()
		work()
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	record := func(i int, code string) []byte {
		return fmt.Appendf(nil, `{"np":{"no":"NP%010dSE","ev":[{"c":"%s","t":"2026-09-20T10:00:00"},{"c":"A","t":"2026-09-19T10:00:00"}]}}`, i, code)
	}
	run(func() {
		for i := range 5 {
			r.send("nordpak", record(i, "D"))
		}
		r.send("nordpak", record(4, "D")) // the same bytes
		r.send("nordpak", []byte(`{"np":`))
		r.settle()
	})
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "nordpak.yaml"), nordpak)
	replay := func(args ...string) string {
		out, code := r.command(append([]string{"replay", "dead-letters", "--carriers", dir}, args...)...)
		if code != 0 {
			t.Fatalf("exit %d", code)
		}
		return out
	}
	row := func(out, reason string) string {
		for line := range strings.Lines(out) {
			if f := strings.Fields(line); len(f) > 7 && f[1] == reason {
				return strings.Join(f[2:8], " ")
			}
		}
		return out
	}
	if out := replay("--since", "1h", "--carrier", "other"); !strings.Contains(out, "no such dead letters") {
		t.Errorf("another carrier:\n%s", out)
	}
	out := replay()
	if got := row(out, "unreadable_layout"); got != "6 5 10 1 0 0" {
		t.Errorf("unreadable_layout: records, readable, events, repeated, cut, refused: %s", got)
	}
	if got := row(out, "bad_syntax"); got != "1 0 0 0 0 1" || !strings.Contains(out, "nothing was sent") {
		t.Errorf("bad_syntax: records, readable, events, repeated, cut, refused: %s", got)
	}
	if out := replay("--reason", "unreadable_layout", "--send"); !strings.Contains(out, "5 records sent") {
		t.Errorf("sent:\n%s", out)
	}
	var err error
	if r.pipeline.o.Carriers, err = carriers.Load(schemas.Carriers, dir); err != nil {
		t.Fatal(err)
	}
	console := r.console() // twice is harmless
	if page := console.do("GET", "/dead-letters?carrier=nordpak&reason=unreadable_layout"); !strings.Contains(page, "Readable now: 2.") || !strings.Contains(page, "NP000000000") {
		t.Errorf("what the mended mapping makes of a sample:\n%s", page)
	}
	if page := console.replay("nordpak", "unreadable_layout"); !strings.Contains(page, "Sent again: 5 records.") {
		t.Errorf("sent by the console:\n%s", page)
	}
	run(func() {
		r.settle()
		r.settle()
		page := console.audit()
		for _, want := range []string{"Everything that was checked holds", "17 raw records", "not asked", "To read after a crash", "Stable"} {
			if !strings.Contains(page, want) {
				t.Errorf("no %q on the page System:\n%s", want, page)
			}
		}
	})
	if n := one[uint64](r, "SELECT countIf(facts = 2 AND stage = 'delivered') FROM parcels FINAL"); n != 5 {
		t.Errorf("%d parcels delivered with two facts, want 5", n)
	}
	if n := one[uint64](r, "SELECT uniqExact(fact_id) FROM scans FINAL WHERE backfill"); n != 10 {
		t.Errorf("%d facts flagged as history, want 10", n)
	}
	if records, dead := one[int64](r, "SELECT sum(records) FROM ranges FINAL"), one[int64](r, "SELECT sum(dead_letters) FROM ranges FINAL"); records != 7+10 || dead != 7 {
		t.Errorf("the ledger says %d records, %d dead letters, want 17 and 7", records, dead)
	}
	if n := one[uint64](r, "SELECT count() FROM audit_ranges"); n != 0 {
		t.Errorf("%d problems in the ledger of ingest", n)
	}
}
