package chdb_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"scantrail/sink/chdb"
	"scantrail/sink/chdb/chdbtest"
)

// call makes one request as curl would.
func call(t *testing.T, method, addr string, params url.Values, header http.Header, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(testContext(t), method, "http://"+addr+"/?"+params.Encode(), strings.NewReader(body))
	must(t, err)
	for k := range header {
		req.Header.Set(k, header.Get(k))
	}
	if host := header.Get("Host"); host != "" {
		req.Host = host
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	return res, string(text)
}

func TestHTTP(t *testing.T) {
	addr, database := chdbtest.Database(t)
	chdbtest.Exec(t, addr, "CREATE TABLE "+database+".t (a UInt32, s String DEFAULT 'none') ENGINE = MergeTree ORDER BY a")
	for _, c := range []struct {
		name   string
		method string
		params url.Values
		body   string
		status int
		code   string // X-ClickHouse-Exception-Code
		want   string // the body, or its beginning for an error
	}{
		{name: "query in the URL", method: "GET", params: url.Values{"query": {"SELECT 1, 'a'"}}, status: 200, want: "1\ta\n"},
		{name: "query in the body", body: "SELECT 1, 'a';\n", status: 200, want: "1\ta\n"},
		{name: "query in both", params: url.Values{"query": {"SELECT 1,"}}, body: "2", status: 200, want: "1\t2\n"},
		{name: "format", params: url.Values{"default_format": {"JSONEachRow"}}, body: "SELECT 1 AS a", status: 200, want: "{\"a\":1}\n"},
		{name: "FORMAT wins", params: url.Values{"default_format": {"JSONEachRow"}}, body: "SELECT 1 AS a FORMAT CSVWithNames", status: 200, want: "\"a\"\n1\n"},
		{name: "a format with head and tail", body: "SELECT count(), sum(JSONExtractUInt(j, 'n')) FROM (SELECT '{\"n\":2}' AS j FROM numbers(200000)) FORMAT TSVWithNames", status: 200, want: "count()\tsum(JSONExtractUInt(j, \\'n\\'))\n200000\t400000\n"},
		{name: "parameter", params: url.Values{"param_x": {"it's\\n"}}, body: "SELECT {x:String}, length({x:String})", status: 200, want: "it\\'s\\n\t5\n"},
		{name: "setting", params: url.Values{"max_threads": {"3"}}, body: "SELECT getSetting('max_threads')", status: 200, want: "3\n"},
		{name: "session is tolerated", params: url.Values{"session_id": {"a"}, "session_timeout": {"60"}}, body: "SELECT 1", status: 200, want: "1\n"},
		{name: "database", params: url.Values{"database": {database}}, body: "SELECT count() FROM t", status: 200, want: "0\n"},
		{name: "insert values", params: url.Values{"database": {database}}, body: "INSERT INTO t VALUES (1, upper('x')), (2, 'none')", status: 200},
		{name: "insert values with parameter", params: url.Values{"database": {database}, "param_x": {"y"}}, body: "INSERT INTO t VALUES (10, {x:String})", status: 200},
		{name: "insert CSV, statement in the URL", params: url.Values{"database": {database}, "query": {"INSERT INTO t FORMAT CSV"}}, body: "3,\"c\nd\"\n4,e\n", status: 200},
		{name: "insert JSONEachRow, statement in the body", params: url.Values{"database": {database}}, body: "INSERT INTO t (a) FORMAT JSONEachRow\n{\"a\":5}\n{\"a\":6}\n", status: 200},
		{name: "insert with settings and no rows", params: url.Values{"database": {database}, "async_insert": {"0"}, "query": {"INSERT INTO t SETTINGS max_threads = 1 FORMAT CSV"}}, status: 200},
		{name: "insert with parameter", params: url.Values{"database": {database}, "query": {"INSERT INTO {table:Identifier} FORMAT TSV"}, "param_table": {"t"}}, body: "7\tf\n", status: 200},
		{name: "insert select", params: url.Values{"database": {database}}, body: "INSERT INTO t SELECT number + 8, 'n' FROM numbers(2)", status: 200},
		{name: "all of it", params: url.Values{"database": {database}}, body: "SELECT * FROM t ORDER BY a", status: 200,
			want: "1\tX\n2\tnone\n3\tc\\nd\n4\te\n5\tnone\n6\tnone\n7\tf\n8\tn\n9\tn\n10\ty\n"},
		{name: "unknown table", body: "SELECT * FROM none", status: 404, code: "60", want: "Code: 60. DB::Exception: Unknown table"},
		{name: "unknown database", params: url.Values{"database": {"none"}}, body: "SELECT 1", status: 404, code: "81", want: "Code: 81. DB::Exception: "},
		{name: "syntax", body: "SELEC 1", status: 400, code: "62", want: "Code: 62. DB::Exception: Syntax error"},
		{name: "two statements", body: "SELECT 1; SELECT 2", status: 400, code: "62", want: "Code: 62. DB::Exception: Syntax error (Multi-statements"},
		{name: "empty", body: " ", status: 400, code: "62", want: "Code: 62. DB::Exception: Syntax error"},
		{name: "bad cast", body: "SELECT toUInt8('x')", status: 400, code: "6", want: "Code: 6. DB::Exception: Cannot parse"},
		{name: "unknown setting", params: url.Values{"no_such": {"1"}}, body: "SELECT 1", status: 404, code: "115", want: "Code: 115. DB::Exception: Unknown setting 'no_such'"},
		{name: "not a setting", params: url.Values{"max_threads = 1, x": {"1"}}, body: "SELECT 1", status: 400, code: "36", want: "Code: 36. DB::Exception: URL parameter"},
		{name: "bad data", params: url.Values{"database": {database}, "query": {"INSERT INTO t FORMAT CSV"}}, body: "x,y\n", status: 400, code: "27", want: "Code: 27. DB::Exception: Cannot parse input"},
		{name: "insert into nothing", params: url.Values{"query": {"INSERT INTO none FORMAT CSV"}}, body: strings.Repeat("1\n", 1<<20), status: 404, code: "60", want: "Code: 60. DB::Exception: "},
		{name: "GET may not write", method: "GET", params: url.Values{"query": {"CREATE DATABASE x"}}, status: 500, code: "164", want: "Code: 164. DB::Exception: "},
		{name: "local files", body: "SELECT * FROM file('/etc/passwd', LineAsString)", status: 403, code: "497", want: "Code: 497. DB::Exception: "},
		{name: "a table named like a file", body: "SELECT * FROM `/etc/passwd`", status: 403, code: "497", want: "Code: 497. DB::Exception: "},
		{name: "files as tables", body: "CREATE TABLE x (a String) ENGINE = File(LineAsString, '/etc/passwd')", status: 403, code: "497", want: "Code: 497. DB::Exception: "},
		{name: "other hosts", body: "SELECT * FROM url('http://localhost:1/', LineAsString)", status: 403, code: "497", want: "Code: 497. DB::Exception: "},
		{name: "dictionaries", body: "CREATE DICTIONARY d (a UInt64, b String) PRIMARY KEY a SOURCE(EXECUTABLE(command 'id' format 'CSV')) LAYOUT(FLAT()) LIFETIME(0)", status: 403, code: "497", want: "Code: 497. DB::Exception: "},
		{name: "shutdown", body: "SYSTEM SHUTDOWN", status: 403, code: "497", want: "Code: 497. DB::Exception: "},
		{name: "granting oneself more", body: "GRANT SOURCES ON *.* TO default", status: 403, code: "497", want: "Code: 497. DB::Exception: "},
		{name: "a user who may more", body: "CREATE USER u", status: 403, code: "497", want: "Code: 497. DB::Exception: "},
		{name: "INTO OUTFILE", body: "SELECT 1 INTO OUTFILE '/tmp/x'", status: 501, code: "48", want: "Code: 48. DB::Exception: INTO OUTFILE"},
		{name: "unknown path", method: "PUT", status: 405, want: "Use GET or POST.\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, text := call(t, first(c.method, "POST"), addr, c.params, nil, c.body)
			if res.StatusCode != c.status || res.Header.Get("X-ClickHouse-Exception-Code") != c.code {
				t.Fatalf("HTTP %d, code %q: %s", res.StatusCode, res.Header.Get("X-ClickHouse-Exception-Code"), text)
			}
			if c.status == 200 && text != c.want || !strings.HasPrefix(text, c.want) {
				t.Fatalf("body %q", text)
			}
		})
	}
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func TestHTTPHeaders(t *testing.T) {
	addr := chdbtest.Start(t)
	res, _ := call(t, "POST", addr, url.Values{"query_id": {"mine"}, "default_format": {"CSV"}}, nil, "SELECT 1")
	if h := res.Header; h.Get("X-ClickHouse-Query-Id") != "mine" || h.Get("X-ClickHouse-Format") != "CSV" || h.Get("X-ClickHouse-Timezone") != "UTC" {
		t.Fatalf("headers %v", h)
	}
	res, text := call(t, "POST", addr, url.Values{"enable_http_compression": {"1"}}, http.Header{"Accept-Encoding": {"gzip"}}, "SELECT 'zipped'")
	zr, err := gzip.NewReader(strings.NewReader(text))
	must(t, err)
	plain, err := io.ReadAll(zr)
	must(t, err)
	if res.Header.Get("Content-Encoding") != "gzip" || string(plain) != "zipped\n" {
		t.Fatalf("%q, headers %v", plain, res.Header)
	}
	res, err = http.Get("http://" + addr + "/ping")
	must(t, err)
	defer res.Body.Close()
	if pong, _ := io.ReadAll(res.Body); string(pong) != "Ok.\n" {
		t.Fatalf("ping: %q", pong)
	}
	for name, h := range map[string]http.Header{
		"DNS rebinding":  {"Host": {"evil.example"}},
		"foreign page":   {"Sec-Fetch-Site": {"cross-site"}},
		"foreign origin": {"Origin": {"https://evil.example"}},
	} {
		if res, text := call(t, "POST", addr, nil, h, "SELECT 1"); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: HTTP %d %s", name, res.StatusCode, text)
		}
	}
}

