package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// loadLexicon loads the shared lexicon once; a registry never changes.
var loadLexicon = sync.OnceValues(func() (*carriers.Registry, error) { return carriers.LoadLexicon(schemas.Carriers) })

func lexicon(t testing.TB) *carriers.Registry {
	t.Helper()
	r, err := loadLexicon()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tryDraft drafts a mapping of a sample and reads the sample with it.
func tryDraft(t *testing.T, raw string) (draft string, got *trial) {
	t.Helper()
	b, err := draftMapping(lexicon(t), "acme", []sample{{"sample", []byte(raw)}})
	if err != nil {
		t.Fatal(err)
	}
	return string(b), tryText(t, string(b), raw)
}

// tryText reads samples with a mapping.
func tryText(t *testing.T, mapping string, samples ...string) *trial {
	t.Helper()
	r, c, err := lexicon(t).With("acme.yaml", []byte(mapping))
	if err != nil {
		t.Fatalf("%v\n%s", err, mapping)
	}
	got := &trial{file: "acme.yaml", carrier: c, registry: r}
	d := r.NewDecoder(carriers.Limits{})
	for _, s := range samples {
		got.add(d, "sample", []byte(s), carriers.Source{Key: []byte("AC55667788")})
	}
	got.summarise()
	return got
}

func TestDraft(t *testing.T) {
	for _, tt := range []struct {
		name, raw string
		want      []string // lines of the draft
		not       string
		times     string // of the first event, UTC
	}{
		{"one event beside its number", `{"waybill":"AC10020030","status":"Delivered","eventTime":"2026-03-04T10:00:00+02:00"}`,
			[]string{"parcels: .", "number: waybill", "events: .", "layout: rfc3339", `"Delivered": delivered`}, "zone: [location]", "2026-03-04 08:00:00"},
		{"number in every event", `[{"trackingNumber":"AC10020030","code":"10","description":"Out for delivery","timestamp":1772618400000},{"trackingNumber":"AC10020031","code":"11","description":"Delivered","timestamp":1772618460000}]`,
			[]string{"number: trackingNumber", "layout: epoch_ms", `"10": out_for_delivery`}, "zone:", "2026-03-04 10:00:00"},
		{"a day after the 12th tells the order", `{"parcelNo":"AC10020030","scans":[{"type":"A","text":"Delivered","date":"13/04/2026 10:00"},{"type":"B","text":"Parcel picked up","date":"02/04/2026 09:00"}]}`,
			[]string{`layout: "DD/MM/YYYY HH:mm"`, "events: scans"}, "TODO day or month", "2026-04-13 10:00:00"},
		{"no day after the 12th", `{"parcelNo":"AC10020030","scans":[{"type":"A","text":"Delivered","date":"03/04/2026 10:00"}]}`,
			[]string{`layout: "DD/MM/YYYY HH:mm"`, "# TODO day or month first?", `#   layout: "MM/DD/YYYY HH:mm"`}, "", "2026-04-03 10:00:00"},
		{"date and time apart, abbreviation beside", `{"pin":"AC10020030","history":[{"event_code":"7","event_desc":"Delivered","event_date":"2026-01-05","event_time":"16:01:02","event_tz":"EST","signatoryName":"N. Body"}]}`,
			[]string{`value: "{event_date} {event_time}"`, `zone: "{event_tz}"`, `EST: "-05:00"`}, "signatoryName", "2026-01-05 21:01:02"},
		{"xml", `<Track><Parcel ID="AC10020030"><Scan code="PU"><Text>Parcel picked up</Text><When>2026-01-05T10:00:00Z</When><Country>FR</Country></Scan><Scan code="ZZ"><Text>Seen by a drone</Text><When>2026-01-06T10:00:00Z</When><Country>FR</Country></Scan></Parcel></Track>`,
			[]string{"format: xml", "parcels: Track.Parcel", `number: "@ID"`, `code: "@code"`, `"PU": accepted`, `"ZZ": unmapped # TODO "Seen by a drone"`, "country: Country"}, "", "2026-01-05 10:00:00"},
		{"no number at all", `{"answer":{"history":[{"status":"Delivered","time":"2026-03-04T10:00:00Z"}]}}`,
			[]string{`number: "$key" # TODO`, "events: history"}, "", "2026-03-04 10:00:00"},
		{"the lane and the last mile", `{"shipment":{"trackingNumber":"AC10020030","lastMileTrackingNumber":"LM99988877","sender":{"country":"CN","name":"A"},"recipient":{"country":"FR"},"checkpoints":[{"statusCode":"1","message":"Customs released","time":"2026-01-05 10:00:00","location":{"country":"FR","city":"Lyon"}}]}}`,
			[]string{"origin: sender.country", "destination: recipient.country", "aliases: [lastMileTrackingNumber]", "city: location.city", "zone: [location]"}, "sender.name", "2026-01-05 09:00:00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			draft, got := tryDraft(t, tt.raw)
			for _, line := range tt.want {
				if !strings.Contains(draft, line) {
					t.Errorf("%q is missing", line)
				}
			}
			if tt.not != "" && strings.Contains(draft, tt.not) {
				t.Errorf("%q should not stand there", tt.not)
			}
			if len(got.samples[0].events) == 0 || utc(&got.samples[0].events[0]) != tt.times {
				t.Errorf("events %+v, want the first at %s; rejected %v", got.samples[0].events, tt.times, got.samples[0].rejected)
			}
			if t.Failed() {
				t.Log(draft)
			}
		})
	}
}

