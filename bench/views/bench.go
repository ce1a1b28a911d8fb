package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"scantrail/sink/chdb"
)

//go:embed load.sql
var loadSQL string

// bench is a database with many scans, and what is asked of it.
type bench struct {
	engine   *chdb.Engine
	database string
	parcels  int
}

// days is how many days parcels begin on; the log is as long.
const days = 40

// The numbers of parts that a table is loaded in: the updates stay apart from
// the rest, as rows that were written lately do.
const parcelParts, updateParts = 4, 4

// load fills the tables.
func (b *bench) load(ctx context.Context) error {
	for text := range strings.SplitSeq(loadSQL, "\n;\n") {
		text = strings.TrimSpace(text)
		i := strings.Index(text, "INSERT")
		if i < 0 {
			continue
		}
		name, times := text[:i], 1
		switch {
		case strings.HasSuffix(name, "-- scans\n"):
			times = days
		case strings.HasSuffix(name, "-- parcels\n"):
			times = parcelParts
		case strings.HasSuffix(name, "-- updates\n"):
			times = updateParts
			for _, s := range []string{"OPTIMIZE TABLE parcels FINAL", "SYSTEM STOP MERGES parcels"} {
				if _, err := b.query(ctx, s); err != nil {
					return err
				}
			}
		}
		for n := range times {
			if _, err := b.query(ctx, b.fill(text[i:], n)); err != nil {
				return err
			}
		}
	}
	for _, s := range []string{"OPTIMIZE TABLE scans FINAL", "OPTIMIZE TABLE scan_texts FINAL"} {
		if _, err := b.query(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) fill(text string, n int) string {
	return strings.NewReplacer("{day}", strconv.Itoa(n), "{part}", strconv.Itoa(n), "{days}", strconv.Itoa(days),
		"{daily}", strconv.Itoa(b.parcels/days), "{end}", strconv.Itoa(days), "{start}", "toDateTime64('2026-09-20 00:00:00', 3, 'UTC')").Replace(text)
}

// answer is what the engine says about a query: read are its own counters.
type answer struct {
	Rows int
	Read struct {
		Elapsed float64
		Rows    uint64 `json:"rows_read"`
		Bytes   uint64 `json:"bytes_read"`
	} `json:"statistics"`
}

// query runs one statement.
func (b *bench) query(ctx context.Context, sql string) (answer, error) {
	var out bytes.Buffer
	_, err := b.engine.Query(ctx, chdb.Query{SQL: sql, Format: "JSONCompact", Database: b.database, Buffered: true}, &out)
	var a answer
	if err == nil && out.Len() > 0 {
		err = json.Unmarshal(out.Bytes(), &a)
	}
	if err != nil {
		return a, fmt.Errorf("%.60s...: %w", sql, err)
	}
	return a, nil
}

// question is what somebody asks of the views, with another parcel in each run:
// the engine remembers which parts of a table hold nothing for a condition.
type question struct {
	name string
	sql  func(run int) string
}

func (b *bench) questions() []question {
	number := func(run int) string { return fmt.Sprintf("'LX%09dCN'", b.parcels/3+run*17) }
	always := func(sql string) func(int) string { return func(int) string { return sql } }
	all := []question{
		{"nothing", always("SELECT 1")},
		{"parcel_trail", func(run int) string {
			return "SELECT * FROM parcel_trail WHERE tracking_number = " + number(run) + " ORDER BY toUnixTimestamp(effective_at), milestone_no, fact_id"
		}},
		{"parcel_trail, 8 columns", func(run int) string {
			return "SELECT effective_at, milestone, carrier, raw_code, raw_text, country, city, received_at FROM parcel_trail WHERE tracking_number = " + number(run)
		}},
		{"scans_valid", func(run int) string { return "SELECT * FROM scans_valid WHERE tracking_number = " + number(run) }},
		{"stalled_now", always("SELECT * FROM stalled_now ORDER BY hours_silent DESC LIMIT 100")},
		{"stalled_now, count", always("SELECT count(), countIf(level = 2) FROM stalled_now")},
		{"lts_weekly, a week of all shops", always("SELECT * FROM lts_weekly WHERE week = '2026-10-05'")},
		{"score_explain, a shop's week", always("SELECT * FROM score_explain WHERE shop_id = 'shop-7' AND week = '2026-10-05'")},
		{"lts_what_if, a week of all shops", always("SELECT * FROM lts_what_if(policy_number = 1, policy = 'default') WHERE week = '2026-10-05'")},
		{"open_alerts, a shop", always("SELECT * FROM open_alerts WHERE shop_id = 'shop-7' ORDER BY opened_at")},
	}
	for _, view := range []string{"feed_health", "feed_lag", "lane_stages", "carrier_scorecard", "lane_heatmap", "rates_shop", "rates_lane",
		"rates_carrier", "delivery_time_carrier", "stage_dwell_lane"} {
		all = append(all, question{view, always("SELECT * FROM " + view)})
	}
	return all
}

// measure runs a question several times and returns its last answer and the
// median of the times that they took.
func (b *bench) measure(ctx context.Context, q question, runs int) (a answer, median time.Duration, err error) {
	var took []time.Duration
	for run := range runs {
		began := time.Now()
		if a, err = b.query(ctx, q.sql(run)); err != nil {
			return a, 0, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return a, took[len(took)/2], nil
}

// report prints a line for each question.
func (b *bench) report(ctx context.Context, out io.Writer, only string, runs int) error {
	fmt.Fprintf(out, "%-24s %8s %12s %14s %10s\n", "query", "rows", "rows read", "bytes read", "median ms")
	for _, q := range b.questions() {
		if !strings.HasPrefix(q.name, only) {
			continue
		}
		a, took, err := b.measure(ctx, q, runs)
		if err != nil {
			fmt.Fprintf(out, "%-24s %v\n", q.name, err)
			continue
		}
		fmt.Fprintf(out, "%-24s %8d %12d %14d %10.1f\n", q.name, a.Rows, a.Read.Rows, a.Read.Bytes, float64(took.Microseconds())/1000)
	}
	return nil
}
