//go:build unix

package carriers

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"scantrail/schemas"
)

// mebibyte is the default limit of a record, and the size that records are made of
// here: what a sender can cost us at most.
const mebibyte = 1 << 20

// fillUp repeats piece(0), piece(1), ... between head and tail, most times at
// most, up to a mebibyte.
func fillUp(head, tail, between string, most int, piece func(i int) string) []byte {
	var b strings.Builder
	b.WriteString(head)
	for i := range most {
		p := piece(i)
		if b.Len()+len(p)+len(between)+len(tail) > mebibyte {
			break
		}
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(p)
	}
	b.WriteString(tail)
	return []byte(b.String())
}

// same repeats one piece.
func same(s string, args ...any) func(int) string {
	s = fmt.Sprintf(s, args...)
	return func(int) string { return s }
}

func numbered(format string) func(int) string {
	return func(i int) string { return fmt.Sprintf(format, i) }
}

type largeRecord struct {
	name, carrier string
	raw           []byte
}

func largeJSON() []largeRecord {
	const head, tail = `{"waybill_number":"YT2632100000000017","track_events":[`, `]}`
	event := `{"process_time":"2026-10-01T08:12:33","time_zone":"%s","track_node_code":"%s","process_content":"%s"}`
	wide := numbered(`"k%07d":1`)
	names := make([]string, 400)
	for i := range names {
		names[i] = wide(i)
	}
	pad := strings.Repeat("x", 16<<10)
	return []largeRecord{
		{"deep", "yunexpress", fillUp(head, tail, ",", 4500, same(strings.Repeat(`{"a":`, 28)+"1"+strings.Repeat("}", 28)))},
		{"deep arrays", "yunexpress", fillUp(head, tail, ",", 4000, same(strings.Repeat(`[`, 28)+strings.Repeat("]", 28)))},
		{"wide", "yunexpress", fillUp(head, tail, ",", mebibyte, same("{%s}", strings.Join(names, ",")))},
		{"events", "yunexpress", fillUp(head, tail, ",", 9999, same(event, "+8", "PICKED_UP", "x"))},
		{"events that texts decide", "yunexpress", fillUp(head, tail, ",", 9999, same(event, "+8", "", "arrived at a, arrived at b, arrived"))},
		{"customs that the others decide", "17track", fillUp(`{"event":"x","data":{"number":"LX000000175CN","track_info":{"tracking":{"providers":[{"events":[`, `]}]}}}}`, ",", 9999,
			same(`{"time_utc":"2026-10-01T00:12:33Z","sub_status":"InTransit_CustomsProcessing"}`))},
		{"events without a time", "yunexpress", fillUp(head, tail, ",", 9999, same(`{"process_time":"","track_node_code":"PICKED_UP","x":"%s"}`, pad[:50]))},
		{"events with a bad time", "yunexpress", fillUp(head, tail, ",", 9999, same(event, "+8:99", "PICKED_UP", "<b>"))},
		{"long strings", "yunexpress", fillUp(head, tail, ",", 9999, same(event, "+8", "PICKED_UP", pad[:15<<10]))},
		{"long words", "nobody", fillUp(`{"tracking_number":"AB123456789","events":[`, tail, ",", 9999, same(`{"time":"2026-10-01T08:00:00Z","description":"%s"}`, strings.Repeat("arrived ", 1900)))},
		{"tags", "yunexpress", fillUp(head, tail, ",", 9999, same(event, "+8", "PICKED_UP", strings.Repeat("<", 15<<10)))},
		{"escapes", "yunexpress", fillUp(head, tail, ",", 9999, same(event, "+8", "PICKED_UP", strings.Repeat(`\u00e9`, 2500)))},
		{"texts to be cleaned", "fedex", fillUp(`{"trackingNumberInfo":{"trackingNumber":"123456789012"},"scanEvents":[`, tail, ",", 9999,
			same(`{"date":"2026-10-01T08:12:33Z","eventType":"PU","eventDescription":"%[1]s","locationId":"%[1]s","scanLocation":{"city":"%[1]s","stateOrProvinceCode":"%[1]s","postalCode":"%[1]s"}}`, strings.Repeat(`a\t`, 60)))},
		{"numbers", "yunexpress", fillUp(head, tail, ",", 100_000, same("-1234.5e6"))},
		{"parcels", "aftership", fillUp(`{"data":{"trackings":[`, `]}}`, ",", 9999, numbered(`{"tracking_number":"AB%09d","checkpoints":[{"checkpoint_time":"2026-10-01T08:00:00Z","tag":"InTransit"}]}`))},
		{"parcels without a number", "ups", fillUp(`{"trackResponse":{"shipment":[{"package":[`, `]}]}}`, ",", 9999, numbered(`{"trackingNumber":"****%09d","activity":[{"date":"20261001","time":"081233"}]}`))},
		{"aliases", "yunexpress", fillUp(`{"waybill_number":"YT2632100000000017","track_events":[{}],"tracking_number":[`, `]}`, ",", 9999, numbered(`"EX%08d"`))},
		{"aliases, too many", "yunexpress", fillUp(`{"waybill_number":"YT2632100000000017","track_events":[{}],"tracking_number":[`, `]}`, ",", 100_000, numbered(`"EX%08d"`))},
		{"conditions on the whole record", "examplearound", fillUp(`{"groups":[{"parcels":[{"n":"EX1000017","scans":[`, `]}]}]}`, ",", 9999, same(`{"c":"PU","t":"2026-10-01T08:00","a":1,"b":2}`))},
		{"nothing known", "nobody", fillUp(`[`, `]`, ",", mebibyte, same(`{"tracking_number":"AB123456789","x":{"y":[{"z":1}]}}`))},
		{"no JSON at its end", "yunexpress", fillUp(head, "]", ",", 9999, same(event, "+8", "PICKED_UP", "x"))},
		{"EPCIS objects", "gs1_epcis", fillUp(`{"eventTime":"2026-10-01T08:00:00Z","bizStep":"shipping","epcList":[`, `]}`, ",", 9999, numbered(`"urn:epc:id:sscc:9520001.1%09d"`))},
		{"EPCIS events", "gs1_epcis", fillUp(`{"epcisBody":{"eventList":[`, `]}}`, ",", 4000, numbered(`{"eventID":"%08d","eventTime":"2026-09-28T08:00:00+08:00","eventTimeZoneOffset":"+08:00","bizStep":"shipping","disposition":"active","epcList":["urn:epc:id:sscc:9520001.1000000017"]}`))},
	}
}