func TestDraftRefusesSamplesWithoutScans(t *testing.T) {
	for _, raw := range []string{`{"error":"none"}`, `[]`, `{`, `{"a":{"b":1}}`} {
		if b, err := draftMapping(lexicon(t), "acme", []sample{{"sample", []byte(raw)}}); err == nil {
			t.Errorf("%s: a draft without events:\n%s", raw, b)
		}
	}
	if _, err := draftMapping(lexicon(t), "No Name", []sample{{"s", []byte(upsWebhook)}}); err == nil || !strings.Contains(err.Error(), "name should be") {
		t.Errorf("a bad name: %v", err)
	}
}

// TestDraftOfHostileKeys: whatever stands in a sample, a draft loads or is
// refused, and prints nothing that a terminal obeys.
func TestDraftOfHostileKeys(t *testing.T) {
	const raw = `{"trackingNumber":"AC10020030","scans":[{"code":"X\u001b[31m\n- y: \"","status":"Delivered\r\n codes: {}","time":"2026-01-05T10:00:00Z",` +
		`"a.b":"1","{x}":"2","a[b=c]":"3","\u001b[2J":"4","*":"5","^.up":"6","yes":"7","\u202ekey":"8"}]}`
	draft, got := tryDraft(t, raw)
	var out bytes.Buffer
	got.write(&out)
	if err := got.writeJSON(&out); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"\x1b", "\r", "\u202e"} {
		if strings.Contains(draft+out.String(), s) {
			t.Errorf("%q reaches the terminal:\n%s\n%s", s, draft, out.String())
		}
	}
}

// FuzzDraft: whatever the samples, a draft loads or is refused as one that
// holds no scans.
func FuzzDraft(f *testing.F) {
	f.Add([]byte(upsWebhook))
	f.Add([]byte(`<a><b no="AC10020030"><c t="2026-01-01T10:00:00Z" status="Delivered">x</c></b></a>`))
	f.Add([]byte(`{"pin":"AC10020030","history":[{"code":"7","date":"2026-01-05","time":"16:01:02","tz":"EST","text":"Delivered"}],"error":{"code":1}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := draftMapping(lexicon(t), "acme", []sample{{"sample", raw}}); err != nil && strings.Contains(err.Error(), "does not load") {
			t.Error(err)
		}
	})
}

const tryMap = `carrier: acme
version: 1
title: Acme
source: tests
layouts:
  - {name: scans, format: json, when: no, parcels: ., number: "no", events: scans, event: {code: c, text: t, time: [{value: at, layout: [iso, "DD/MM/YYYY HH:mm"]}]}}
codes: {DL: {milestone: delivered, physical: false}, PU: accepted}
`

func TestTrial(t *testing.T) {
	for _, tt := range []struct {
		name, scan string
		want       string
		mend       int
	}{
		{"unmapped, suggested", `{"c":"X1","t":"Out in the van for its delivery","at":"2026-01-05T10:00:00Z"}`, `"X1": out_for_delivery  # suggested, check it; text: "Out in the van for its delivery"`, 1},
		{"a text decides", `{"c":"X1","t":"Delivered","at":"2026-01-05T10:00:00Z"}`, `code "X1" is not in codes; its text decides`, 0},
		{"a code of words", `{"c":"OutForDelivery","at":"2026-01-05T10:00:00Z"}`, `"OutForDelivery": out_for_delivery  # suggested, check it`, 1},
		{"unmapped text", `{"t":"Seen by a drone","at":"2026-01-05T10:00:00Z"}`, `- {match: "Seen by a drone", milestone: ???}  # in texts`, 1},
		{"no zone", `{"c":"PU","at":"2026-01-05T10:00:00"}`, "has no zone rule", 0},
		{"not physical", `{"c":"DL","at":"2026-01-05T10:00:00Z"}`, "delivered, but not physical", 0},
		{"day or month", `{"c":"PU","at":"05/01/2026 10:00"}`, `such as "05/01/2026 10:00", shows which is the day`, 0},
		{"code against text", `{"c":"PU","t":"Delivered","at":"2026-01-05T10:00:00Z"}`, `its text "Delivered" reads like delivered`, 0},
		{"bad time", `{"c":"PU","at":"5 past 10"}`, "bad_time, the mapping can mend it", 1},
		{"unread", `{"c":"PU","at":"2026-01-05T10:00:00Z","gate":"B\u001b7","driver":{"name":"N. Body"}}`, `event  gate         1  "B7"`, 0},
		{"personal", `{"c":"PU","at":"2026-01-05T10:00:00Z","driver":{"name":"N. Body"}}`, `event  driver.name  1  not read (personal?)`, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tryText(t, tryMap, `{"no":"AC10020030","scans":[`+tt.scan+`]}`)
			var out bytes.Buffer
			got.write(&out)
			if !strings.Contains(out.String(), tt.want) || strings.Contains(out.String(), "Body") || got.toMend() != tt.mend {
				t.Errorf("to mend %d, want %d, and %q in\n%s", got.toMend(), tt.mend, tt.want, out.String())
			}
		})
	}
}

