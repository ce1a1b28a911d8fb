package schemas

import "testing"

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

func TestCodecDoesNotAllocate(t *testing.T) {
	var enc Encoder
	var got Record
	want := sampleEvent()
	buf := enc.Append(nil, want)
	if n := testing.AllocsPerRun(200, func() { buf = enc.Append(buf[:0], want) }); n != 0 {
		t.Errorf("Encoder.Append allocates %v times an event", n)
	}
	if n := testing.AllocsPerRun(200, func() {
		if err := got.Decode(buf); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Record.Decode allocates %v times an event", n)
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
