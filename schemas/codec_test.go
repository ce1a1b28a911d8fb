package schemas

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// sampleEvent is a typical scan.
func sampleEvent() *Record {
	return &Record{Kind: KindEvent, Event: Event{
		ParcelID: ParcelID("LX123456785CN"), FactID: Hash([]byte("a scan")), Carrier: "china-post",
		TrackingNumber: "LX123456785CN", OccurredAt: 1772330400000, OccurredAtRaw: "2026-03-01 10:00:00",
		OffsetMinutes: 480, TZSource: TZCarrierRule, Milestone: OriginFacilityArrived, Physical: true,
		Progress: true, Leg: 1, Rule: "code:PU", RawCode: "PU", RawText: "Arrived at sorting centre",
		Country: "CN", City: "Shenzhen", OriginCountry: "CN", DestinationCountry: "GB",
		Topic: "scans.raw.china-post", TopicID: Hash([]byte("topic")), Partition: 3, Offset: 81234,
		ReceivedAt: 1772330460000, MappingVersion: 2,
	}}
}

// sampleOrder is the fact of a label, as forwarded to one of its parcels.
func sampleOrder() *Record {
	return &Record{Kind: KindOrder, Forwarded: true, Home: "LX123456785CN", Order: OrderFact{
		FactID: Hash([]byte("a fact")), OrderID: "SO-1", ShopID: "shop-1", Market: "GB", Kind: OrderLabelCreated,
		At: 1772330400000, Carrier: "china-post", TrackingNumbers: []string{"LX123456785CN", "LX000000175CN"},
		LabelSource: "platform", OriginCountry: "CN", DestinationCountry: "GB", Topic: OrdersTopic, ReceivedAt: 1772330460000,
	}}
}

func sampleHandover() *Record {
	return &Record{Kind: KindHandover, Handover: Handover{TrackingNumber: "LX123456785CN", Stages: 255, BadNumber: true, Alerts: []HandedAlert{
		{Family: 1, Status: AlertOpen, Level: 1, TrackingNumber: "LX123456785CN", Anchor: 1772330400, Opened: 1772503200},
		{Family: 255, Status: AlertResolved, Level: 2, Backfill: true, Anchor: 1, Ended: 1<<32 - 1},
	}}}
}

func TestCodecDoesNotAllocate(t *testing.T) {
	for name, want := range map[string]*Record{"event": sampleEvent(), "order": sampleOrder()} {
		var enc Encoder
		var got Record
		buf := enc.Append(nil, want)
		if n := testing.AllocsPerRun(200, func() { buf = enc.Append(buf[:0], want) }); n != 0 {
			t.Errorf("%s: Encoder.Append allocates %v times", name, n)
		}
		if n := testing.AllocsPerRun(200, func() {
			if err := got.Decode(buf); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: Record.Decode allocates %v times", name, n)
		}
	}
}

// A Handover is decoded into the memory of the one before, and nothing of that
// one is left.
func TestDecodeHandoverReusesMemory(t *testing.T) {
	var enc Encoder
	var got Record
	if err := got.Decode(enc.Append(nil, sampleHandover())); err != nil {
		t.Fatal(err)
	}
	was := &got.Handover.Alerts[0]
	want := &Record{Kind: KindHandover, Handover: Handover{Alerts: []HandedAlert{{Family: 7}}}}
	if err := got.Decode(enc.Append(nil, want)); err != nil {
		t.Fatal(err)
	}
	if !sameRecord(&got, want) {
		t.Errorf("read %+v, want %+v", got.Handover, want.Handover)
	}
	if &got.Handover.Alerts[0] != was {
		t.Error("the alerts were allocated anew")
	}
}

// TestDecodeRefuses: counts and sizes beyond a limit are errors, and so are
// numbers that would be cut.
func TestDecodeRefuses(t *testing.T) {
	var enc Encoder
	// inner returns a record of a kind whose body is these bytes.
	inner := func(k Kind, body ...byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, protowire.Number(k), protowire.BytesType), body)
	}
	full := func(n int) []byte {
		return enc.Append(nil, &Record{Kind: KindHandover, Handover: Handover{Alerts: make([]HandedAlert, n)}})
	}
	state := func(n int) []byte {
		return enc.Append(nil, &Record{Kind: KindRebuild, Rebuild: Rebuild{State: make([]byte, n)}})
	}
	numbers := func(n int) []byte {
		return enc.Append(nil, &Record{Kind: KindOrder, Order: OrderFact{TrackingNumbers: make([]string, n)}})
	}
	stalled := func(n int) []byte {
		return enc.Append(nil, &Record{Kind: KindTick, Tick: Tick{Stalled: make([]string, n)}})
	}
	over := protowire.AppendVarint(protowire.AppendTag(nil, 6, protowire.VarintType), 1<<32)
	for _, c := range []struct {
		raw  []byte
		want string
	}{
		{full(MaxHandedAlerts), ""},
		{full(MaxHandedAlerts + 1), "field 8: "},
		{state(MaxRebuild), ""},
		{state(MaxRebuild + 1), "field 9: "},
		{numbers(MaxOrderNumbers), ""},
		{numbers(MaxOrderNumbers + 1), "field 2: "},
		{stalled(maxStalled), ""},
		{stalled(maxStalled + 1), "field 4: "},
		{inner(KindHandover, 0x10, 0x80, 0x02), "256, at most 255"}, // stages
		{inner(KindHandover, append([]byte{0x1a, byte(len(over))}, over...)...), "4294967296"}, // anchor of an alert
		{inner(KindHandover, 0x1a, 0x02, 0x08), "not a scantrail.v1.Record"},                   // an alert is cut off
	} {
		var r Record
		err := r.Decode(c.raw)
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrRecord) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%.20x of %d bytes: error %v, want %q", c.raw, len(c.raw), err, c.want)
		}
	}
}

