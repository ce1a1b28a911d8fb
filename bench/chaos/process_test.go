package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"scantrail/bench/proc"
)

// TestEnds: which ends of a process are failures.
func TestEnds(t *testing.T) {
	const loop = "; echo up; while :; do sleep 0.01; done"
	for _, c := range []struct {
		script string
		asked  syscall.Signal // 0: nobody asks
		want   string
	}{
		{"trap 'exit 0' TERM" + loop, syscall.SIGTERM, ""},
		{"trap 'exit 3' TERM" + loop, syscall.SIGTERM, "did not end in order after SIGTERM"},
		{":" + loop, syscall.SIGKILL, ""},
		{":" + loop, syscall.SIGTERM, ""}, // it has just begun
		{"echo up", 0, "ended on its own"},
	} {
		p := newProcess(t.TempDir(), "x", "sh", "-c", c.script)
		if err := p.start(); err != nil {
			t.Fatal(err)
		}
		for !strings.Contains(p.tail(100), "up") {
			if err := proc.Pause(t.Context(), time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
		if c.asked != 0 {
			p.end(c.asked)
		} else {
			<-p.ended
		}
		if err := p.err(); (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, asked by %d: %v, want %q", c.script, c.asked, err, c.want)
		}
		if obeyed := p.slowestEnd() > 0; obeyed != strings.Contains(c.script, "exit 0") {
			t.Errorf("%s, asked by %d: slowest end in order %s", c.script, c.asked, p.slowestEnd())
		}
	}
}
