package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"scantrail/schemas"
	"scantrail/sink"
	"scantrail/sink/chdb/chdbtest"
)

// runAlerts runs scantrail alerts with these arguments.
func runAlerts(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := newAlertsCommand()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// TestAlertsCommands: a test takes the true way to the receiver, whose answer is
// shown; the status is there without ClickHouse too, and says what is missing.
func TestAlertsCommands(t *testing.T) {
	var got atomic.Value
	answer := `{"code":0,"msg":"success"}`
	chat := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got.Store(string(body))
		io.WriteString(w, answer) //nolint:errcheck // the test sees what arrives
	}))
	defer chat.Close()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, schemas.AlertsTopic))
	must(t, err)
	defer broker.Close()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "url"), []byte(chat.URL+"/hook/secret-token\n"), 0o400))
	config := func(clickhouse, database string) string {
		return writeFile(t, filepath.Join(dir, "scantrail.yaml"), fmt.Sprintf(`
kafka:
  brokers: [%s]
clickhouse:
  addrs: [%s]
  database: %s
notify:
  console_url: https://console.example.com
  receivers:
    - name: team
      kind: feishu
      secret_url: file:url
      insecure_http: true
      min_level: 2
      quiet_hours: ["00:00-24:00"]
`, broker.ListenAddrs()[0], clickhouse, database))
	}
	file := config("http://127.0.0.1:1", "x")
	out, err := runAlerts(t, "test", "-c", file, "--receiver", "team", "--lang", "zh")
	if err != nil || !strings.Contains(out, `team answers: 200 OK`) || !strings.Contains(out, "team took the test") {
		t.Errorf("%s, %v", out, err)
	}
	for _, want := range []string{"测试", "48 小时无轨迹更新", "https://console.example.com/parcels/LX123456785CN"} {
		if body, _ := got.Load().(string); !strings.Contains(body, want) {
			t.Errorf("the message lacks %q: %s", want, body)
		}
	}
	answer = `{"code":19021,"msg":"sign match fail"}`
	out, err = runAlerts(t, "test", "-c", file, "--receiver", "team", "--rule", "feed_stale")
	if err == nil || !strings.Contains(err.Error(), "19021") || strings.Contains(out+err.Error(), "secret-token") {
		t.Errorf("%s, %v", out, err)
	}
	for _, bad := range [][]string{{"--receiver", "nobody"}, {"--receiver", "team", "--rule", "gap"}, {"--receiver", "team", "--lang", "fr"}} {
		if _, err := runAlerts(t, append([]string{"test", "-c", file}, bad...)...); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
	out, err = runAlerts(t, "list", "-c", file)
	if err != nil || !strings.Contains(out, "never read") || !strings.Contains(out, "ClickHouse does not answer") {
		t.Errorf("%s, %v", out, err)
	}
	addr, name := chdbtest.Database(t)
	conn, err := sink.Open(sink.Options{URLs: []string{"http://" + addr}, Database: name})
	must(t, err)
	defer conn.Close() //nolint:errcheck // of a test
	_, err = sink.Migrate(t.Context(), conn, sink.MigrateOptions{Now: scoreBase})
	must(t, err)
	must(t, conn.Exec(t.Context(), `INSERT INTO receiver_states (receiver, instance, kind, waiting, held, failing, last_success_at, last_failure_at, failure, updated_at)
		VALUES ('team', 'x', 'feishu', 3, 7, true, '2026-11-22 12:00:00', '2026-11-22 12:01:00', 'code 19021: "sign match fail"', '2026-11-22 12:01:05')`))
	out, err = runAlerts(t, "status", "-c", config("http://"+addr, name))
	if fields := strings.Join(strings.Fields(out), " "); err != nil || !strings.Contains(fields, `team feishu never read 3 7 0 0 0 0 0 2026-11-22 12:00:00Z 2026-11-22 12:01:00Z code 19021: "sign match fail"`) {
		t.Errorf("%s, %v", out, err)
	}
}

// TestAlertsTestOfAnyKind: whatever a configuration may name can be tried.
func TestAlertsTestOfAnyKind(t *testing.T) {
	answers := http.NewServeMux()
	for path, answer := range map[string]string{
		"/hook/slack": "ok", "/hook/feishu": `{"code":0}`, "/hook/dingtalk": `{"errcode":0}`, "/hook/wecom": `{"errcode":0}`,
		"/hook/webhook": "", "/api/v2/alerts": "",
	} {
		answers.HandleFunc("POST "+path, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) }) //nolint:errcheck // a test
	}
	receiver := httptest.NewServer(answers)
	defer receiver.Close()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, schemas.AlertsTopic, "pages"))
	must(t, err)
	defer broker.Close()
	dir := t.TempDir()
	text := fmt.Sprintf("kafka:\n  brokers: [%s]\nnotify:\n  receivers:\n", broker.ListenAddrs()[0]) +
		"    - {name: kafka, kind: kafka, topic: pages}\n" +
		fmt.Sprintf("    - {name: alertmanager, kind: alertmanager, urls: [%q], insecure_http: true}\n", receiver.URL)
	must(t, os.WriteFile(filepath.Join(dir, "key"), []byte("whsec_"+strings.Repeat("c2Vj", 11)+"\n"), 0o400))
	text += fmt.Sprintf("    - {name: webhook, kind: webhook, url: %q, secrets: [\"file:key\"], insecure_http: true}\n", receiver.URL+"/hook/webhook")
	for _, chat := range []string{"slack", "feishu", "dingtalk", "wecom"} {
		must(t, os.WriteFile(filepath.Join(dir, chat), []byte(receiver.URL+"/hook/"+chat+"\n"), 0o400))
		text += fmt.Sprintf("    - {name: %[1]s, kind: %[1]s, secret_url: \"file:%[1]s\", insecure_http: true}\n", chat)
	}
	file := writeFile(t, filepath.Join(dir, "scantrail.yaml"), text)
	for _, kind := range []string{"kafka", "alertmanager", "webhook", "slack", "feishu", "dingtalk", "wecom"} {
		for _, language := range []string{"en", "zh"} {
			out, err := runAlerts(t, "test", "-c", file, "--receiver", kind, "--lang", language)
			if err != nil || !strings.Contains(out, kind+" took the test") {
				t.Errorf("%s in %s: %s, %v", kind, language, out, err)
			}
		}
	}
}
