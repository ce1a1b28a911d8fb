//go:build !nochdb && linux

package chdb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// serve starts a server process on dir and returns it with its address. Closing
// stdin ends it in order.
func serve(t *testing.T, dir string) (server *exec.Cmd, stdin io.Closer, addr string) {
	t.Helper()
	server = startChild(t, "serve", dir)
	in, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server process did not start: %v, %v", err, server.Wait())
	}
	return server, in, strings.TrimSpace(line)
}

func dial(t *testing.T, addr string) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{addr}, Protocol: clickhouse.HTTP})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestKilledServerKeepsAcknowledgedRows kills the server with SIGKILL while it
// inserts, twice: what was acknowledged is there afterwards, and every block is
// there whole or not at all.
func TestKilledServerKeepsAcknowledgedRows(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	const block = 1000
	acknowledged := uint64(0)
	for round := range 2 {
		server, _, addr := serve(t, dir)
		conn := dial(t, addr)
		if err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS t (round UInt8, n UInt64) ENGINE = MergeTree ORDER BY n"); err != nil {
			t.Fatal(err)
		}
		for n := range 200 {
			if n == 20 {
				go server.Process.Signal(syscall.SIGKILL) // meanwhile, inserts go on
			}
			batch, err := conn.PrepareBatch(ctx, "INSERT INTO t")
			for i := 0; err == nil && i < block; i++ {
				err = batch.Append(uint8(round), uint64(n))
			}
			if err == nil {
				err = batch.Send()
			}
			if err != nil {
				break
			}
			acknowledged += block
		}
		if err := server.Wait(); err == nil {
			t.Fatal("the server was not killed")
		}
	}
	server, stdin, addr := serve(t, dir)
	conn := dial(t, addr)
	var rows, broken uint64
	if err := conn.QueryRow(ctx, "SELECT count(), countIf(c != 1000) FROM (SELECT count() AS c FROM t GROUP BY round, n) FORMAT Null").Scan(&rows, &broken); err == nil {
		t.Fatal("FORMAT Null has a row")
	}
	if err := conn.QueryRow(ctx, "SELECT sum(c), countIf(c != 1000) FROM (SELECT count() AS c FROM t GROUP BY round, n)").Scan(&rows, &broken); err != nil {
		t.Fatal(err)
	}
	if acknowledged < 2*20*block || rows < acknowledged || rows > acknowledged+2*block || broken != 0 {
		t.Fatalf("%d rows acknowledged, %d there, %d blocks broken", acknowledged, rows, broken)
	}
	conn.Close()
	stdin.Close()
	if err := server.Wait(); err != nil {
		t.Fatalf("ending in order: %v", err)
	}
}

func TestStartErrors(t *testing.T) {
	lib, err := Locate(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	server, stdin, addr := serve(t, filepath.Join(t.TempDir(), "data"))
	defer server.Wait()
	defer stdin.Close()
	for want, o := range map[string]Options{
		"without a password": {Lib: lib, DataDir: t.TempDir(), Listen: "0.0.0.0:0"},
		"listening":          {Lib: lib, DataDir: t.TempDir(), Listen: addr},
		"no such file":       {Lib: "/none.so", DataDir: t.TempDir()},
		"data directory":     {Lib: lib, DataDir: "/dev/null/x"},
	} {
		if _, err := Start(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	dir := filepath.Join(t.TempDir(), "locked")
	second, in, _ := serve(t, dir)
	defer second.Wait()
	defer in.Close()
	if _, err := Start(context.Background(), Options{Lib: lib, DataDir: dir}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", second.Process.Pid)) {
		t.Errorf("locked directory: %v", err)
	}
}

// TestBrokenUpload: a body that ends before its stated length stores nothing.
func TestBrokenUpload(t *testing.T) {
	server, stdin, addr := serve(t, filepath.Join(t.TempDir(), "data"))
	defer server.Wait()
	defer stdin.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn := dial(t, addr)
	if err := conn.Exec(ctx, "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n"); err != nil {
		t.Fatal(err)
	}
	body := io.MultiReader(strings.NewReader(strings.Repeat("1\n", 1<<20)), failingReader{})
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+addr+"/?query=INSERT+INTO+t+FORMAT+TSV", body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultTransport.RoundTrip(req); err == nil {
		t.Fatal("a broken upload succeeded")
	}
	// The table can be dropped only when the insert has let go of it.
	var n uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM t").Scan(&n); err != nil || n != 0 {
		t.Fatalf("%d rows, %v", n, err)
	}
	if err := conn.Exec(ctx, "DROP TABLE t SYNC"); err != nil {
		t.Fatal(err)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("broken") }