func largeXML() []largeRecord {
	const head, tail = `<TrackResponse><TrackInfo ID="9400100000000000000017">`, `</TrackInfo></TrackResponse>`
	event := `<TrackDetail><EventTime>9:01 am</EventTime><EventDate>October 6, 2026</EventDate><Event>%s</Event><EventCode>%s</EventCode></TrackDetail>`
	attributes := make([]string, 60)
	for i := range attributes {
		attributes[i] = fmt.Sprintf(`attribute%02d="1"`, i)
	}
	return []largeRecord{
		{"deep", "usps", fillUp(head, tail, "", 4500, same(strings.Repeat("<a>", 28)+strings.Repeat("</a>", 28)))},
		{"wide", "usps", fillUp(head, tail, "", 1900, same("<a %s/>", strings.Join(attributes, " ")))},
		{"elements", "usps", fillUp(head, tail, "", 120_000, same("<a>1</a>"))},
		{"events", "usps", fillUp(head, tail, "", 9999, same(event, "Delivered", "01"))},
		{"events with a bad time", "usps", fillUp(head, tail, "", 9999, same(strings.Replace(event, "am", "xm", 1), "", "01"))},
		{"long texts", "usps", fillUp(head, tail, "", 9999, same(event, strings.Repeat("x ", 7<<10), "01"))},
		{"entities", "usps", fillUp(head, tail, "", 9999, same(event, strings.Repeat("&#xe9;", 2500), "01"))},
		{"comments", "usps", fillUp(head, tail, "", 9999, same(event, strings.Repeat("<!---->", 2000), "01"))},
		{"sections", "usps", fillUp(head, tail, "", 9999, same(event, strings.Repeat("<![CDATA[<]]>", 1000), "01"))},
		{"parcels", "usps", fillUp("<TrackResponse>", "</TrackResponse>", "", 9999, numbered(`<TrackInfo ID="94001%017d"><Error><Number>1</Number></Error></TrackInfo>`))},
	}
}

