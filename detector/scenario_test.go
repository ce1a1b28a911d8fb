package detector

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"scantrail/schemas"
)

var update = flag.Bool("update", false, "rewrite the expected outputs of testdata/scenarios")

// TestScenarios runs the logs of testdata/scenarios. Times are durations since
// 2026-10-01T00:00:00Z. Lines of a log:
//
//	policy [NUMBER [OLD=NEW ...]]   control record: the default policy, with texts replaced
//	tick [T]                        one tick, without T of the present clock
//	run T                           ticks every 10 minutes up to T
//	scan NUMBER T MILESTONE [key=value ...] [info]
//	order ORDER T KIND [key=value ...]
//	rows                            a tick, then the dirty rows, marked as written
//	orders                          the dirty rows of orders, marked as written
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScenario(t, a.Files[0].Data)
			if *update {
				a.Files = []txtar.File{a.Files[0], {Name: "want", Data: got}}
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := a.Files[1].Data; !bytes.Equal(got, want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

const testBase = int64(1790812800000) // 2026-10-01T00:00:00Z

type scenario struct {
	t      *testing.T
	m      *Machine
	offset int64
	out    Output
	buf    bytes.Buffer
	facts  int
	sent   []schemas.Record // forwarded
}

func runScenario(t *testing.T, log []byte) []byte {
	s := &scenario{t: t, m: NewMachine(3, 1)}
	for n, line := range strings.Split(string(log), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if err := s.line(words); err != nil {
			t.Fatalf("line %d: %q: %v", n+1, line, err)
		}
	}
	return s.buf.Bytes()
}

func (s *scenario) line(w []string) error {
	switch w[0] {
	case "policy":
		return s.policy(w[1:])
	case "tick":
		if len(w) == 1 {
			w = append(w, sinceBase(s.m.Clock()))
		}
		return s.apply(&schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: s.time(w[1])}})
	case "run":
		for end := s.time(w[1]); s.m.Clock() < end; {
			at := end
			if c := s.m.Clock(); c != 0 {
				at = min(end, c+MaxTickStep.Milliseconds())
			}
			if err := s.apply(&schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: at}}); err != nil {
				return err
			}
		}
		return nil
	case "scan":
		return s.apply(s.scan(w[1:]))
	case "order":
		return s.apply(s.order(w[1:]))
	case "rows":
		if s.m.Clock() != 0 {
			if err := s.line([]string{"tick"}); err != nil {
				return err
			}
		}
		rows := s.m.DirtyParcels(1000, nil)
		s.m.MarkParcelsWritten(rows)
		for i := range rows {
			s.row("parcel", reflect.ValueOf(rows[i]))
		}
		return nil
	case "orders":
		rows := s.m.DirtyOrders(1000, nil)
		s.m.MarkOrdersWritten(rows)
		for i := range rows {
			s.row("order", reflect.ValueOf(rows[i]))
		}
		return nil
	}
	return fmt.Errorf("unknown command")
}

func (s *scenario) policy(w []string) error {
	text, number := plainPolicy, 1
	for i, arg := range w {
		if i == 0 {
			number, _ = strconv.Atoi(arg)
		} else if from, to, ok := strings.Cut(arg, "="); ok {
			if !strings.Contains(text, strings.ReplaceAll(from, "_is_", ": ")) {
				return fmt.Errorf("the policy does not say %q", from)
			}
			text = strings.ReplaceAll(text, strings.ReplaceAll(from, "_is_", ": "), strings.ReplaceAll(to, "_is_", ": "))
		}
	}
	return s.apply(&schemas.Record{Kind: schemas.KindControl, Control: schemas.Control{Number: uint32(number), Policy: text}})
}

func (s *scenario) time(w string) int64 {
	days := 0
	if d, rest, ok := strings.Cut(w, "d"); ok {
		days, _ = strconv.Atoi(d)
		if w = rest; w == "" {
			w = "0s"
		}
	}
	d, err := time.ParseDuration(w)
	if err != nil {
		s.t.Fatal(err)
	}
	return testBase + int64(days)*24*time.Hour.Milliseconds() + d.Milliseconds()
}

func (s *scenario) scan(w []string) *schemas.Record {
	m, err := schemas.ParseMilestone(w[2])
	if err != nil {
		s.t.Fatal(err)
	}
	s.facts++
	at := s.time(w[1])
	e := schemas.Event{
		ParcelID: schemas.ParcelID(w[0]), TrackingNumber: w[0], Carrier: "acme", OccurredAt: at, ReceivedAt: at,
		FactID: schemas.Hash([]byte(strconv.Itoa(s.facts))), Milestone: m, Physical: m.Physical(), Progress: m.Progress(),
	}
	for _, arg := range w[3:] {
		k, v, _ := strings.Cut(arg, "=")
		switch k {
		case "id":
			e.FactID = schemas.Hash([]byte(v))
		case "received":
			e.ReceivedAt = s.time(v)
		case "carrier":
			e.Carrier = v
		case "at":
			e.Facility, e.Country, _ = strings.Cut(v, "/")
		case "lane":
			e.OriginCountry, e.DestinationCountry, _ = strings.Cut(v, "-")
		case "mapping":
			n, _ := strconv.Atoi(v)
			e.MappingVersion = uint32(n)
		case "info":
			e.Physical, e.Progress = false, false
		case "backfill":
			e.Backfill = true
		default:
			s.t.Fatalf("unknown argument %q", arg)
		}
	}
	return &schemas.Record{Kind: schemas.KindEvent, Event: e}
}