func TestPassword(t *testing.T) {
	h := chdb.NewGateway(chdbtest.Engine(t), chdb.GatewayOptions{User: "u", Password: "secret"})
	for name, change := range map[string]func(*http.Request){
		"none":     func(*http.Request) {},
		"wrong":    func(r *http.Request) { r.SetBasicAuth("u", "guess") },
		"user":     func(r *http.Request) { r.SetBasicAuth("default", "secret") },
		"header":   func(r *http.Request) { r.Header.Set("X-ClickHouse-User", "u") },
		"no user":  func(r *http.Request) { r.Header.Set("X-ClickHouse-Key", "secret") },
		"in query": func(r *http.Request) { r.URL.RawQuery = "user=u&password=Secret" },
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("SELECT 1"))
		change(r)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden || w.Header().Get("X-ClickHouse-Exception-Code") != "516" {
			t.Errorf("%s: HTTP %d %s", name, w.Code, w.Body)
		}
	}
}

func TestErrorsInClient(t *testing.T) {
	conn := open(t, nil)
	ctx := testContext(t)
	for sql, want := range map[string]int32{"SELECT * FROM none": 60, "SELEC": 62, "SELECT toUInt8('x')": 6, "SELECT throwIf(1)": 395} {
		rows, err := conn.Query(ctx, sql)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
		}
		if exceptionCode(err) != want {
			t.Errorf("%s: %v", sql, err)
		}
		if err := conn.Exec(ctx, sql); exceptionCode(err) != want {
			t.Errorf("Exec %s: %v", sql, err)
		}
	}
}