func largeEDI() []largeRecord {
	const head, tail = "UNA:+.? 'UNB+UNOC:3+A+B+261001:0930+1'UNH+1+IFTSTA:D:00B:UN'", "UNT+1+1'UNZ+1+1'"
	const isa = "ISA*00*          *00*          *ZZ*EXAMPLECARRIER *ZZ*EXAMPLESHIPPER *261001*0930*^*00501*000000077*0*P*>~GS*QM*A*B*20261001*0930*77*X*005010~ST*214*0001~B10*5550001234*PO-77-A*EXCA~LX*1~"
	const end = "SE*1*0001~GE*1*77~IEA*1*000000077~"
	sts := "STS+1+21:::%s'DTM+334:%s:203'LOC+175+DEHAM:139::Hamburg'"
	at7 := "AT7*D1*NS***20261001*%s*ET~MS1*TORONTO*ON*CA~"
	return []largeRecord{
		{"events", "edifact_iftsta", fillUp(head+"CNI+1+EX1000017'", tail, "", 9999, same(sts, "x", "202610081402"))},
		{"events with a bad time", "edifact_iftsta", fillUp(head+"CNI+1+EX1000017'", tail, "", 9999, same(sts, "?'", "2026"))},
		{"parcels", "edifact_iftsta", fillUp(head, tail, "", 9999, numbered("CNI+1+EX%08d'STS+1+21'DTM+334:202610081402:203'"))},
		{"parcels without a number", "edifact_iftsta", fillUp(head, tail, "", 9999, same("CNI+1'STS+1+21'DTM+334:202610081402:203'"))},
		{"messages", "edifact_iftsta", fillUp(head[:strings.Index(head, "UNH")], tail[8:], "", 9999, numbered("UNH+%d+IFTSTA'CNI+1+EX1000017'STS+1+21'DTM+334:202610081402:203'"))},
		{"elements", "edifact_iftsta", fillUp(head, tail, "", 250, same("CNI%s'", strings.Repeat("+123456", 500)))},
		{"long elements", "edifact_iftsta", fillUp(head+"CNI+1+EX1000017'", tail, "", 9999, same(sts, strings.Repeat("?'", 7<<10), "202610081402"))},
		{"segments", "edifact_iftsta", fillUp(head, tail, "", 65_000, same("CNI+1'"))},
		{"events", "x12_214", fillUp(isa, end, "", 9999, same(at7, "102233"))},
		{"events with a bad time", "x12_214", fillUp(isa, end, "", 9999, same(at7, "1"))},
		{"references", "x12_214", fillUp(isa, end, "", 43_000, numbered("L11*EX%08d*2I~"))},
		{"sets", "x12_214", fillUp(isa[:strings.Index(isa, "ST*")], end[10:], "", 9999, numbered("ST*214*%d~B10*5550001234~LX*1~AT7*D1*NS***20261001*102233*ET~"))},
	}
}

