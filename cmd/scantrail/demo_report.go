package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"time"

	"scantrail/bench/world"
)

// report is what the demo found, as JSON. Counts come from ClickHouse, the way
// an analyst would ask for them; the truth comes from the world alone.
type report struct {
	Seed           uint64                    `json:"seed"`
	Parcels        int                       `json:"parcels"`
	RawRecords     uint64                    `json:"raw_records"` // read from the raw topics and orders, by ingest's ledger
	Events         uint64                    `json:"events"`      // rows in scans
	Duplicates     uint64                    `json:"duplicates"`  // of these, facts that were sent before
	DeadLetters    uint64                    `json:"dead_letters"`
	ParcelsOpen    uint64                    `json:"parcels_open"`
	ParcelsClosed  uint64                    `json:"parcels_closed"`
	Alerts         map[string]map[string]int `json:"alerts"` // rule -> status -> alerts
	Precision      float64                   `json:"precision"`
	Recall         float64                   `json:"recall"`
	Rules          map[string]*ruleScore     `json:"rules"`
	Completeness   *float64                  `json:"completeness"` // mean over the shops' counted parcels
	LTS            *float64                  `json:"lts"`          // over all shops and weeks
	Shops          []shopScore               `json:"shops"`
	ScansPerSecond float64                   `json:"scans_per_second"` // events over the time that the world ran
	DurationS      float64                   `json:"duration_s"`
	LedgerProblems uint64                    `json:"ledger_problems"` // rows of audit_blocks; must be 0

	worldSent int64
	wrong     []string // the first few alerts and cases that do not match
}

// ruleScore compares the alerts of a rule with the true cases.
type ruleScore struct {
	Judged bool `json:"judged"` // the world knows every true case; the rest is 0 else

	TrueCases int     `json:"true_cases"`
	Alerts    int     `json:"alerts"`  // open, escalated or resolved
	Correct   int     `json:"correct"` // of these, true cases with the same parcel, anchor and end
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
}

type shopScore struct {
	Shop         string   `json:"shop"`
	Market       string   `json:"market"`
	Parcels      uint64   `json:"parcels"`
	Completeness *float64 `json:"completeness"`
	LTS          *float64 `json:"lts"`
}

func (r *report) json() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	return append(b, '\n'), err
}

// makeReport asks ClickHouse and compares with the truth.
func (d *demo) makeReport(ctx context.Context) (*report, error) {
	r := &report{Seed: d.flags.seed, Parcels: d.flags.parcels, Alerts: map[string]map[string]int{}, worldSent: d.sent}
	ran := time.Since(d.started).Seconds()
	for _, q := range []struct {
		into  []any
		query string
	}{
		{[]any{&r.RawRecords}, `SELECT toUInt64(sum(records)) FROM ranges FINAL`},
		{[]any{&r.Events, &r.Duplicates}, `SELECT count(), toUInt64(count() - uniqExact(fact_id)) FROM scans FINAL`},
		{[]any{&r.DeadLetters}, `SELECT count() FROM dead_letters FINAL`},
		{[]any{&r.ParcelsOpen, &r.ParcelsClosed}, `SELECT countIf(ended_at IS NULL), countIf(ended_at IS NOT NULL) FROM parcels FINAL`},
		{[]any{&r.LedgerProblems}, `SELECT count() FROM audit_blocks`},
		{[]any{&r.Completeness}, `SELECT sum(completeness_sum) / nullIf(sum(counted_parcels), 0) FROM completeness_shop`},
		{[]any{&r.LTS}, `SELECT avgWeighted(lts, counted_parcels) FROM lts_weekly WHERE lts IS NOT NULL AND counted_parcels > 0`},
	} {
		if err := d.pipeline.rows.QueryRow(ctx, q.query).Scan(q.into...); err != nil {
			return nil, fmt.Errorf("report: %s: %w", q.query, err)
		}
	}
	if err := d.shopScores(ctx, r); err != nil {
		return nil, err
	}
	if err := d.judge(ctx, r); err != nil {
		return nil, err
	}
	r.DurationS = ran
	r.ScansPerSecond = float64(r.Events) / d.ran.Seconds()
	return r, nil
}