func (s *scenario) order(w []string) *schemas.Record {
	k, err := schemas.ParseOrderKind(w[2])
	if err != nil {
		s.t.Fatal(err)
	}
	s.facts++
	o := schemas.OrderFact{
		OrderID: w[0], ShopID: "shop-1", Market: "GB", Kind: k, At: s.time(w[1]), ReceivedAt: s.time(w[1]),
		FactID: schemas.Hash([]byte("order" + strconv.Itoa(s.facts))),
	}
	for _, arg := range w[3:] {
		k, v, _ := strings.Cut(arg, "=")
		switch k {
		case "numbers":
			o.TrackingNumbers = strings.Split(v, ",")
		case "lane":
			o.OriginCountry, o.DestinationCountry, _ = strings.Cut(v, "-")
		case "promise":
			o.PromiseAt = s.time(v)
		case "label":
			o.LabelSource = v
		case "shop":
			o.ShopID = v
		case "id":
			o.FactID = schemas.Hash([]byte(v))
		default:
			s.t.Fatalf("unknown argument %q", arg)
		}
	}
	return &schemas.Record{Kind: schemas.KindOrder, Order: o}
}

// apply feeds the record, and what it forwards behind it, as if all of it lived
// in one partition.
func (s *scenario) apply(r *schemas.Record) error {
	s.offset++
	s.out.Reset()
	if err := s.m.Apply(s.offset, r, &s.out); err != nil {
		return err
	}
	s.print()
	for _, f := range s.out.Forwards {
		s.sent = append(s.sent, decoded(f))
	}
	for len(s.sent) > 0 {
		next := s.sent[0]
		s.sent = s.sent[1:]
		if err := s.apply(&next); err != nil {
			return err
		}
	}
	return nil
}

func sinceBase(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return (time.Duration(ms-testBase) * time.Millisecond).String()
}

func (s *scenario) print() {
	clock := sinceBase(s.m.Clock())
	for _, a := range s.out.Alerts {
		fmt.Fprintf(&s.buf, "%s %s %s/%d %s anchor %s", clock, a.Status, a.Rule, a.Level, a.TrackingNumber, sinceBase(a.AnchorAt))
		if a.Milestone != 0 {
			fmt.Fprintf(&s.buf, " missing %s", a.Milestone)
		}
		if a.EndedAt != 0 {
			fmt.Fprintf(&s.buf, " ended %s", sinceBase(a.EndedAt))
		}
		fmt.Fprintf(&s.buf, " opened %s stage %s", sinceBase(a.OpenedAt), a.Stage)
		for _, part := range []string{a.Carrier, a.Facility, a.Country, a.OrderID, a.Origin + "-" + a.Destination} {
			if part != "" && part != "-" {
				fmt.Fprintf(&s.buf, " %s", part)
			}
		}
		if a.Backfill {
			s.buf.WriteString(" backfill")
		}
		s.buf.WriteString("\n")
	}
	for _, st := range s.out.Statuses {
		fmt.Fprintf(&s.buf, "%s status %s %s at %s %s\n", clock, st.TrackingNumber, st.Stage, sinceBase(st.At), st.OrderID)
	}
	for _, f := range s.out.Forwards {
		s.forward(clock, f)
	}
	for _, g := range s.out.Gaps {
		fmt.Fprintf(&s.buf, "%s quarantine %s%s %s\n", clock, g.TrackingNumber, g.OrderID, g.Reason)
	}
}

// row prints the fields that are set.
func (s *scenario) row(kind string, v reflect.Value) {
	s.buf.WriteString(kind)
	for i := range v.NumField() {
		name, f := v.Type().Field(i).Name, v.Field(i)
		if f.IsZero() || name == "ParcelID" || name == "Policy" && f.String() == "default" {
			continue
		}
		val := fmt.Sprint(f.Interface())
		switch {
		case strings.HasSuffix(name, "At"):
			val = sinceBase(f.Int())
		case name == "Version":
			val = fmt.Sprintf("%d.%d.%d", f.Uint()>>52, f.Uint()>>8&(1<<44-1), f.Uint()&255)
		case name == "Required" || name == "Due" || name == "Observed":
			val = fmt.Sprintf("%03b", f.Uint())
		}
		fmt.Fprintf(&s.buf, " %s=%s", name, val)
	}
	s.buf.WriteString("\n")
}

// decoded is the record that a forward appends to the log of another partition.
func decoded(f Forward) (r schemas.Record) {
	if err := r.Decode(f.Value); err != nil {
		panic(err)
	}
	return r
}

func (s *scenario) forward(clock string, f Forward) {
	switch r := decoded(f); r.Kind {
	case schemas.KindOrder:
		fmt.Fprintf(&s.buf, "%s forward %s %s of %s at %s\n", clock, f.Key, r.Order.Kind, r.Order.OrderID, sinceBase(r.Order.At))
	case schemas.KindEvent:
		fmt.Fprintf(&s.buf, "%s forward %s scan of %s %s at %s\n", clock, f.Key, r.Event.TrackingNumber, r.Event.Milestone, sinceBase(r.Event.OccurredAt))
	case schemas.KindAlias:
		fmt.Fprintf(&s.buf, "%s forward %s is also %s\n", clock, f.Key, r.Alias.OtherNumber)
	case schemas.KindVoid:
		fmt.Fprintf(&s.buf, "%s forward %s void of %s\n", clock, f.Key, r.Void.TrackingNumber)
	case schemas.KindHandover:
		fmt.Fprintf(&s.buf, "%s forward %s hand-over of %s with %d alerts\n", clock, f.Key, r.Handover.TrackingNumber, len(r.Handover.Alerts))
	}
}
