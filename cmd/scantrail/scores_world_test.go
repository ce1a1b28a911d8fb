package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/detector"
	"scantrail/schemas"
	"scantrail/sink"
	"scantrail/sink/chdb/chdbtest"
)

// scoreBase is hour 0 of the worlds below: a Monday, 08:00.
var scoreBase = time.Date(2026, 10, 5, 8, 0, 0, 0, time.UTC)

func scoreHour(h int) int64 { return scoreBase.Add(time.Duration(h) * time.Hour).UnixMilli() }

// scoreParcel is one line of a world of scores: a parcel and its order, or an
// order without a parcel. Times are hours.
type scoreParcel struct {
	name   string // the first letter is the shop
	market string
	source string // of the label
	order  map[schemas.OrderKind]int
	scans  []scoreScan
	// promise is what the order states; 0: nothing
	promise int
}

type scoreScan struct {
	milestone schemas.Milestone
	hour      int
}

func (p *scoreParcel) shop() string { return p.name[:1] }

func (p *scoreParcel) number() string { return "PARCEL" + p.name }

// parseScoreWorld reads a world in which shops A and B sell to the United States,
// C to Great Britain, from lines such as
//
//	A01 created=0 confirmed=2 label=3 : accepted=24 delivered=140
func parseScoreWorld(t *testing.T, text string) (world []scoreParcel) {
	t.Helper()
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		words := strings.Fields(line)
		p := scoreParcel{name: words[0], market: "US", order: map[schemas.OrderKind]int{}}
		if p.shop() == "C" {
			p.market = "GB"
		}
		scans := false
		for _, w := range words[1:] {
			key, value, _ := strings.Cut(w, "=")
			hour, err := strconv.Atoi(value)
			kind, bad := schemas.ParseOrderKind(map[string]string{"ready": "ready_to_ship", "label": "label_created"}[key])
			if bad != nil {
				kind, bad = schemas.ParseOrderKind(key)
			}
			switch {
			case w == ":":
				scans, err = true, nil
			case scans:
				var m schemas.Milestone
				m, bad = schemas.ParseMilestone(key)
				p.scans = append(p.scans, scoreScan{m, hour})
			case key == "source":
				p.source, err, bad = value, nil, nil
			case key == "promise":
				p.promise, bad = hour, nil
			default:
				p.order[kind] = hour
			}
			if err = cmp.Or(err, bad); err != nil && w != ":" {
				t.Fatalf("%s: %s: %v", p.name, w, err)
			}
		}
		world = append(world, p)
	}
	return world
}

// records returns the facts of the world as ingest writes them.
func scoreRecords(world []scoreParcel) (list []schemas.Record) {
	for i := range world {
		p := &world[i]
		for kind := schemas.OrderCreated; kind <= schemas.OrderHoliday; kind++ {
			hour, ok := p.order[kind]
			if !ok {
				continue
			}
			o := schemas.OrderFact{FactID: schemas.ParcelID(p.name + kind.String()), ShopID: p.shop(), OrderID: "SO-" + p.name, Market: p.market,
				Kind: kind, At: scoreHour(hour), ReceivedAt: scoreHour(hour)}
			if kind == schemas.OrderCreated && p.promise != 0 {
				o.PromiseAt = scoreHour(p.promise)
			}
			if kind == schemas.OrderLabelCreated {
				o.TrackingNumbers, o.OriginCountry, o.DestinationCountry, o.LabelSource = []string{p.number()}, "CN", p.market, p.source
			}
			list = append(list, schemas.Record{Kind: schemas.KindOrder, Order: o})
		}
		for n, s := range p.scans {
			e := schemas.Event{ParcelID: schemas.ParcelID(p.number()), FactID: schemas.ParcelID(fmt.Sprint(p.name, n)), TrackingNumber: p.number(),
				Carrier: "acme", Milestone: s.milestone, Physical: s.milestone.Physical(), Progress: s.milestone.Progress(),
				OccurredAt: scoreHour(s.hour), ReceivedAt: scoreHour(s.hour), OriginCountry: "CN", DestinationCountry: p.market}
			list = append(list, schemas.Record{Kind: schemas.KindEvent, Event: e})
		}
	}
	slices.SortStableFunc(list, func(a, b schemas.Record) int { return cmp.Compare(scoreReceived(&a), scoreReceived(&b)) })
	return list
}