func (d *demo) shopScores(ctx context.Context, r *report) error {
	rows, err := d.pipeline.rows.Query(ctx, `
		SELECT c.shop, m.market, c.parcels, c.completeness, l.lts
		FROM (SELECT shop_id AS shop, sum(parcels) AS parcels, sum(completeness_sum) / nullIf(sum(counted_parcels), 0) AS completeness
			FROM completeness_shop GROUP BY shop_id) AS c
		LEFT JOIN (SELECT shop_id AS shop, avgWeightedIf(lts, counted_parcels, lts IS NOT NULL) AS lts FROM lts_weekly GROUP BY shop_id) AS l ON l.shop = c.shop
		JOIN (SELECT shop_id AS shop, toString(any(market)) AS market FROM orders FINAL GROUP BY shop_id) AS m ON m.shop = c.shop
		ORDER BY c.shop`)
	if err != nil {
		return fmt.Errorf("report: shops: %w", err)
	}
	defer rows.Close() //nolint:errcheck // read to its end
	for rows.Next() {
		var s shopScore
		if err := rows.Scan(&s.Shop, &s.Market, &s.Parcels, &s.Completeness, &s.LTS); err != nil {
			return fmt.Errorf("report: shops: %w", err)
		}
		r.Shops = append(r.Shops, s)
	}
	return rows.Err()
}

// caseKey names one true case or one alert; both must agree in all of it.
type caseKey struct {
	rule, number, milestone string
	anchor, end             int64 // Unix seconds; 0 while open
}

// judge counts the alerts and compares those that claim something happened
// (open, escalated or resolved) with the truth.
func (d *demo) judge(ctx context.Context, r *report) error {
	truth := map[caseKey]bool{}
	r.Rules = map[string]*ruleScore{}
	for _, c := range d.truth.Cases {
		truth[keyOf(c)] = false
		r.rule(c.Rule).TrueCases++
	}
	rows, err := d.pipeline.rows.Query(ctx, `
		SELECT toString(rule), toString(status), tracking_number, toString(milestone), toUnixTimestamp(anchor_at), ifNull(toUnixTimestamp(ended_at), 0)
		FROM alerts_current ORDER BY tracking_number, rule, milestone, anchor_at`)
	if err != nil {
		return fmt.Errorf("report: alerts: %w", err)
	}
	defer rows.Close() //nolint:errcheck // read to its end
	for rows.Next() {
		var k caseKey
		var status string
		var anchor, end uint32
		if err := rows.Scan(&k.rule, &status, &k.number, &k.milestone, &anchor, &end); err != nil {
			return fmt.Errorf("report: alerts: %w", err)
		}
		k.anchor, k.end = int64(anchor), int64(end)
		if r.Alerts[k.rule] == nil {
			r.Alerts[k.rule] = map[string]int{}
		}
		r.Alerts[k.rule][status]++
		if status == "at_risk" || status == "withdrawn" {
			continue
		}
		s := r.rule(k.rule)
		s.Alerts++
		if !s.Judged {
			continue
		}
		if found, ok := truth[k]; ok && !found {
			truth[k] = true
			s.Correct++
		} else {
			r.miss("not true: ", k)
		}
	}
	for k, found := range truth {
		if !found {
			r.miss("not found:", k)
		}
	}
	r.finish()
	return rows.Err()
}

func keyOf(c world.Case) caseKey {
	k := caseKey{rule: c.Rule, number: c.TrackingNumber, milestone: c.Milestone, anchor: c.AnchorAt.Unix()}
	if !c.EndedAt.IsZero() {
		k.end = c.EndedAt.Unix()
	}
	return k
}

func (r *report) rule(name string) *ruleScore {
	if r.Rules[name] == nil {
		r.Rules[name] = &ruleScore{Judged: slices.Contains(world.Rules, name)}
	}
	return r.Rules[name]
}

