package notify

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/schemas"
	"scantrail/sink"
	"scantrail/sink/chdb/chdbtest"
)

// tables returns a ClickHouse with the schema.
func tables(t *testing.T) driver.Conn {
	t.Helper()
	addr, name := chdbtest.Database(t)
	conn, err := sink.Open(sink.Options{URLs: []string{"http://" + addr}, Database: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() }) //nolint:errcheck // of a test
	if _, err := sink.Migrate(t.Context(), conn, sink.MigrateOptions{Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	return conn
}

// asked returns the one text that a query answers.
func asked(t *testing.T, conn driver.Conn, query string) (text string) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), query).Scan(&text); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return text
}

// TestDeliveryStateSurvivesRestarts: what became of each message, and how the
// receiver is doing, is in ClickHouse; what is snoozed there waits.
func TestDeliveryStateSurvivesRestarts(t *testing.T) {
	conn := tables(t)
	k, r := startKafka(t, 1), startReceiver(t)
	r.answer(func(id string) int {
		if strings.HasPrefix(id, "2:") {
			return http.StatusGone
		}
		return http.StatusOK
	})
	c := k.config(r)
	c.Recorder, c.Snoozer = NewRecorder(conn, time.Now), NewSnoozer(conn, time.Now)
	stop := start(t, c)
	k.committed("a", 0, 0)
	k.put(0, alert(1, 1, open), alert(2, 1, open), alert(1, 2, escalated))
	k.committed("a", 0, 3)
	stop() // writes what waits
	const deliveries = "SELECT toString(groupArray((outcome, message_id = toString(alert_id) || ':' || toString(alert_version), reason != ''))) FROM (SELECT * FROM alert_deliveries FINAL ORDER BY alert_id, alert_version)"
	if got := asked(t, conn, deliveries); got != "[('delivered',1,0),('delivered',1,0),('rejected',1,1)]" {
		t.Errorf("deliveries %s", got)
	}
	if err := conn.Exec(t.Context(), `INSERT INTO alert_handling (alert_id, action_id, rank, at, action, level, by, until)
		SELECT ?, generateUUIDv4(), 1, now64(3), 'snoozed', 1, 'ops', now64(3) + toIntervalHour(1)`, alert(4, 1, open).AlertID.String()); err != nil {
		t.Fatal(err)
	}
	c = k.config(r)
	c.Recorder, c.Snoozer = NewRecorder(conn, time.Now), NewSnoozer(conn, time.Now)
	put, err := c.Snoozer.Snoozed(t.Context())
	if err != nil || len(put) != 1 || put[alert(4, 1, open).AlertID].Level != 1 {
		t.Fatalf("snoozed are %v, %v", put, err)
	}
	c.Snoozer = asIs(put) // known before the first alert is read
	stop = start(t, c)
	k.put(0, alert(4, 1, open), alert(5, 1, open))
	r.wait("5:1")
	k.committed("a", 0, 3)
	stop()
	const state = "SELECT toString((receiver, receiver_kind, held_alerts, is_failing, succeeded_at > failed_at, failed_reason LIKE 'status 410%', delivered_week, rejected_week)) FROM receivers_current"
	if got := asked(t, conn, state); got != "('a','webhook',1,false,1,1,3,1)" {
		t.Errorf("state %s", got)
	}
	if got := asked(t, conn, "SELECT toString(groupArray((told_outcome, delivered_messages))) FROM (SELECT * FROM alert_deliveries_current ORDER BY alert_id)"); got != "[('delivered',2),('rejected',0),('delivered',1)]" {
		t.Errorf("told %s", got)
	}
}

type asIs map[schemas.ID]Snooze

func (a asIs) Snoozed(context.Context) (map[schemas.ID]Snooze, error) { return a, nil }

func TestSnoozedAlertsWait(t *testing.T) {
	b := newBench(t, nil)
	put := &snoozes{of: map[schemas.ID]Snooze{{15: 1}: {Until: b.now.Add(time.Hour), Level: 1}, {15: 2}: {Until: b.now.Add(time.Hour), Level: 1}}}
	b.snoozed = put.snoozed
	b.read(alert(1, 1, open), alert(2, 1, open), alert(3, 1, open))
	b.expect("what is not put aside", b.send(took), "3:1")
	b.read(alert(2, 2, escalated))
	b.expect("what has become worse", b.send(took), "2:2")
	b.expectCommit(0)
	b.pass(59 * time.Minute)
	b.expect("until then", b.send(took))
	b.pass(time.Minute)
	b.expect("then", b.send(took), "1:1")
	b.expectCommit(4)
}

// awayRecorder fails until it is told otherwise.
type awayRecorder struct {
	away bool
	rows int
}

func (a *awayRecorder) Record(_ context.Context, rows []Delivery, _ []State) error {
	if a.away {
		return errors.New("away")
	}
	a.rows += len(rows)
	return nil
}

// TestRecorderAway: rows wait for it, as many as there is room for, and delivery
// never does.
func TestRecorderAway(t *testing.T) {
	to := &awayRecorder{away: true}
	j := newJournal(to, quiet(), time.Now)
	for n := range maxJournal + 10 {
		j.add(Delivery{Version: uint64(n)})
	}
	said := j.flush(t.Context(), true, "")
	if said != "away" || len(j.rows) != maxJournal || j.rows[0].Version != 10 {
		t.Errorf("says %q, keeps %d from %d on", said, len(j.rows), j.rows[0].Version)
	}
	j.add(Delivery{Version: 1})
	to.away = false
	if said := j.flush(t.Context(), true, said); said != "" || to.rows != maxJournal || len(j.rows) != 0 {
		t.Errorf("says %q, wrote %d, keeps %d", said, to.rows, len(j.rows))
	}
}
