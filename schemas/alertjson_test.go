package schemas

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func anyID(t *rapid.T, label string) (id ID) {
	copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, label))
	id[0] |= 1 // the zero ID means that there is none
	return id
}

func anyAlert(t *rapid.T) Alert {
	text := rapid.String()
	when := rapid.Int64Range(0, 253402300799999) // up to the year 9999
	stages := append(Milestones()[:0:0], Milestones()...)
	return Alert{
		AlertID: anyID(t, "alert"), Home: anyID(t, "home"), Version: rapid.Uint64().Draw(t, "version"),
		Rule: text.Draw(t, "rule"), Level: rapid.Uint8().Draw(t, "level"),
		Status:    AlertStatus(rapid.IntRange(1, 5).Draw(t, "status")),
		Milestone: rapid.SampledFrom(stages).Draw(t, "milestone"), Stage: rapid.SampledFrom(stages).Draw(t, "stage"),
		ParcelID: anyID(t, "parcel"), TrackingNumber: text.Draw(t, "number"), Carrier: text.Draw(t, "carrier"),
		ShopID: text.Draw(t, "shop"), OrderID: text.Draw(t, "order"), Market: text.Draw(t, "market"),
		Origin: text.Draw(t, "origin"), Destination: text.Draw(t, "destination"),
		Facility: text.Draw(t, "facility"), Country: text.Draw(t, "country"),
		AnchorAt: when.Draw(t, "anchor"), EndedAt: when.Draw(t, "ended"), OpenedAt: when.Draw(t, "opened"),
		ChangedAt: when.Draw(t, "changed"), Backfill: rapid.Bool().Draw(t, "backfill"),
		Detail: text.Draw(t, "detail"), Cause: text.Draw(t, "cause"), SilentSecs: rapid.Uint32().Draw(t, "silent"),
		Held: rapid.Bool().Draw(t, "held"), Uncertain: rapid.Bool().Draw(t, "uncertain"), Policy: text.Draw(t, "policy"),
	}
}

func TestAlertJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyAlert(t)
		b := AppendAlertJSON([]byte("kept"), &want)[4:]
		if !json.Valid(b) {
			t.Fatalf("not JSON: %s", b)
		}
		var got Alert
		if err := ParseAlertJSON(b, &got); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if got != want {
			t.Fatalf("read back\n%+v, want\n%+v", got, want)
		}
	})
}

func TestAlertJSON(t *testing.T) {
	a := Alert{AlertID: ID{1}, Home: ID{2}, Version: 1 << 60, Rule: RuleGap48h, Level: 1, Status: AlertOpen,
		Stage: ExportCleared, TrackingNumber: "LX000000175CN", Facility: "<b>\"\u2028\u202e\x00\xff", AnchorAt: 1790812353000, ChangedAt: 1790985153000,
		SilentSecs: 172800, Cause: "feed", Held: true, Policy: "default"}
	got := string(AppendAlertJSON(nil, &a))
	want := `{"specversion":"1.0","id":"01000000-0000-0000-0000-000000000000:1152921504606846976","source":"scantrail",` +
		`"type":"scantrail.alert.open","subject":"LX000000175CN","time":"2026-10-02T23:52:33.000Z","datacontenttype":"application/json",` +
		`"data":{"alert_id":"01000000-0000-0000-0000-000000000000","home":"02000000-0000-0000-0000-000000000000","version":"1152921504606846976",` +
		`"rule":"gap_48h","level":1,"status":"open","stage":"export_cleared","tracking_number":"LX000000175CN",` +
		`"facility":"\u003cb\u003e\"\u2028\u202e\u0000\ufffd","anchor_at":"2026-09-30T23:52:33.000Z","changed_at":"2026-10-02T23:52:33.000Z","silent_secs":172800,"cause":"feed","backfill":false,"held":true,"uncertain":false,"policy":"default"}}`
	got = withoutAction(got)
	if got != want {
		t.Errorf("alert is\n%s, want\n%s", got, want)
	}
	s := Status{ParcelID: ID{3}, TrackingNumber: "LX000000175CN", Version: 7, Stage: "delivered", At: 1790812353000, ChangedAt: 1790812354000}
	got = string(AppendStatusJSON(nil, &s))
	want = `{"specversion":"1.0","id":"03000000-0000-0000-0000-000000000000:7","source":"scantrail","type":"scantrail.status.delivered",` +
		`"subject":"LX000000175CN","time":"2026-09-30T23:52:34.000Z","datacontenttype":"application/json",` +
		`"data":{"parcel_id":"03000000-0000-0000-0000-000000000000","version":"7","tracking_number":"LX000000175CN","stage":"delivered",` +
		`"at":"2026-09-30T23:52:33.000Z","changed_at":"2026-09-30T23:52:34.000Z"}}`
	if got != want {
		t.Errorf("status is\n%s, want\n%s", got, want)
	}
}