// miss keeps a few examples of what went wrong, for whoever wants to look.
func (r *report) miss(what string, k caseKey) {
	if len(r.wrong) < 200 {
		end := "open"
		if k.end > 0 {
			end = time.Unix(k.end, 0).UTC().Format(time.RFC3339)
		}
		r.wrong = append(r.wrong, fmt.Sprintf("%s %s %s %s since %s, %s", what, k.number, k.rule, k.milestone, time.Unix(k.anchor, 0).UTC().Format(time.RFC3339), end))
	}
}

// finish computes the shares. A rule without alerts or cases has none to show.
func (r *report) finish() {
	var all ruleScore
	for _, s := range r.Rules {
		if !s.Judged {
			continue
		}
		s.Precision, s.Recall = share(s.Correct, s.Alerts), share(s.Correct, s.TrueCases)
		all.TrueCases += s.TrueCases
		all.Alerts += s.Alerts
		all.Correct += s.Correct
	}
	r.Precision, r.Recall = share(all.Correct, all.Alerts), share(all.Correct, all.TrueCases)
	sort.Strings(r.wrong)
}

func share(part, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}

// print shows the report to a person.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, `
  %s raw records became %s events in %.0f s (%s scans/s)
  %s were sent twice, %s could not be read and wait in dead_letters with their reason
  %s parcels are on their way, %s have arrived or ended

`, thousands(r.RawRecords), thousands(r.Events), r.DurationS, thousands(uint64(r.ScansPerSecond)),
		thousands(r.Duplicates), thousands(r.DeadLetters), thousands(r.ParcelsOpen), thousands(r.ParcelsClosed))
	fmt.Fprintf(w, "  %-22s %8s %8s %10s %9s %10s | %10s %9s %9s\n", "alerts", "at risk", "open", "escalated", "resolved", "withdrawn", "true cases", "precision", "recall")
	for _, rule := range sortedKeys(r.Rules) {
		a, s := r.Alerts[rule], r.Rules[rule]
		fmt.Fprintf(w, "  %-22s %8d %8d %10d %9d %10d |", rule, a["at_risk"], a["open"], a["escalated"], a["resolved"], a["withdrawn"])
		if s.Judged {
			fmt.Fprintf(w, " %10d %8.2f%% %8.2f%%", s.TrueCases, 100*s.Precision, 100*s.Recall)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "  %-22s %50s | %10s %8.2f%% %8.2f%%\n\n", "all", "", "", 100*r.Precision, 100*r.Recall)
	r.printShops(w)
}

// printShops shows the best and the worst shops as bars, with the thresholds
// under which a marketplace takes visibility away.
func (r *report) printShops(w io.Writer) {
	shops := append([]shopScore(nil), r.Shops...)
	sort.SliceStable(shops, func(i, j int) bool { return score(shops[i].LTS) < score(shops[j].LTS) })
	fmt.Fprintf(w, "  %-8s %-6s %7s  %-28s %s\n", "shop", "market", "parcels", "completeness (85 needed)", "LTS (75 needed)")
	for i, s := range shops {
		if i >= 5 && i < len(shops)-3 {
			if i == 5 {
				fmt.Fprintf(w, "  ... %d more\n", len(shops)-8)
			}
			continue
		}
		fmt.Fprintf(w, "  %-8s %-6s %7d  %s  %s\n", s.Shop, s.Market, s.Parcels, bar(s.Completeness, 85), bar(s.LTS, 75))
	}
}

func score(v *float64) float64 {
	if v == nil {
		return -1
	}
	return *v
}

// bar draws a score of 0-100 and marks one below its threshold.
func bar(v *float64, needed float64) string {
	if v == nil {
		return fmt.Sprintf("%-26s", "-")
	}
	n := min(max(int(*v/5), 0), 20)
	mark := " "
	if *v < needed {
		mark = "!"
	}
	return fmt.Sprintf("%5.1f%s%s%s", *v, mark, strings.Repeat("█", n), strings.Repeat("░", 20-n))
}

// thousands writes 1234567 as 1,234,567.
func thousands(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
