package carriers

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"scantrail/schemas"
)

const minimal = `carrier: minimal
version: 1
title: Minimal
source: test
layouts:
  - name: one
    format: json
    parcels: .
    number: number
    events: events
    event:
      code: code
      time:
        - {value: time, layout: rfc3339}
codes:
  A: accepted
`

// Every problem of a mapping is reported with its file, line and key.
func TestBadMappings(t *testing.T) {
	tests := []struct {
		name, old, new string
		want           []string
	}{
		{"unknown key", "title: Minimal", "titel: Minimal", []string{"bad.yaml:3: titel: unknown key", "title is missing"}},
		{"unknown milestone", "A: accepted", "A: acepted", []string{`bad.yaml:16: codes.A: "acepted" is no milestone`}},
		{"twice", "A: accepted", "A: accepted\n  A: delivered", []string{`bad.yaml:17: mapping key "A" already defined`}},
		{"layout of a time", "layout: rfc3339", "layout: DD/MM", []string{`bad.yaml:14: layouts[0].event.time[0].layout: layout "DD/MM"`}},
		{"path", "number: number", "number: a..b", []string{`layouts[0].number: path "a..b"`}},
		{"filter", "number: number", `number: "a[b].c"`, []string{"a filter is written"}},
		{"template", "code: code", `code: "{a"`, []string{"a brace does not end"}},
		{"physical pre-advice", "A: accepted", "A: {milestone: label_created, physical: true}", []string{"codes.A: label_created is a message"}},
		{"format", "format: json", "format: fixed", []string{`"fixed" is none of: json, xml, csv, edifact, x12`}},
		{"zone", "version: 1", "version: 1\nzone: [Mars/Olympus, location]", []string{`zone[0]: "Mars/Olympus" is no IANA time zone`}},
		{"abbreviation", "version: 1", "version: 1\nabbreviations: {EST: five}", []string{"abbreviations.EST"}},
		{"version", "version: 1", "version: one", []string{"version: \"one\" should be a whole number"}},
		{"name", "carrier: minimal", "carrier: Bad Name", []string{"should be a name of lower-case letters"}},
		{"no time", "      time:\n        - {value: time, layout: rfc3339}\n", "", []string{"event.time is missing"}},
		{"like", "    format: json", "    like: other\n    format: json", []string{`no earlier layout is named "other"`}},
		{"condition", "    parcels: .", "    when: {is: [1]}\n    parcels: .", []string{"a path is missing"}},
		{"not YAML", "version: 1", "version: [1", []string{"bad.yaml:"}},
		{"several", "title: Minimal\nsource: test", "", []string{"title is missing", "source is missing"}},
	}
	for _, tt := range tests {
		if !strings.Contains(minimal, tt.old) {
			t.Fatalf("%s: %q does not stand in the mapping", tt.name, tt.old)
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "bad.yaml"), []byte(strings.Replace(minimal, tt.old, tt.new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(schemas.Carriers, dir)
		if err == nil {
			t.Errorf("%s: accepted", tt.name)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v\nwant %s", tt.name, err, want)
			}
		}
	}
}

func TestOverride(t *testing.T) {
	dir := t.TempDir()
	own := strings.Replace(minimal, "carrier: minimal", "carrier: ups", 1)
	for name, text := range map[string]string{"ups.yaml": own, "new.yaml": minimal, "README.md": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Load(schemas.Carriers, dir)
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := r.Carrier("ups"); !ok || c.Title != "Minimal" {
		t.Errorf("ups is still %+v", c)
	}
	if !slices.Contains(r.Names(), "minimal") || !slices.Contains(r.Names(), "usps") {
		t.Errorf("names %v", r.Names())
	}
	if err := os.WriteFile(filepath.Join(dir, "again.yaml"), []byte(minimal), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(schemas.Carriers, dir); err == nil || !strings.Contains(err.Error(), "already described") {
		t.Errorf("two mappings of one carrier: %v", err)
	}
	if _, err := Load(schemas.Carriers, filepath.Join(dir, "absent")); err == nil {
		t.Error("an absent folder is accepted")
	}
	if _, err := Load(fstest.MapFS{}, ""); err == nil {
		t.Error("a build without mappings is accepted")
	}
}

// What a built-in mapping says is sane: announcements never count, all codes
// have a rule, and every carrier states where its list comes from.
func TestBuiltinMappings(t *testing.T) {
	r := load(t)
	for _, want := range []string{"17track", "cainiao", "canadapost", "dhl_express", "dhl_universal", "fedex", "fourpx", "royalmail", "ups", "usps", "yunexpress"} {
		if _, ok := r.Carrier(want); !ok {
			t.Errorf("carrier %s has no mapping", want)
		}
	}
	check := func(where string, d *decision) {
		if d.milestone == schemas.LabelCreated && (d.physical || d.progress) || d.rule == "" {
			t.Errorf("%s: %+v", where, d)
		}
		if d.pseudo == noPseudo && !d.milestone.Known() {
			t.Errorf("%s: milestone %d", where, d.milestone)
		}
		if d.physical && d.pseudo == noPseudo && !d.milestone.Physical() {
			t.Errorf("%s: %s counts as handled", where, d.milestone)
		}
	}
	for _, name := range r.Names() {
		c, _ := r.Carrier(name)
		for code, d := range c.codes {
			check(name+" "+code, d)
		}
		for i := range c.texts {
			check(name+" "+c.texts[i].decision.rule, &c.texts[i].decision)
		}
	}
	for i := range r.lexicon.decisions {
		check(r.lexicon.decisions[i].rule, &r.lexicon.decisions[i])
	}
}

// Traps that known maps fell into.
func TestTraps(t *testing.T) {
	r := load(t)
	for _, tt := range []struct {
		carrier, code string
		want          schemas.Milestone
	}{
		{"ups", "X/KB", schemas.Info}, {"ups", "MP", schemas.LabelCreated}, {"fourpx", "FPX_O_IR", schemas.Info},
		{"usps", "MA", schemas.LabelCreated}, {"usps", "GX", schemas.LabelCreated}, {"fedex", "AE", schemas.Info},
		{"fedex", "AO", schemas.Info}, {"fedex", "OC", schemas.LabelCreated}, {"fedex", "RR", schemas.Info},
		{"cainiao", "GTMS_STA_SIGNED", schemas.AvailableForPickup}, {"cainiao", "GWMS_OUTBOUND", schemas.LabelCreated},
		{"yunexpress", "PRE_INFO", schemas.LabelCreated}, {"fourpx", "FPX_S_OKCC", schemas.Delivered}, {"cainiao", "TD_TRANS_ARRIVE", schemas.InTransit},
	} {
		c, _ := r.Carrier(tt.carrier)
		d := c.meaning(tt.code)
		if d == nil || d.milestone != tt.want || d.physical != tt.want.Physical() {
			t.Errorf("%s %s: %+v, want %s", tt.carrier, tt.code, d, tt.want)
		}
	}
	for carrier, codes := range map[string][]string{"dhl_express": {"PL", "AF"}, "usps": {"10", "A1"}} {
		c, _ := r.Carrier(carrier)
		for _, code := range codes {
			if d := c.meaning(code); d == nil || d.pseudo != facilityArrived {
				t.Errorf("%s %s: %+v, want facility_arrived", carrier, code, d)
			}
		}
	}
}

func TestLexicon(t *testing.T) {
	r := load(t)
	for text, want := range map[string]string{
		"Delivered": "lexicon:en:delivered", "Could not be delivered": "lexicon:en:could not be delivered",
		"OUT_FOR_DELIVERY": "lexicon:en:out for delivery", "Out-for-delivery!": "lexicon:en:out for delivery",
		"household goods": "", "Undelivered": "lexicon:en:undelivered", "Returned to sender": "lexicon:en:returned to sender",
		"邮件到达始发地海关【郑州】，等待清关": "lexicon:zh:到达始发地海关", "派送中": "lexicon:zh:派送中",
		"Votre colis est LIVRÉ.": "lexicon:fr:votre colis est livré", "SORTI POUR LIVRAISON": "lexicon:fr:sorti pour livraison",
		"Export customs clearance completed":            "lexicon:en:export customs clearance completed",
		"Released from import customs":                  "lexicon:en:released from import customs",
		"Shipment information received, awaiting item.": "lexicon:en:shipment information received",
		"": "",
	} {
		got := ""
		if i := r.lexicon.meanings.longest(appendNormal(nil, text)); i >= 0 {
			got = r.lexicon.decisions[i].rule
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// The UPU's own texts, of which no carrier's mapping is needed.
func TestLexiconOfPosts(t *testing.T) {
	d := load(t).NewDecoder(Limits{})
	for text, want := range map[string]schemas.Milestone{
		"Posted": schemas.Accepted, "Arrived at export office": schemas.OriginFacilityArrived,
		"Departed from export office":             schemas.DepartedOrigin,
		"Arrived at destination import office":    schemas.ArrivedDestination,
		"Presented to import customs":             schemas.ImportCustomsStarted,
		"Held for customs inspection":             schemas.ImportCustomsHeld,
		"Released from import customs":            schemas.ImportCleared,
		"Departed from destination import office": schemas.DestinationFacilityDeparted,
		"Arrived at post office":                  schemas.DeliveryFacilityArrived,
		"Out for delivery":                        schemas.OutForDelivery, "Delivered": schemas.Delivered,
	} {
		raw := `{"number":"LX000000175CN","events":[{"time":"2026-10-01T08:00:00Z","text":"` + text + `"}]}`
		got := d.Decode("posts", []byte(raw), Source{})
		if len(got.Events) != 1 || got.Events[0].Milestone != want {
			t.Errorf("%q: %s\nwant %s", text, describe(got), want)
		}
	}
}
