package main

import (
	"testing"
	"time"

	"scantrail/bench/kafka/kafkatest"
)

// TestTenKills is a short run of the command.
func TestTenKills(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for a minute")
	}
	r, err := run(t.Context(), options{Kills: 10, Seed: 1, Processes: 2, Brokers: 1, Parcels: 2000, Every: 1500 * time.Millisecond, Pause: 3 * time.Second, Dir: t.TempDir(), Out: t.Output()})
	kafkatest.Check(t, err)
	r.print(t.Output())
	if r.Kills < 10 || r.Alerts < 100 || r.Audited < 1000 || r.Probes.deadlines < 20 || r.Promised < 50 {
		t.Errorf("%+v: too little to prove anything", r)
	}
}
