package lanes

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"scantrail/schemas"
	"scantrail/sink"
)

// brief says what an incident is, its lane and stage apart.
func brief(as []schemas.Alert) string {
	var lines []string
	for _, a := range as {
		lines = append(lines, fmt.Sprintf("%s-%s %s %s level %d", a.Origin, a.Destination, a.Detail, a.Status, a.Level))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestOpensAtTheThresholds(t *testing.T) {
	w := newWorld(t)
	for _, lane := range []struct {
		destination   string
		stalled, rest int
	}{
		{"US", 21, 49}, // exactly 30 %
		{"DE", 19, 0},
		{"FR", 20, 46}, // 30.3 %
		{"GB", 20, 47}, // 29.9 %
		{"JP", 20, 13}, // 60.6 %
		{"KR", 30, 20}, // exactly 60 %
	} {
		w.stalled(lane.stalled, on("CN", lane.destination, schemas.DepartedOrigin))
		w.add(lane.rest, on("CN", lane.destination, schemas.TransitHubArrived))
	}
	w.stalled(10, on("CN", "SG", schemas.DepartedOrigin)) // 20, but at two stages
	w.stalled(10, on("CN", "SG", schemas.ArrivedDestination))
	w.clock(2)
	w.look(w.watch())
	want := "CN-FR linehaul open level 1\nCN-JP linehaul escalated level 2\nCN-KR linehaul escalated level 2\nCN-US linehaul open level 1"
	if got := brief(w.incidents()); got != want {
		t.Errorf("incidents\n%s\nwant\n%s", got, want)
	}
	got := w.text(`SELECT toString(groupArray((destination, stage, status, open_parcels, stalled_parcels, round(stalled_share, 3), worst_carrier, worst_carrier_parcels, toString(silent_since), hours_open)))
		FROM (SELECT * FROM lane_disruptions WHERE destination = 'US')`)
	if want := "[('US','linehaul','open',70,21,0.3,'cainiao',21,'2026-10-18 11:00:00.000',0)]"; got != want {
		t.Errorf("lane_disruptions is %s, want %s", got, want)
	}
}

// What one alert says, to the last field.
func TestIncident(t *testing.T) {
	w := newWorld(t)
	p := on("CN", "US", schemas.ExportCleared)
	w.stalled(8, p)
	p.LastCarrier = "yunexpress"
	w.stalled(12, p)
	w.add(20, p)
	w.clock(7)
	w.look(w.watch())
	got := w.incidents()
	if len(got) != 1 {
		t.Fatalf("%d incidents, want 1", len(got))
	}
	slot := at(5)
	want := schemas.Alert{
		AlertID: schemas.Hash(fmt.Appendf(nil, "lane_disruption:export\nCN-US\n%d", slot/1000)), Home: schemas.Hash([]byte("lane:CN-US")),
		Version: got[0].Version, Rule: "lane_disruption", Detail: "export", Level: 1, Status: schemas.AlertOpen,
		Carrier: "yunexpress", Market: "US", Origin: "CN", Destination: "US", AnchorAt: slot, OpenedAt: slot, ChangedAt: slot,
		SilentSecs: 49*3600 + 300, Cause: schemas.CauseLaneDisrupted,
	}
	if got[0] != want || want.Version>>20 != 1<<32|uint64(slot)/1000 {
		t.Errorf("alert\n%+v\nwant\n%+v", got[0], want)
	}
	if schemas.Advice(want.Rule, want.Detail, want.Cause) == "" {
		t.Error("the alert says nothing about what to do")
	}
}

// One incident from its beginning to its end, found by two processes at a time
// before either knows of the other, each of which is new before every look.
func TestIncidentFromBeginningToEnd(t *testing.T) {
	w := newWorld(t)
	stalled := w.stalled(30, on("CN", "US", schemas.ImportCustomsHeld))
	rest := w.add(70, on("CN", "US", schemas.ImportCustomsStarted))
	deliver := func(n int, minutes int64) {
		for i := range rest[:n] {
			rest[i].EndedAt, rest[i].EndMilestone = at(minutes), schemas.Delivered
		}
		w.write(rest[:n])
		rest = rest[n:]
	}
	seen := map[string]schemas.Alert{}
	look := func(minutes int64, want string) {
		t.Helper()
		w.clock(minutes)
		w.lookTogether(w.watch(), w.watch())
		w.look(w.watch()) // one more at the same clock, which can read what they found
		var news []schemas.Alert
		for _, a := range w.incidents() {
			name := fmt.Sprint(a.AlertID, a.Version)
			if was, known := seen[name]; known && was != a {
				t.Errorf("two processes found\n%+v\nand\n%+v", was, a)
			} else if !known {
				seen[name] = a
				news = append(news, a)
			}
		}
		if got := brief(news); got != want {
			t.Fatalf("at %d minutes: %q, want %q", minutes, got, want)
		}
	}
	look(0, "CN-US import open level 1") // 30 of 100
	look(5, "")
	deliver(40, 6)
	look(10, "") // 30 of 60
	deliver(10, 11)
	look(15, "CN-US import escalated level 2") // 30 of 50
	w.add(40, on("CN", "US", schemas.ImportCleared))
	look(20, "") // 30 of 90: escalated until its end
	w.add(60, on("CN", "US", schemas.ImportCleared))
	look(25, "") // 30 of 150: exactly 20 % goes on
	w.move(stalled[:1], 26)
	look(30, "CN-US import resolved level 2") // 29 of 150
	look(35, "")
	rows := w.text(`SELECT toString(groupArray((bitShiftRight(version, 20), status, toString(anchor_at), toString(opened_at), toString(ended_at), silent_secs)))
		FROM alerts FINAL WHERE rule = 'lane_disruption'`)
	if want := fmt.Sprintf("[(%d,'resolved','2026-10-20 12:00:00.000','2026-10-20 12:00:00.000','2026-10-20 12:30:00.000',%d)]",
		1<<32|uint64(at(30))/1000, 49*3600+1800); rows != want {
		t.Errorf("alerts holds %s, want %s", rows, want)
	}
	if n := w.one("SELECT count() FROM alert_transitions FINAL WHERE rule = 'lane_disruption'"); n != 3 {
		t.Errorf("%d transitions, want 3", n)
	}
	w.stalled(40, on("CN", "US", schemas.ImportCustomsHeld))
	look(40, "CN-US import open level 1") // 69 of 190: another one
	if n := w.one("SELECT count() FROM alerts FINAL WHERE rule = 'lane_disruption'"); n != 2 {
		t.Errorf("%d incidents, want 2", n)
	}
}

// Parcels that say nothing about the lane of today.
func TestWhatDoesNotCount(t *testing.T) {
	w := newWorld(t)
	lane := on("CN", "US", schemas.DepartedOrigin)
	w.stalled(19, lane)
	ended, cancelled, gone := lane, lane, lane
	ended.EndedAt, ended.EndMilestone, cancelled.CancelledAt, gone.Deleted = at(-1*hour), schemas.Delivered, at(-1*hour), true
	for _, p := range []schemas.ParcelRow{ended, cancelled, gone, on("", "US", schemas.DepartedOrigin), on("CN", "", schemas.DepartedOrigin)} {
		w.stalled(5, p)
	}
	none := lane
	none.Stage = schemas.Unmapped // announced only
	w.stalled(5, none)
	for _, a := range []schemas.Alert{
		{Level: 1, Status: schemas.AlertOpen, Backfill: true},
		{Level: 1, Status: schemas.AlertOpen, Held: true},
		{Level: 2, Status: schemas.AlertEscalated, OpenedAt: at(-30 * 24 * hour)},
	} {
		p := lane
		p.LastProgressAt = at(-800 * hour)
		w.gaps(w.add(5, p), a) // counted as neither
	}
	for _, a := range []schemas.Alert{
		{Level: 0, Status: schemas.AlertAtRisk}, {Level: 1, Status: schemas.AlertResolved}, {Level: 1, Status: schemas.AlertWithdrawn},
	} {
		w.gaps(w.add(5, lane), a) // under way
	}
	w.move(w.stalled(5, lane), -30) // under way again
	back := lane
	back.LastMilestone = schemas.ReturnStarted
	w.stalled(5, back) // a stage of its own
	w.clock(0)
	w.look(w.watch())
	if got := w.incidents(); len(got) > 0 {
		t.Errorf("found %s", brief(got))
	}
	got := w.text("SELECT toString(groupArray((origin, destination, stage, open_parcels, stalled_parcels))) FROM (SELECT * FROM lane_stages ORDER BY stage)")
	if want := "[('CN','US','linehaul',39,19),('CN','US','return',5,5)]"; got != want {
		t.Errorf("lane_stages is %s, want %s", got, want)
	}
	w.stalled(1, lane)
	w.clock(5)
	w.look(w.watch())
	if got := brief(w.incidents()); got != "CN-US linehaul open level 1" {
		t.Errorf("with one more: %q", got)
	}
}

// The view groups milestones as policies do.
func TestStagesOfTheView(t *testing.T) {
	w := newWorld(t)
	var want []string
	for _, m := range schemas.Milestones() {
		if m.Forward() && m.Stage() != schemas.StageNone {
			w.add(1, on("CN", "US", m))
			want = append(want, m.Stage().String())
		}
	}
	slices.Sort(want)
	got := w.text("SELECT arrayStringConcat(arrayFlatten(groupArray(arrayWithConstant(open_parcels, toString(stage)))), ' ') FROM (SELECT * FROM lane_stages ORDER BY stage)")
	if got != strings.Join(want, " ") {
		t.Errorf("stages are\n%s\nwant\n%s", got, strings.Join(want, " "))
	}
}

func TestClickHouseAway(t *testing.T) {
	w := newWorld(t)
	w.stalled(20, on("CN", "US", schemas.DepartedOrigin))
	w.clock(0)
	reserved, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := reserved.Addr().String()
	reserved.Close()
	conn, err := sink.Open(sink.Options{URLs: []string{"http://" + addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	log := &lines{}
	p := w.watchOf(conn, slog.New(slog.NewTextHandler(log, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	w.wait("it says so", func() bool { return strings.Contains(log.String(), "cannot look at the lanes") })
	if !strings.Contains(log.String(), "start it, or check its URL") {
		t.Errorf("the log does not say what to do: %s", log)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := w.incidents(); len(got) > 0 {
		t.Errorf("published %s", brief(got))
	}
}

// Run finds by itself what look finds.
func TestRun(t *testing.T) {
	w := newWorld(t)
	p := w.watch()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }() // there is no clock yet
	w.stalled(20, on("CN", "US", schemas.DepartedOrigin))
	w.clock(0)
	w.wait("an incident is there", func() bool { return len(w.incidents()) == 1 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// lines is a log that may be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