func scoreReceived(r *schemas.Record) int64 {
	if r.Kind == schemas.KindOrder {
		return r.Order.ReceivedAt
	}
	return r.Event.ReceivedAt
}

// disorder returns the records in another order, some of them twice.
func disorder(list []schemas.Record, rng *rand.Rand) []schemas.Record {
	list = slices.Clone(list)
	for range len(list) / 4 {
		list = append(list, list[rng.IntN(len(list))])
	}
	rng.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
	return list
}

// scoreDatabase is a database that holds what a detector found in a world.
type scoreDatabase struct {
	driver.Conn
	addr, name string
}

const scorePolicyNumber = 1_790_000_000

// judgeWorld runs the records through a detector, under a policy document, and
// writes its rows as they stand at an hour. Where the records are in order of
// reception the clock ticks between them, else at the end alone.
func judgeWorld(t *testing.T, policy string, list []schemas.Record, inOrder bool, until int) *scoreDatabase {
	t.Helper()
	d := &detection{machine: detector.NewMachine(0, 1), alerts: map[alertKey]schemas.Alert{}}
	control := schemas.Control{Number: scorePolicyNumber, Policy: policy}
	must(t, d.apply(&schemas.Record{Kind: schemas.KindControl, Control: control}))
	const step = 10 * minuteMillis // the clock takes no longer ones
	next, end := scoreHour(0), scoreHour(until)
	for i := range list {
		for ; inOrder && next < scoreReceived(&list[i]); next += step {
			must(t, d.tick(next))
		}
		must(t, d.apply(&list[i]))
	}
	if !inOrder {
		next = end
	}
	for ; next <= end; next += step {
		must(t, d.tick(next))
	}
	const all = 1 << 30
	return writeScoreRows(t, &control, d.machine.DirtyParcels(all, nil), d.machine.DirtyOrders(all, nil), until)
}

func writeScoreRows(t *testing.T, control *schemas.Control, parcels []schemas.ParcelRow, orders []schemas.OrderRow, until int) *scoreDatabase {
	t.Helper()
	addr, name := chdbtest.Database(t)
	conn, err := sink.Open(sink.Options{URLs: []string{"http://" + addr}, Database: name})
	must(t, err)
	t.Cleanup(func() { conn.Close() }) //nolint:errcheck // of a test
	_, err = sink.Migrate(t.Context(), conn, sink.MigrateOptions{Now: scoreBase})
	must(t, err)
	w := sink.NewRows(conn)
	must(t, w.InsertPolicies(t.Context(), control))
	must(t, w.InsertParcels(t.Context(), parcels))
	must(t, w.InsertOrders(t.Context(), orders))
	db := &scoreDatabase{conn, addr, name}
	db.setClock(t, until)
	return db
}

// setClock moves the clock of the log, as the sink's ledger shows it.
func (d *scoreDatabase) setClock(t *testing.T, hour int) {
	t.Helper()
	must(t, d.Exec(t.Context(), fmt.Sprintf("INSERT INTO blocks (partition, bucket, last_offset, last_tick_at) VALUES (0, 0, %d, fromUnixTimestamp64Milli(%d, 'UTC'))",
		hour+1, scoreHour(hour))))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// text returns the result of a query in the format that it names.
func (d *scoreDatabase) text(t *testing.T, query string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+d.addr+"/?"+url.Values{"database": {d.name}}.Encode(), strings.NewReader(query))
	must(t, err)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	must(t, err)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s\n%s", query, body)
	}
	return string(body)
}