// What is appended to a decoded State must not write into the record.
func TestDecodedStateIsClipped(t *testing.T) {
	var enc Encoder
	var r Record
	raw := append(enc.Append(nil, &Record{Kind: KindRebuild, Rebuild: Rebuild{State: []byte("state")}}), enc.Append(nil, sampleEvent())...)
	was := slices.Clone(raw)
	if err := r.Decode(raw); err != nil {
		t.Fatal(err)
	}
	_ = append(r.Rebuild.State, "more"...)
	if !slices.Equal(raw, was) {
		t.Error("appending to the state wrote into the record")
	}
}

func BenchmarkEncodeEvent(b *testing.B) {
	var enc Encoder
	r := sampleEvent()
	buf := enc.Append(nil, r)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = enc.Append(buf[:0], r)
	}
}

func BenchmarkDecodeEvent(b *testing.B) {
	var enc Encoder
	var r Record
	buf := enc.Append(nil, sampleEvent())
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Decode(buf); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzDecodeRecord: no bytes may crash the decoder, and what it reads it can
// write and read again.
func FuzzDecodeRecord(f *testing.F) {
	var enc Encoder
	f.Add(enc.Append(nil, sampleEvent()))
	f.Add(enc.Append(nil, &Record{Kind: KindOrder, Forwarded: true, Order: OrderFact{OrderID: "1", TrackingNumbers: []string{"A", ""}}}))
	f.Add(enc.Append(nil, &Record{Kind: KindTick, Tick: Tick{At: -1, Stalled: []string{"a/0"}}}))
	f.Add(enc.Append(nil, &Record{Kind: KindControl, Control: Control{Number: 7, Policy: "name: x"}}))
	f.Add(enc.Append(nil, &Record{Kind: KindControl, Control: Control{Number: 8, Generation: 2, Detector: 3}}))
	f.Add(enc.Append(nil, &Record{Kind: KindVoid, Forwarded: true, Home: "LX123456785CN", Void: Void{EventID: "e1"}}))
	f.Add(enc.Append(nil, sampleOrder()))
	f.Add(enc.Append(nil, sampleHandover()))
	f.Add(enc.Append(nil, &Record{Kind: KindRebuild, Rebuild: Rebuild{EntityID: ID{1}, Ask: 1 << 40, State: []byte{0, 255}}}))
	f.Add(enc.Append(nil, &Record{Kind: KindFeed, Feed: Feed{Carrier: "usps", Topic: "scans.raw.usps", First: 1, Last: 2, Events: 3, MaxLag: -4, LagHours: 5}}))
	f.Add([]byte{0x0a, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var first, second Record
		if first.Decode(raw) != nil || first.Kind == KindNone {
			return
		}
		var enc Encoder
		if err := second.Decode(enc.Append(nil, &first)); err != nil {
			t.Fatal(err)
		}
		if !sameRecord(&first, &second) {
			t.Fatalf("read\n%+v\nread again\n%+v", first, second)
		}
	})
}
