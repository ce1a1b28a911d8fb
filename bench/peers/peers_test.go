package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// envPeers turns the test of all peers on: it takes minutes.
const envPeers = "SCANTRAIL_TEST_PEERS"

// TestMain lets the test's program be the engine's process, as peers itself is.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-engine") {
		main()
	}
	os.Exit(m.Run())
}

// Every peer finds the alerts that are true, and no others.
func TestPeersFindTheTruth(t *testing.T) {
	if os.Getenv(envPeers) == "" {
		t.Skipf("NOT RUN: the peers' alerts were not compared; set %s=1 (Java, Maven; some minutes, 270 MiB of jars)", envPeers)
	}
	rep, err := run(t.Context(), options{Scans: 2000 * perParcel, Seed: 7, Peers: allPeers(), Dir: t.TempDir(), Out: os.Stderr, began: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rep.Results {
		if r.Rows != rep.Scans {
			t.Errorf("%s: %d rows of %d scans", r.Peer, r.Rows, rep.Scans)
		}
		j := r.Judgement
		if j == nil {
			if r.Peer != "clickhouse" {
				t.Errorf("%s: no alerts were compared", r.Peer)
			}
			continue
		}
		if j.Alerts < 100 || j.NotTrue != 0 || j.NotFound != 0 {
			t.Errorf("%s: %d alerts, %d not true, %d not found: %q", r.Peer, j.Alerts, j.NotTrue, j.NotFound, j.Examples)
		}
	}
}

// The push that the input is made of is what the service's mapping reads.
func TestPush(t *testing.T) {
	at := time.Date(2026, 10, 1, 8, 12, 33, 0, time.FixedZone("", -5*3600-1800))
	got := appendPush(nil, "LA123456785CN", lane{"CN", "US", "SO-1"}, [2]string{"DELIVERED", "Delivered"}, at, "US", "Boston")
	var push struct {
		Number string `json:"waybill_number"`
		Events []struct {
			Time string `json:"process_time"`
			Zone string `json:"time_zone"`
			Code string `json:"track_node_code"`
		} `json:"track_events"`
	}
	if err := json.Unmarshal(got, &push); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if len(push.Events) != 1 || push.Number != "LA123456785CN" {
		t.Fatalf("reads %+v", push)
	}
	if e := push.Events[0]; e.Time != "2026-10-01T08:12:33" || e.Zone != "UTC-05:30" || e.Code != "DELIVERED" {
		t.Errorf("reads %+v", e)
	}
}

func TestChoose(t *testing.T) {
	for list, want := range map[string]int{"scantrail,clickhouse,streams,flink": 7, "flink-heap": 1, "streams": 3, "storm": -1, "": -1} {
		got, err := choose(list)
		if want < 0 != (err != nil) || want >= 0 && len(got) != want {
			t.Errorf("%q: %d peers, %v; want %d", list, len(got), err, want)
		}
	}
}

// What has ended, or never was, has no usage; this process has some.
func TestUsage(t *testing.T) {
	if _, ok := usageOf(-1); ok {
		t.Error("a process that is not there has a usage")
	}
	if u, ok := usageOf(os.Getpid()); !ok || u.Peak < 1<<20 {
		t.Skipf("NOT RUN: no /proc here: %+v", u)
	}
}

func TestFlinkVersion(t *testing.T) {
	pom, err := sources.ReadFile("flink/pom.xml")
	if err != nil {
		t.Fatal(err)
	}
	if want := "<version>" + flinkVersion + "</version>"; !strings.Contains(string(pom), want) {
		t.Errorf("flink/pom.xml has no %s", want)
	}
}

// A report can be printed and written also where nothing could be measured.
func TestReportOfTooLittle(t *testing.T) {
	rep := &report{Results: []result{{Peer: "scantrail", Scans: 10, Seconds: 2, PeerCPU: 1}, {Peer: "clickhouse"}}}
	var table, file strings.Builder
	rep.print(&table)
	if err := rep.json(&file); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"Inf", "NaN"} {
		if strings.Contains(table.String(), bad) {
			t.Errorf("%s in\n%s", bad, table.String())
		}
	}
}