func largeCSV() []largeRecord {
	const head = "Tracking No;Status;Place;Time;Note\n"
	row := "EX1000017;PU;Bonn;%s;%s\n"
	return []largeRecord{
		{"rows", "examplecsv", fillUp(head, "", "", 9999, same(row, "2026-10-01T08:00", strings.Repeat("x", 60)))},
		{"rows with a bad time", "examplecsv", fillUp(head, "", "", 9999, same(row, "2026-10-01T08", strings.Repeat("x", 60)))},
		{"rows without a number", "examplecsv", fillUp(head, "", "", 9999, same("****;PU;Bonn;2026-10-01T08:00;%s\n", strings.Repeat("x", 60)))},
		{"cells", "examplecsv", fillUp(head, "", "", 21_000, same(row, "1", "1"))},
		{"empty cells", "examplecsv", fillUp(head, "", "", 100_000, same("%s\n", strings.Repeat(";", 400)))},
		{"columns", "examplecsv", fillUp("", "", ";", 510, numbered("column%04d"))},
		{"quotes", "examplecsv", fillUp(head, "", "", 9999, same(row, "2026-10-01T08:00", `"`+strings.Repeat(`""`, 7<<10)+`"`))},
		{"an open quote", "examplecsv", fillUp(head+`"`, "", "", mebibyte, same("xxxxxxxx\n"))},
	}
}

// TestLargeRecords: whatever a sender puts into a mebibyte, one record makes a
// decoder that has run before allocate at most four times its bytes, and takes
// at most so many times what encoding/json takes for a mebibyte of JSON. Both
// are measured in processor time and again where they miss, so that a slow or
// busy machine does not fail the test.
func TestLargeRecords(t *testing.T) {
	around, _, err := LoadMapping(schemas.Carriers, "x.yaml", []byte(aroundMapping))
	if err != nil {
		t.Fatal(err)
	}
	decoders := map[string]*Decoder{"examplecsv": loadCSV(t).NewDecoder(Limits{}), "examplearound": around.NewDecoder(Limits{})}
	all := load(t).NewDecoder(Limits{})
	document := largeJSON()[3].raw
	for _, records := range [][]largeRecord{largeJSON(), largeXML(), largeEDI(), largeCSV()} {
		for _, r := range records {
			checkLarge(t, cmp.Or(decoders[r.carrier], all), r, document)
		}
	}
}

func checkLarge(t *testing.T, d *Decoder, r largeRecord, document []byte) {
	const memory, slower, attempts = 4, 15, 3
	if len(r.raw) > mebibyte {
		t.Fatalf("%s, %s: %d bytes", r.carrier, r.name, len(r.raw))
	}
	var got *Result
	decode := func() { got = d.Decode(r.carrier, r.raw, Source{Offset: 1, ReceivedAt: 1790812353000}) }
	decode()
	allocated := allocatedBy(decode)
	if allocated > memory*uint64(len(r.raw)) {
		t.Errorf("%s, %s: %d bytes allocated for a record of %d", r.carrier, r.name, allocated, len(r.raw))
	}
	var took, yardstick time.Duration
	for range attempts {
		took, yardstick = quickest(t, decode), quickest(t, func() { json.Valid(document) })
		if took <= slower*yardstick {
			break
		}
	}
	if took > slower*yardstick {
		t.Errorf("%s, %s: %v, more than %d times the %v of encoding/json", r.carrier, r.name, took, slower, yardstick)
	}
	reason := Reason("")
	if len(got.Rejected) > 0 {
		reason = got.Rejected[0].Reason
	}
	t.Logf("%-15s %-32s %7d B: %5d events, %5d rejected %-17s %7d B allocated, %6.2f ms, %4.1f x encoding/json", r.carrier, r.name, len(r.raw),
		len(got.Events), len(got.Rejected), reason, allocated, took.Seconds()*1000, took.Seconds()/yardstick.Seconds())
}

// quickest returns the processor time of the shortest of three runs.
func quickest(t *testing.T, f func()) time.Duration {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	best := time.Duration(1 << 62)
	for range 3 {
		start := used()
		f()
		best = min(best, used()-start)
	}
	return max(best, time.Microsecond)
}

// allocatedBy returns the bytes that f allocates.
func allocatedBy(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