// TestErrorAfterFirstRows: the result is already on its way when it fails.
func TestErrorAfterFirstRows(t *testing.T) {
	for _, method := range []clickhouse.CompressionMethod{clickhouse.CompressionNone, clickhouse.CompressionLZ4, clickhouse.CompressionZSTD, clickhouse.CompressionGZIP} {
		t.Run(method.String(), func(t *testing.T) { errorAfterFirstRows(t, method) })
	}
}

func errorAfterFirstRows(t *testing.T, method clickhouse.CompressionMethod) {
	conn := open(t, func(o *clickhouse.Options) {
		o.Compression = &clickhouse.Compression{Method: method, Level: 1}
		o.Settings["enable_http_compression"] = 1
	})
	ctx := testContext(t)
	rows, err := conn.Query(ctx, "SELECT throwIf(number = 2000000) FROM numbers(3000000)")
	must(t, err)
	n := 0
	for rows.Next() {
		n++
	}
	if err := rows.Err(); exceptionCode(err) != 395 || n == 0 {
		t.Fatalf("after %d rows: %v", n, err)
	}
	must(t, conn.Ping(ctx))
}

func TestCancelledContext(t *testing.T) {
	conn := open(t, func(o *clickhouse.Options) { o.MaxOpenConns = 2 })
	for range 20 { // more than there are handles: none may stay behind
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
		err := conn.Exec(ctx, "SELECT sum(sleepEachRow(0.01)) FROM numbers(10000) SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0")
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error: %v", err)
		}
	}
	must(t, conn.Ping(testContext(t)))
	ctx, cancel := context.WithCancel(context.Background())
	rows, err := conn.Query(ctx, "SELECT number FROM system.numbers")
	must(t, err)
	rows.Next()
	cancel()
	for rows.Next() {
	}
	deadline := time.Now().Add(10 * time.Second)
	for one[uint64](t, conn, "SELECT count() FROM system.processes WHERE query NOT LIKE '%processes%'") > 0 {
		if time.Now().After(deadline) {
			t.Fatal("cancelled queries still run")
		}
	}
}