func TestCarrierTestCommand(t *testing.T) {
	guide := func(name string) string { return filepath.Join("testdata", "guide", name) }
	if _, _, err := runCommand(newCarrierCommand(), "", "test", guide("nordpak.yaml"), guide("delivered.json"), guide("unknown.json")); err != nil {
		t.Errorf("a finished mapping and an answer that knows nothing: %v", err)
	}
	stdout, _, err := runCommand(newCarrierCommand(), `{"consignment":{"trackingNo":"NP4471180025SE","scans":[{"scanCode":"Q","text":"?","scanTime":"01.02.2026 10:00"}]}}`,
		"test", "--json", guide("nordpak.yaml"), "-")
	if !errors.Is(err, errSaid) {
		t.Errorf("the exit status does not tell of the unmapped code: %v", err)
	}
	types := map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(stdout), "\n") {
		var v struct{ Type, Code, Add string }
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		types[v.Type]++
		if v.Type == "unmapped" && (v.Code != "Q" || !strings.Contains(v.Add, `"Q": ???`)) {
			t.Errorf("got %s", line)
		}
	}
	if types["event"] != 1 || types["unmapped"] != 1 || types["summary"] != 1 || types["warning"] == 0 {
		t.Errorf("lines %v in\n%s", types, stdout)
	}
	if _, _, err := runCommand(newCarrierCommand(), "", "test", guide("delivered.json"), guide("delivered.json")); err == nil || !strings.Contains(err.Error(), "carrier: ") {
		t.Errorf("a file that is no mapping: %v", err)
	}
}

// drafted are collected answers of real carriers from which a draft reads at
// least so many events.
var drafted = map[string]int{
	"amazon_shipping/karrio_tracking_response.json": 3, "asendia/karrio_tracking_response.json": 3, "asendia_us/karrio_tracking_response.json": 10,
	"australiapost/karrio_tracking_response.json": 19, "bpost/karrio_tracking_response.xml": 3, "canadapost/active_shipping_tracking_details_fr.xml": 10,
	"canpar/karrio_tracking_response.xml": 5, "chronopost/karrio_tracking_response.xml": 9, "dhl_express/karrio_tracking_response.xml": 19,
	"dhl_parcel_de/karrio_tracking_response.xml": 7, "easypost/easypost_go_TrackerAll.json": 10, "fedex/karrio_duplicate_tracking_response.json": 18,
	"fedex/active_shipping_tracking_response_delivered_at_facility.xml": 19, "geodis/karrio_tracking_response.json": 7, "gls/karrio_tracking_response.json": 2,
	"hermes/karrio_tracking_response.json": 4, "landmark/karrio_midnight_time_sorting_response.xml": 16, "laposte/karrio_tracking_response.json": 9,
	"mydhl/karrio_tracking_response.json": 2, "parcelone/karrio_tracking_response.json": 5, "roadie/karrio_tracking_response.json": 4,
	"seko/karrio_tracking_response.json": 10, "sf_express/karrio_tracking_response.json": 2, "shipengine/karrio_tracking_response.json": 2,
	"smartkargo/karrio_dot_net_ticks_tracking_response.json": 1, "spring/karrio_tracking_response.json": 2, "teleship/karrio_tracking_response.json": 5,
	"tnt/karrio_tracking_response.xml": 16, "ups/track_alert_webhook_delivery_message.json": 1, "usps/active_shipping_tracking_response.xml": 9,
	"usps/karrio_tracking_response.json": 12, "yanwen/karrio_tracking_response.json": 1,
}

func TestDraftOfRealAnswers(t *testing.T) {
	dir := "../../../shared/payloads"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no collected payloads beside the repository")
	}
	for name, least := range drafted {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		draft, got := tryDraft(t, string(raw))
		if n := len(got.samples[0].events); n < least {
			t.Errorf("%s: %d events, want %d; rejected %v\n%s", name, n, least, got.samples[0].rejected, draft)
		}
	}
}
