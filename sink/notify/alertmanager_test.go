package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"scantrail/schemas"
)

// alertmanager is the real one, as Debian packages it.
type alertmanager struct {
	t    *testing.T
	bin  string
	dir  string
	addr string
	cmd  *exec.Cmd

	mu   sync.Mutex
	told []string // what its receiver was told: status and alert, "firing 1"
}

// startAlertmanager skips the test, loudly, where there is none.
func startAlertmanager(t *testing.T) *alertmanager {
	t.Helper()
	bin, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		bin, err = exec.LookPath("alertmanager")
	}
	if err != nil {
		if os.Getenv("SCANTRAIL_REQUIRE_ALERTMANAGER") == "1" {
			t.Fatal("SCANTRAIL_REQUIRE_ALERTMANAGER=1 and there is no Alertmanager: apt-get install prometheus-alertmanager")
		}
		fmt.Fprintln(os.Stderr, "NOT TESTED: the real Alertmanager is not installed: apt-get install prometheus-alertmanager")
		t.Skip("no Alertmanager")
	}
	a := &alertmanager{t: t, bin: bin, dir: t.TempDir(), addr: freeAddr(t)}
	hook := httptest.NewServer(http.HandlerFunc(a.hook))
	t.Cleanup(hook.Close)
	config := fmt.Sprintf(`
route: {receiver: test, group_by: [alert_id], group_wait: 1ms, group_interval: 200ms, repeat_interval: 4h}
receivers: [{name: test, webhook_configs: [{url: '%s', send_resolved: true}]}]
`, hook.URL)
	if err := os.WriteFile(filepath.Join(a.dir, "config.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	a.start()
	t.Cleanup(a.kill)
	return a
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() //nolint:errcheck // it was only asked for its port
	return ln.Addr().String()
}

func (a *alertmanager) start() {
	a.t.Helper()
	a.cmd = exec.Command(a.bin, "--config.file="+filepath.Join(a.dir, "config.yml"), "--storage.path="+a.dir,
		"--web.listen-address="+a.addr, "--cluster.listen-address=", "--data.maintenance-interval=50ms", "--log.level=error")
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := a.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	every(a.t, "the Alertmanager is ready", func() bool {
		res, err := http.Get("http://" + a.addr + "/-/ready")
		if err != nil {
			return false
		}
		defer res.Body.Close() //nolint:errcheck // only the status counts
		return res.StatusCode == http.StatusOK
	})
}

// kill is kill -9.
func (a *alertmanager) kill() {
	if a.cmd == nil {
		return
	}
	a.cmd.Process.Kill() //nolint:errcheck // it may have ended
	a.cmd.Wait()         //nolint:errcheck // it was killed
	a.cmd = nil
}

// hook is the receiver behind the Alertmanager.
func (a *alertmanager) hook(_ http.ResponseWriter, r *http.Request) {
	var body struct {
		Alerts []struct {
			Status string            `json:"status"`
			Labels map[string]string `json:"labels"`
		} `json:"alerts"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		a.t.Error(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range body.Alerts {
		a.told = append(a.told, x.Status+" "+shortID(x.Labels["alert_id"])+" "+x.Labels["severity"])
	}
}

func shortID(id string) string { return strings.TrimLeft(strings.ReplaceAll(id, "-", ""), "0") }

// count returns how often the receiver was told so.
func (a *alertmanager) count(what string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.told {
		if s == what {
			n++
		}
	}
	return n
}

// remembers waits until the receiver was told of these and the Alertmanager has
// that on disk: it remembers whom it told what, not which alerts there are.
func (a *alertmanager) remembers(alerts []string) {
	a.t.Helper()
	var told time.Time
	every(a.t, "everything was told and written down", func() bool {
		for _, s := range alerts {
			severity, id, _ := strings.Cut(s, " ")
			if a.count("firing "+id+" "+severity) == 0 {
				return false
			}
		}
		if told.IsZero() {
			told = time.Now()
		}
		info, err := os.Stat(filepath.Join(a.dir, "nflog"))
		return err == nil && info.ModTime().After(told.Add(100*time.Millisecond))
	})
}

// open returns the open alerts, "severity alert" -> fingerprint; an alert that is
// there twice is an error.
func (a *alertmanager) open() (map[string]string, error) {
	res, err := http.Get("http://" + a.addr + "/api/v2/alerts?active=true")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // it is read to its end
	var all []struct {
		Fingerprint string            `json:"fingerprint"`
		Labels      map[string]string `json:"labels"`
	}
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil {
		return nil, err
	}
	out, seen := map[string]string{}, map[string]bool{}
	for _, x := range all {
		id := shortID(x.Labels["alert_id"])
		if seen[id] {
			return nil, errors.New("alert " + id + " is open twice")
		}
		seen[id] = true
		out[x.Labels["severity"]+" "+id] = x.Fingerprint
	}
	return out, nil
}

// wait waits until exactly these are open, and returns their fingerprints.
func (a *alertmanager) wait(want ...string) (got map[string]string) {
	a.t.Helper()
	slices.Sort(want)
	every(a.t, fmt.Sprintf("open are %v", want), func() bool {
		var err error
		got, err = a.open()
		if err != nil && strings.Contains(err.Error(), "twice") {
			a.t.Fatal(err)
		}
		var have []string
		for k := range got {
			have = append(have, k)
		}
		slices.Sort(have)
		return err == nil && slices.Equal(have, want)
	})
	return got
}

// toAlertmanagers delivers to these, as one receiver named a.
func (k *kafka) toAlertmanagers(urls ...string) Config {
	c := k.config()
	c.Receivers = []Receiver{{Name: "a", Kind: KindAlertmanager, URLs: urls, InsecureHTTP: true}}
	c.Resend = 100 * time.Millisecond
	return c
}

func warnings(from, to int) (out []string) {
	for n := from; n < to; n++ {
		out = append(out, fmt.Sprintf("warning %x", n))
	}
	return out
}

func TestRealAlertmanager(t *testing.T) {
	am, k := startAlertmanager(t), startKafka(t, 3)
	start(t, k.toAlertmanagers("http://"+am.addr))
	for p := range int32(3) {
		k.committed("a", p, 0)
	}
	put := func(from, to int, v uint64, status schemas.AlertStatus) {
		for n := from; n < to; n++ {
			k.put(int32(n%3), alert(n, v, status))
		}
	}
	put(1, 101, 1, open)
	before := am.wait(warnings(1, 101)...)
	am.remembers(warnings(1, 101))
	put(1, 11, 2, resolved)
	am.wait(warnings(11, 101)...)
	k.put(0, alert(99, 2, escalated))
	am.wait(append(warnings(11, 99), "warning 64", "critical 63")...)

	am.kill() // it knows no alert any more, and may not have told of the ends
	put(101, 111, 1, open)
	put(11, 21, 2, resolved)
	am.start()
	after := am.wait(append(warnings(21, 99), append(warnings(100, 111), "critical 63")...)...)
	for alert, fingerprint := range after {
		if was, ok := before[alert]; ok && was != fingerprint {
			t.Errorf("%s is another alert after the restart", alert)
		}
	}
	put(21, 31, 2, withdrawn)
	am.wait(append(warnings(31, 99), append(warnings(100, 111), "critical 63")...)...)
	every(t, "its receiver has heard of the ends", func() bool {
		for n := 1; n < 31; n++ {
			if am.count(fmt.Sprintf("resolved %x warning", n)) == 0 {
				return false
			}
		}
		return am.count("resolved 63 warning") > 0 && am.count("firing 6e warning") > 0
	})
	for n := 1; n < 111; n++ {
		if got := am.count(fmt.Sprintf("firing %x warning", n)); got != 1 {
			t.Errorf("alert %x fired %d times", n, got)
		}
	}
}

// TestNotifierKilledWithAlertmanager: what was not committed is said again, and the
// Alertmanager sees the same alerts as before, none twice, none that has ended.
func TestNotifierKilledWithAlertmanager(t *testing.T) {
	am, k := startAlertmanager(t), startKafka(t, 2)
	stop := start(t, k.toAlertmanagers("http://"+am.addr))
	k.committed("a", 0, 0)
	k.committed("a", 1, 0)
	for n := 1; n <= 20; n++ {
		k.put(int32(n%2), alert(n, 1, open))
	}
	before := am.wait(warnings(1, 21)...)
	k.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		k.KeepControl()
		return nil, kerr.RequestTimedOut, true // as if it were killed
	})
	for n := 1; n <= 5; n++ {
		k.put(int32(n%2), alert(n, 2, resolved))
	}
	am.wait(warnings(6, 21)...)
	stop()
	for n := 6; n <= 8; n++ {
		k.put(int32(n%2), alert(n, 2, resolved))
	}
	k.put(0, alert(21, 1, open))
	k.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) { return nil, nil, false })
	start(t, k.toAlertmanagers("http://"+am.addr))
	for alert, fingerprint := range am.wait(warnings(9, 22)...) {
		if was, ok := before[alert]; ok && was != fingerprint {
			t.Errorf("%s is another alert after the restart", alert)
		}
	}
	every(t, "the last one was told", func() bool { return am.count("firing 15 warning") > 0 })
	for n := 1; n <= 21; n++ {
		if got := am.count(fmt.Sprintf("firing %x warning", n)); got != 1 {
			t.Errorf("alert %x fired %d times", n, got)
		}
	}
}

// TestPeersOfAlertmanager: each peer has everything, also one that was away when it
// happened.
func TestPeersOfAlertmanager(t *testing.T) {
	first, second, k := startAlertmanager(t), startAlertmanager(t), startKafka(t, 1)
	start(t, k.toAlertmanagers("http://"+first.addr, "http://"+second.addr+"/"))
	k.committed("a", 0, 0)
	k.put(0, alert(1, 1, open), alert(2, 1, open))
	first.wait(warnings(1, 3)...)
	second.wait(warnings(1, 3)...)
	second.kill()
	k.put(0, alert(1, 2, resolved), alert(3, 1, open))
	first.wait(warnings(2, 4)...)
	second.start()
	second.wait(warnings(2, 4)...)
}

// TestKafkaReceiver: records carry the alert as their key and the transition in a
// header.
func TestKafkaReceiver(t *testing.T) {
	k := startKafka(t, 1)
	if _, err := k.adm.CreateTopic(t.Context(), 2, 1, nil, "alerts.ops"); err != nil {
		t.Fatal(err)
	}
	c := k.config()
	c.Receivers = []Receiver{{Name: "a", Kind: KindKafka, Topic: "alerts.ops", Markets: []string{"DE"}}}
	start(t, c)
	k.committed("a", 0, 0)
	k.put(0, alert(1, 1, open), alert(2, 1, open, func(a *schemas.Alert) { a.Market = "FR" }), alert(1, 2, resolved))
	k.committed("a", 0, 3)
	reader, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.ConsumeTopics("alerts.ops"), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var got []string
	for len(got) < 2 && ctx.Err() == nil {
		reader.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			got = append(got, shortID(string(r.Key))+" "+short(string(r.Headers[1].Value)))
			var a schemas.Alert
			if err := schemas.ParseAlertJSON(r.Value, &a); err != nil {
				t.Error(err)
			}
		})
	}
	if want := []string{"1 1:1", "1 1:2"}; !slices.Equal(got, want) {
		t.Errorf("the topic has %q, want %q", got, want)
	}
}