// withoutAction drops the advice from a message: its words have tests of their
// own.
func withoutAction(message string) string {
	return regexp.MustCompile(`"action":"(\\.|[^"\\])*",`).ReplaceAllString(message, "")
}

// Alerts of an order or of a feed name no parcel: their home is the entity, and
// the message is about the order or the carrier.
func TestAlertJSONWithoutParcel(t *testing.T) {
	for want, a := range map[string]Alert{
		"SO-1": {AlertID: ID{1}, Home: ID{2}, Rule: RuleConfirmLate, Status: AlertOpen, OrderID: "SO-1", ShopID: "shop-1", ChangedAt: 1},
		"usps": {AlertID: ID{1}, Home: ID{3}, Rule: RuleFeedStale, Status: AlertOpen, Carrier: "usps", ChangedAt: 1},
	} {
		b := AppendAlertJSON(nil, &a)
		var m struct {
			Subject string                     `json:"subject"`
			Data    map[string]json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		if m.Subject != want || m.Data["parcel_id"] != nil || m.Data["tracking_number"] != nil {
			t.Errorf("message is %s, want one about %s that names no parcel", b, want)
		}
		var got Alert
		if err := ParseAlertJSON(b, &got); err != nil || got != a {
			t.Errorf("%v: read back\n%+v, want\n%+v", err, got, a)
		}
	}
}

func TestParseAlertJSONErrors(t *testing.T) {
	const id = `"alert_id":"01000000-0000-0000-0000-000000000000"`
	for _, c := range []struct{ in, want string }{
		{``, "unexpected end"},
		{`[]`, "cannot unmarshal"},
		{`{"specversion":"0.3","data":{}}`, "not a CloudEvent"},
		{`{"specversion":"1.0"}`, "not a CloudEvent"},
		{`{"specversion":"1.0","data":{}}`, "alert_id is missing"},
		{`{"specversion":"1.0","data":{"alert_id":"x"}}`, "not a UUID"},
		{`{"specversion":"1.0","data":{` + id + `,"version":"x"}}`, "data.version"},
		{`{"specversion":"1.0","data":{` + id + `,"version":"1","status":"x"}}`, "data.status"},
		{`{"specversion":"1.0","data":{` + id + `,"version":"1","status":"open","stage":"x"}}`, "data.stage"},
		{`{"specversion":"1.0","data":{` + id + `,"version":"1","status":"open","ended_at":"x"}}`, "data.ended_at"},
		{strings.Repeat(" ", MaxAlertBytes+1), "at most"},
	} {
		var a Alert
		if err := ParseAlertJSON([]byte(c.in), &a); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80s: error %v, want %q", c.in, err, c.want)
		}
	}
}

