package sink

import (
	"errors"
	"io"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"scantrail/schemas"
	"scantrail/sink/chdb/chdbtest"
)

func TestSinkClickHouseAway(t *testing.T) {
	k, direct := startKafka(t, 1), migrated(t)
	reserved, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := reserved.Addr().String()
	reserved.Close()
	conn, err := Open(Options{URLs: []string{"http://" + addr}, Database: one[string](t, direct, "SELECT currentDatabase()")})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	k.put(schemas.EventsTopic, 0, mixed(0, 300)...)
	log, cfg := newLogs(), k.config(conn)
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	stop := start(t, cfg)
	line := log.wait(t, "takes no inserts")
	if !strings.Contains(line, "start it, or check its URL") {
		t.Errorf("the log does not say what to do: %s", line)
	}
	if at := k.committed(schemas.EventsTopic, 0).At; at != -1 {
		t.Errorf("committed %d while nothing was written", at)
	}
	if g := k.GroupInfo(schemas.SinkGroup); g == nil || len(g.Members) != 1 {
		t.Errorf("group is %+v, want one member", g)
	}
	proxy(t, addr, chdbtest.Start(t))
	log.wait(t, "takes inserts again")
	k.waitCommitted(schemas.EventsTopic, 0, 300)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	checkExact(t, direct, 300)
}

// proxy forwards connections to addr until t ends.
func proxy(t *testing.T, addr, to string) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			go func() { io.Copy(out, in); out.Close() }()
			go func() { io.Copy(in, out); in.Close() }()
		}
	}()
}

func TestSinkSchemaMissing(t *testing.T) {
	k, conn := startKafka(t, 1), openTest(t)
	k.put(schemas.EventsTopic, 0, mixed(0, 30)...)
	log, cfg := newLogs(), k.config(conn)
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	stop := start(t, cfg)
	if line := log.wait(t, "takes no inserts"); !strings.Contains(line, "run scantrail migrate") {
		t.Errorf("the log does not say what to do: %s", line)
	}
	if _, err := Migrate(t.Context(), conn, MigrateOptions{Now: migratedAt}); err != nil {
		t.Fatal(err)
	}
	k.waitCommitted(schemas.EventsTopic, 0, 30)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	checkExact(t, conn, 30)
}

func TestSinkRetention(t *testing.T) {
	k, conn := startKafka(t, 1), migrated(t)
	k.put(schemas.EventsTopic, 0, mixed(0, 10)...)
	stop := start(t, k.config(conn))
	k.waitCommitted(schemas.EventsTopic, 0, 10)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	k.put(schemas.EventsTopic, 0, mixed(10, 140_000)...)
	var upTo kadm.Offsets
	upTo.AddOffset(schemas.EventsTopic, 0, 100_000, -1)
	if _, err := k.adm.DeleteRecords(t.Context(), upTo); err != nil {
		t.Fatal(err)
	}

	s, err := New(k.config(conn))
	if err != nil {
		t.Fatal(err)
	}
	var gone *RetentionError
	if err := s.Run(t.Context()); !errors.As(err, &gone) {
		t.Fatalf("Run returned %v, want a RetentionError", err)
	}
	if want := (RetentionError{schemas.EventsTopic, 0, 10, 100_000}); *gone != want {
		t.Errorf("error is %+v, want %+v", *gone, want)
	}

	cfg := k.config(conn)
	cfg.AcceptGaps = true
	stop = start(t, cfg)
	k.waitCommitted(schemas.EventsTopic, 0, 140_010)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	got := one[string](t, conn, "SELECT toString(groupArray((topic, partition, first_offset, last_offset, kind))) FROM data_gaps FINAL")
	if want := "[('parcel.events',0,10,99999,'hole')]"; got != want {
		t.Errorf("data_gaps is %s, want %s", got, want)
	}
	got = one[string](t, conn, "SELECT toString(groupArray((bucket, last_offset, records, holes))) FROM (SELECT * FROM blocks FINAL ORDER BY bucket)")
	if want := "[(0,65535,10,65526),(65536,131071,31072,34464),(131072,140009,8938,0)]"; got != want {
		t.Errorf("blocks is %s, want %s", got, want)
	}
	if n := one[uint64](t, conn, "SELECT count() FROM audit_blocks"); n != 0 {
		t.Errorf("audit_blocks has %d rows, want none", n)
	}
}

// Every other insert happens, and its answer is lost.
func TestSinkLostAnswers(t *testing.T) {
	k, direct := startKafka(t, 1), migrated(t)
	target := &url.URL{Scheme: "http", Host: chdbtest.Start(t)}
	var inserts, lost atomic.Int64
	forward := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Query().Get("query"), "INSERT") || inserts.Add(1)%2 == 0 {
			forward.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		forward.ServeHTTP(answer, r)
		if answer.Code == http.StatusOK {
			lost.Add(1)
		}
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}))
	server.Config.ErrorLog = stdlog.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	conn, err := Open(Options{URLs: []string{server.URL}, Database: one[string](t, direct, "SELECT currentDatabase()")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	k.put(schemas.EventsTopic, 0, mixed(0, 70_000)...)
	stop := start(t, k.config(conn))
	k.waitCommitted(schemas.EventsTopic, 0, 70_000)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if lost.Load() == 0 {
		t.Fatal("no answer was lost: the test tests nothing")
	}
	if all, want := one[uint64](t, direct, "SELECT sum(rows) FROM system.parts WHERE database = currentDatabase() AND table = 'scans'"), uint64(46_666); all < want {
		t.Errorf("%d rows of scans, want at least %d", all, want)
	}
	checkExact(t, direct, 70_000)
}
