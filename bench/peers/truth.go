package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// caseKey names one true case or one alert; both must agree in all of it.
type caseKey struct {
	rule, number, milestone string
	anchor, end             int64 // Unix seconds; 0 while open
}

func (k caseKey) String() string {
	return fmt.Sprintf("%s %s %s from %d to %d", k.rule, k.milestone, k.number, k.anchor, k.end)
}

// judgement holds alerts against the truth.
type judgement struct {
	Alerts   int      `json:"alerts"`    // open, escalated or resolved at the end
	NotTrue  int      `json:"not_true"`  // alerts that no case stands for
	NotFound int      `json:"not_found"` // cases that no alert stands for
	Examples []string `json:"examples,omitempty"`
}

// cases are those of the world by some time.
func (in *input) cases(at time.Time) map[caseKey]bool {
	all := map[caseKey]bool{}
	for _, c := range in.world.TruthAt(at).Cases {
		if in.cancelled[c.TrackingNumber] {
			continue
		}
		k := caseKey{rule: c.Rule, number: c.TrackingNumber, milestone: c.Milestone, anchor: c.AnchorAt.Unix()}
		if !c.EndedAt.IsZero() {
			k.end = c.EndedAt.Unix()
		}
		all[k] = true
	}
	return all
}

// judge allows for what became true between the end of the world and until,
// shortly after it: it may be known or not.
func (in *input) judge(found map[caseKey]bool, until time.Time) *judgement {
	early, late := in.cases(in.to), in.cases(until)
	j := &judgement{Alerts: len(found)}
	var wrong []string
	for k := range found {
		if !early[k] && !late[k] {
			j.NotTrue++
			wrong = append(wrong, "not true: "+k.String())
		}
	}
	for k := range early {
		if late[k] && !found[k] {
			j.NotFound++
			wrong = append(wrong, "not found: "+k.String())
		}
	}
	slices.Sort(wrong)
	j.Examples = wrong[:min(len(wrong), 10)]
	return j
}

// readCases reads alerts: a query whose columns are those of caseKey.
func (e engine) readCases(ctx context.Context, sql string) (map[caseKey]bool, error) {
	text, err := e.query(ctx, sql)
	if err != nil {
		return nil, err
	}
	all := map[caseKey]bool{}
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 5 {
			return nil, fmt.Errorf("clickhouse: %q is no alert", line)
		}
		anchor, err := strconv.ParseInt(f[3], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("clickhouse: %q: %w", line, err)
		}
		end, err := strconv.ParseInt(f[4], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("clickhouse: %q: %w", line, err)
		}
		all[caseKey{f[0], f[1], f[2], anchor, end}] = true
	}
	return all, nil
}