// TestLargeResult reads 5 M rows, 40 MB, with no more than a few of them in Go's
// memory at once.
func TestLargeResult(t *testing.T) {
	addr := chdbtest.Start(t)
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, format := range []string{"Native", "CSV", "JSON"} {
		res, err := http.Post("http://"+addr+"/?default_format="+format, "", strings.NewReader("SELECT number FROM numbers(5000000)"))
		must(t, err)
		buf := make([]byte, 1<<20)
		var total int
		var peak uint64
		for reads := 0; ; reads++ {
			n, err := res.Body.Read(buf)
			total += n
			if reads%100 == 0 {
				runtime.ReadMemStats(&now)
				peak = max(peak, now.HeapInuse)
			}
			if err == io.EOF {
				break
			}
			must(t, err)
		}
		res.Body.Close()
		if total < 38_000_000 || peak > before.HeapInuse+32<<20 {
			t.Errorf("%s: %d bytes, heap grew from %d to %d MiB", format, total, before.HeapInuse>>20, peak>>20)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	_, database := chdbtest.Database(t)
	engine := chdbtest.Engine(t)
	chdbtest.Exec(t, chdbtest.Start(t), "CREATE TABLE "+database+".t (a String) ENGINE = MergeTree ORDER BY a")
	h := chdb.NewGateway(engine, chdb.GatewayOptions{MaxBody: 1000})
	var zipped bytes.Buffer
	zw := gzip.NewWriter(&zipped)
	zw.Write(bytes.Repeat([]byte("a\n"), 100_000))
	zw.Close()
	for name, c := range map[string]struct {
		body, encoding string
		status         int
	}{
		"too large":  {strings.Repeat("a\n", 1000), "", 413},
		"bomb":       {zipped.String(), "gzip", 413},
		"not gzip":   {"hello", "gzip", 400},
		"truncated":  {zipped.String()[:20], "gzip", 400},
		"unknown":    {"hello", "x-snappy", 400},
		"small":      {"one row\n", "", 200},
		"not blocks": {strings.Repeat("no compressed block", 5), "blocks", 400},
	} {
		params := url.Values{"query": {"INSERT INTO " + database + ".t FORMAT TSV"}}
		r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
		if c.encoding == "blocks" {
			params.Set("decompress", "1")
		} else if c.encoding != "" {
			r.Header.Set("Content-Encoding", c.encoding)
		}
		r.URL.RawQuery = params.Encode()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s: HTTP %d %s", name, w.Code, w.Body)
		}
	}
	if n := chdbtest.Exec(t, chdbtest.Start(t), "SELECT count() FROM "+database+".t"); n != "1\n" {
		t.Errorf("%s rows: a body that failed was stored in part", strings.TrimSpace(n))
	}
}
