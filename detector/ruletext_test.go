package detector

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"scantrail/schemas"
)

// barePolicy has no rule but a gap too long to matter. Rules under test follow
// it.
const barePolicy = `
name: bare
score: {milestones_weight: 60, silence_weight: 40, on_time_weight: 40, completeness_weight: 30, pickup_weight: 20, exception_free_weight: 10}
`

const longGap = "gap: {at_risk: 7000h, open: 7001h, escalate: 7002h}\n"

func testRules(t testing.TB, text string) *rules {
	t.Helper()
	s, err := newRuleSet(1, text, new(Documents))
	if err != nil {
		t.Fatal(err)
	}
	return s.list[len(s.list)-1]
}

// testLife is a life in words. Times are durations since testBase. Lines:
//
//	scan TIME MILESTONE [lane=CN-GB] [country=CN] [num=1] [extra=SECONDS|postcode=X] [progress] [physical] [still] [backfill]
//	order TIME KIND [id=A] [shop=S] [market=GB] [carrier=C] [label=platform] [lane=CN-GB] [promise=TIME] [until=TIME] [postcode=X] [num=1]
//	bad | older
//
// still takes both flags from a scan. Orders other than A are not the main one.
type testLife struct {
	t      testing.TB
	texts  texts
	places places
	life
}

func newTestLife(t testing.TB, text string) *life {
	t.Helper()
	b := &testLife{t: t, texts: newTexts(), places: newPlaces()}
	b.last = true
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		if len(w) == 0 {
			continue
		}
		options := map[string]string{}
		for _, o := range w[min(len(w), 3):] {
			k, v, _ := strings.Cut(o, "=")
			options[k] = v
		}
		switch w[0] {
		case "scan":
			b.scan(w[1], w[2], options)
		case "order":
			b.order(w[1], w[2], options)
		case "bad":
			b.badNumber = true
		case "older":
			b.last = false
		default:
			t.Fatalf("line %q", line)
		}
	}
	b.life.places, b.life.texts = b.places.list, b.texts.list
	return &b.life
}

func testTime(t testing.TB, s string) uint32 {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(testBase/1000) + uint32(int64(d/time.Second))
}

func testLane(s string) lane {
	from, to, _ := strings.Cut(s, "-")
	return newLane(packCountry(from), packCountry(to))
}

func (b *testLife) scan(at, name string, o map[string]string) {
	m, err := schemas.ParseMilestone(name)
	if err != nil {
		b.t.Fatal(err)
	}
	f := fact{
		id: uint64(len(b.facts) + 1), sec: testTime(b.t, at), milestone: m, lane: testLane(o["lane"]),
		place: b.places.of(place{carrier: "acme", country: packCountry(o["country"])}),
		num:   testNumber(o["num"]), extra: uint32(testNumber32(o["extra"])),
	}
	if p := o["postcode"]; p != "" {
		f.extra = postcodeMark(p)
	}
	_, progress := o["progress"]
	_, physical := o["physical"]
	_, still := o["still"]
	if _, ok := o["backfill"]; ok {
		f.flags |= factBackfill
	}
	if !still && (m.Progress() || progress) {
		f.flags |= factProgress
	}
	if !still && (m.Physical() || physical) {
		f.flags |= factPhysical
	}
	b.facts = insert(b.facts, &f)
}

func testNumber(s string) uint8 { return uint8(testNumber32(s)) }

func testNumber32(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func (b *testLife) order(at, name string, o map[string]string) {
	kind, err := schemas.ParseOrderKind(name)
	if err != nil {
		b.t.Fatal(err)
	}
	f := orderFact{
		kind: kind, at: testTime(b.t, at), orderID: []byte("A"), shop: b.texts.of(o["shop"]), market: packCountry(o["market"]),
		carrier: b.texts.of(o["carrier"]), label: b.texts.of(o["label"]), lane: testLane(o["lane"]), num: testNumber(o["num"]),
		postcode: []byte(o["postcode"]),
	}
	if id := o["id"]; id != "" {
		f.orderID = []byte(id)
	}
	if p := o["promise"]; p != "" {
		f.promise = testTime(b.t, p)
	}
	if u := o["until"]; u != "" {
		f.until = testTime(b.t, u)
	}
	b.orders, _, _ = insertOrderFact(b.orders, &f, b.texts.list)
	if string(f.orderID) == "A" {
		b.main, _, _ = insertOrderFact(b.main, &f, b.texts.list)
	}
}

// spell puts a verdict into lines "FAMILY STATUS ANCHOR[#NUMBER] [ENDED]", and
// "wake TIME" in the end.
func spell(v *verdict) string {
	since := func(sec uint32) string {
		d := (time.Duration(sec) - time.Duration(testBase/1000)) * time.Second
		if d == 0 {
			return "0h"
		}
		s := d.String()
		if strings.HasSuffix(s, "m0s") {
			s = strings.TrimSuffix(s, "0s")
		}
		if strings.HasSuffix(s, "h0m") {
			s = strings.TrimSuffix(s, "0m")
		}
		return s
	}
	var b strings.Builder
	for i := range v.wanted {
		w := &v.wanted[i]
		fmt.Fprintf(&b, "%s %s %s", w.family.name(), w.status, since(w.anchor))
		if w.num != 0 {
			fmt.Fprintf(&b, "#%d", w.num)
		}
		if w.ended != 0 {
			fmt.Fprintf(&b, " %s", since(w.ended))
		}
		b.WriteString("\n")
	}
	if v.deadline != 0 {
		fmt.Fprintf(&b, "wake %s\n", since(v.deadline))
	}
	return b.String()
}

// ruleCase is one case of a table: a life in words, and what it calls for.
type ruleCase struct {
	name, life, now, want string
}

func lines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// runCases judges parcels under a policy. The wake of longGap is left out.
func runCases(t *testing.T, policy string, cases []ruleCase) {
	t.Helper()
	r := testRules(t, barePolicy+policy)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := newTestLife(t, c.life)
			var v verdict
			v.evaluate(l, r, testTime(t, c.now))
			checkVerdict(t, &v, c.want)
		})
	}
}

func checkVerdict(t *testing.T, v *verdict, want string) {
	t.Helper()
	if v.deadline > uint32(testBase/1000)+6000*3600 { // the long gap
		v.deadline = 0
	}
	if got, want := spell(v), lines(want); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	for i := 1; i < len(v.wanted); i++ {
		if a, b := &v.wanted[i-1], &v.wanted[i]; a.family > b.family || a.family == b.family && a.anchor >= b.anchor {
			t.Errorf("out of order: %+v before %+v", a, b)
		}
	}
}