func TestDeadLetterRoundTrip(t *testing.T) {
	want := DeadLetter{Reason: "bad_time", Field: "track_events[0].process_time", Detail: strings.Repeat("x", 2000), Carrier: "yunexpress",
		EventIndex: -1, Index: 2, Topic: "scans.raw.yunexpress", TopicID: ID{9}, Partition: 3, Offset: 1 << 40, ReceivedAt: 1790812353001,
		MappingVersion: 1<<32 - 1, Raw: []byte("{\xff"), RawSize: 5000}
	headers := append(want.Headers(), Header{Key: CutHeader, Value: []byte("5000")}, Header{Key: "carrier-own", Value: []byte("kept")})
	var got DeadLetter
	if err := ParseDeadLetter(want.Raw, headers, &got); err != nil {
		t.Fatal(err)
	}
	want.Detail = want.Detail[:maxDetail]
	if string(got.Raw) != string(want.Raw) {
		t.Errorf("raw %q, want %q", got.Raw, want.Raw)
	}
	got.Raw, want.Raw = nil, nil
	if g, w := jsonOf(t, got), jsonOf(t, want); g != w {
		t.Errorf("read back\n%s, want\n%s", g, w)
	}
	for _, key := range []string{"reason", "topic", "partition", "offset"} {
		var left []Header
		for _, h := range headers {
			if h.Key != key {
				left = append(left, h)
			}
		}
		if err := ParseDeadLetter(nil, left, &got); err == nil || !strings.Contains(err.Error(), key+" is missing") {
			t.Errorf("without %s: error %v", key, err)
		}
	}
	if err := ParseDeadLetter(nil, []Header{{"offset", []byte("x")}}, &got); err == nil || !strings.Contains(err.Error(), "header offset") {
		t.Errorf("bad offset: error %v", err)
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func FuzzParseAlertJSON(f *testing.F) {
	a := Alert{AlertID: ID{1}, Version: 1, Rule: RuleGap48h, Status: AlertOpen, TrackingNumber: "LX000000175CN", AnchorAt: 1790812353000}
	f.Add(AppendAlertJSON(nil, &a))
	f.Add([]byte(`{"specversion":"1.0","data":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var first, second Alert
		if ParseAlertJSON(b, &first) != nil {
			return
		}
		// What was read can be written and read back, but for times that
		// have no year of four digits.
		for _, at := range []int64{first.AnchorAt, first.EndedAt, first.OpenedAt, first.ChangedAt} {
			if at < -62135596800000 || at > 253402300799999 {
				return
			}
		}
		if err := ParseAlertJSON(AppendAlertJSON(nil, &first), &second); err != nil || first != second {
			t.Fatalf("%v: read back\n%+v, want\n%+v", err, second, first)
		}
	})
}

func FuzzParseDeadLetter(f *testing.F) {
	f.Add("reason", "not_json", "topic", "scans.raw.x", "partition", "1", "offset", "5")
	f.Add("topic_id", "01000000-0000-0000-0000-000000000000", "event_index", "-1", "received_at", "2026-10-01T00:00:00.000Z", "mapping_version", "7")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2, k3, v3, k4, v4 string) {
		headers := []Header{{"reason", []byte("r")}, {"topic", []byte("t")}, {"partition", []byte("0")}, {"offset", []byte("0")},
			{k1, []byte(v1)}, {k2, []byte(v2)}, {k3, []byte(v3)}, {k4, []byte(v4)}}
		var first, second DeadLetter
		if ParseDeadLetter(nil, headers, &first) != nil || len(v1)+len(v2)+len(v3)+len(v4) > maxDetail {
			return
		}
		if first.ReceivedAt < -62135596800000 || first.ReceivedAt > 253402300799999 {
			return
		}
		if err := ParseDeadLetter(nil, first.Headers(), &second); err != nil {
			t.Fatal(err)
		}
		if jsonOf(t, first) != jsonOf(t, second) {
			t.Fatalf("read back\n%+v, want\n%+v", second, first)
		}
	})
}

func BenchmarkParseAlertJSON(b *testing.B) {
	raw := AppendAlertJSON(nil, &Alert{AlertID: ID{1}, Home: ID{2}, Version: 1 << 60, Rule: RuleGap48h, Level: 1, Status: AlertOpen,
		Stage: ExportCleared, ParcelID: ID{3}, TrackingNumber: "LX000000175CN", Carrier: "yunexpress", ShopID: "shop-17", OrderID: "576000000000000017",
		Market: "GB", Origin: "CN", Destination: "GB", Facility: "Shenzhen", AnchorAt: 1790812353000, OpenedAt: 1790985153000,
		ChangedAt: 1790985153000, SilentSecs: 172800, Policy: "default"})
	var a Alert
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if err := ParseAlertJSON(raw, &a); err != nil {
			b.Fatal(err)
		}
	}
}
