package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

func fixture(carrier, file string) string {
	return filepath.Join("..", "..", "ingest", "carriers", "testdata", carrier, file)
}

// linesOf decodes JSON lines and counts them by a field; lines without it count
// as "".
func linesOf(t *testing.T, text, field string) (lines []map[string]any, count map[string]int) {
	t.Helper()
	count = map[string]int{}
	for line := range strings.Lines(text) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		kind, _ := v[field].(string)
		count[kind]++
		lines = append(lines, v)
	}
	return lines, count
}

func TestNormalizeAliases(t *testing.T) {
	// one of its events has no time: that is not asked here
	stdout, _, _ := runCommand(newNormalizeCommand(), "", "--carrier", "spring", "--received-at", "2026-10-20T00:00:00Z", fixture("spring", "trail.json"))
	lines, count := linesOf(t, stdout, "kind")
	if count["alias"] == 0 || count[""] == 0 || count["void"] != 0 {
		t.Fatalf("lines by kind: %v", count)
	}
	seen := map[string]bool{}
	for _, l := range lines {
		if l["kind"] != "alias" {
			continue
		}
		a, b := l["tracking_number"].(string), l["other_number"].(string)
		if seen[a+b] || seen[b+a] || a == b {
			t.Errorf("the pair %s, %s stands twice", a, b)
		}
		seen[a+b] = true
		if l["carrier"] != "spring" || l["fact_id"] == nil || l["received_at"] != "2026-10-20T00:00:00.000Z" {
			t.Errorf("alias %v", l)
		}
	}
}

func TestNormalizeVoids(t *testing.T) {
	file := fixture("gs1_epcis", "void.json")
	stdout, stderr, err := runCommand(newNormalizeCommand(), "", "--carrier", "gs1_epcis", file)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	events := map[string]bool{}
	lines, count := linesOf(t, stdout, "kind")
	for _, l := range lines {
		if l["kind"] == nil {
			events[l["fact_id"].(string)] = true
		}
	}
	if count["void"] != 1 {
		t.Fatalf("lines by kind: %v\n%s", count, stdout)
	}
	for _, l := range lines {
		if l["kind"] != "void" {
			continue
		}
		if !events[l["event_fact_id"].(string)] {
			t.Errorf("the void names no event of the record: %v", l)
		}
		if l["tracking_number"] == nil || l["event_id"] == nil || l["at"] == nil || l["received_at"] != nil {
			t.Errorf("void %v", l)
		}
	}
}

// TestCarrierTestShowsLinks: voids, and numbers that have no events beside
// those that have.
func TestCarrierTestShowsLinks(t *testing.T) {
	mapping := filepath.Join("..", "..", "schemas", "carriers", "gs1_epcis.yaml")
	stdout, stderr, err := runCommand(newCarrierTestCommand(), "", mapping, fixture("gs1_epcis", "void.json"))
	if err != nil || !strings.Contains(stdout, "  void: the carrier withdraws an event of number ") || !strings.Contains(stdout, ", declared 20") {
		t.Errorf("%v %s\n%s", err, stderr, stdout)
	}
	stdout, _, _ = runCommand(newCarrierTestCommand(), "", "--json", mapping, fixture("gs1_epcis", "void.json"))
	lines, count := linesOf(t, stdout, "type")
	if count["void"] != 1 {
		t.Fatalf("lines by type: %v", count)
	}
	for _, l := range lines {
		if v, _ := l["void"].(map[string]any); l["type"] == "void" && (v["kind"] != "void" || v["event_fact_id"] == nil) {
			t.Errorf("void %v", l)
		}
	}
	mapping = filepath.Join("..", "..", "schemas", "carriers", "yunexpress.yaml")
	stdout, _, _ = runCommand(newCarrierTestCommand(), "", mapping, fixture("yunexpress", "numbers.json"))
	if !strings.Contains(stdout, "  number ") || strings.Count(stdout, " = ") == 0 {
		t.Errorf("no pairs of numbers in\n%s", stdout)
	}
}
