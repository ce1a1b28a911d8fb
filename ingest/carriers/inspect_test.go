package carriers

import (
	"fmt"
	"strings"
	"testing"

	"scantrail/schemas"
)

const inspectMap = `carrier: acme
version: 1
title: Acme
source: tests
layouts:
  - name: scans
    format: json
    when: [list, {path: kind, is: [scan]}]
    parcels: list
    number: ids[type=main].value
    aliases: [ids.other]
    events: scans
    event:
      code: "{a}/{b}"
      text: t
      time: [{value: at, layout: iso}]
      country: ^.land
      skip: {path: done, is: ["false"]}
  - name: xml
    format: xml
    when: R
    parcels: R.P
    number: "@no"
    events: S
    event: {text: ., code: "@c", time: [{value: "@at", layout: iso}]}
`

func TestInspect(t *testing.T) {
	r, c, err := LoadMapping(schemas.Carriers, "acme.yaml", []byte(inspectMap))
	if err != nil {
		t.Fatal(err)
	}
	d := r.NewDecoder(Limits{})
	for _, tt := range []struct{ name, raw, want string }{
		{"json", `{"kind":"scan","page":1,"list":[{"ids":[{"type":"main","value":"AC10020030","note":"n"},{"type":"x","value":"7"}],"land":"FR","empty":"",
			"scans":[{"a":"1","b":"2","t":"x","at":"2026-01-01T10:00:00Z","done":"true","geo":{"lat.deg":1.5}},{"a":"1","t":"x","at":"2026-01-02T10:00:00Z","geo":{"lat.deg":1.5}}]}]}`,
			`scans: 2 events; record page 1 ["1"]; parcel ids.note 1 ["n"]; parcel ids.value 1 ["7"]; event geo.lat\.deg 2 ["1.5"]`},
		{"xml", `<R><P no="AC10020030" x="1"><S c="1" at="2026-01-01T10:00:00Z">In<sub>deep</sub></S></P></R>`,
			`xml: 1 events; parcel @x 1 ["1"]; event sub 1 ["deep"]`},
		{"no layout", `{"kind":"other"}`, `: 0 events`},
		{"broken", `{`, `: 0 events`},
		{"empty", ` `, `: 0 events`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			result, seen := d.Inspect(c.Name, []byte(tt.raw), Source{})
			got := fmt.Sprintf("%s: %d events", seen.Layout, len(result.Events))
			for _, f := range seen.Unread {
				got += fmt.Sprintf("; %s %s %d %q", f.Scope, f.Path, f.Count, f.Examples)
			}
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestLoadMapping(t *testing.T) {
	r, c, err := LoadMapping(schemas.Carriers, "acme.yaml", []byte(inspectMap))
	if err != nil {
		t.Fatal(err)
	}
	if names := r.Names(); len(names) != 1 || names[0] != "acme" {
		t.Errorf("a mapping alone brings %v", names)
	}
	if !strings.Contains(fmt.Sprint(c.Formats()), "xml") || c.Knows("1/2") {
		t.Errorf("formats %v", c.Formats())
	}
	if _, _, err := LoadMapping(schemas.Carriers, "bad.yaml", []byte("carrier: X\nlayouts: 1\n")); err == nil || !strings.Contains(err.Error(), "bad.yaml:1: ") {
		t.Errorf("a bad mapping: %v", err)
	}
}

func TestSuggest(t *testing.T) {
	r, _, err := LoadMapping(schemas.Carriers, "acme.yaml", []byte(inspectMap))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		text, want string
		loose      bool
	}{
		{"Out for delivery", "out_for_delivery", false},
		{"OutForDelivery", "out_for_delivery", false},
		{"OUT_FOR_DELIVERY", "out_for_delivery", false},
		{"Out in the van for its delivery", "out_for_delivery", true},
		{"Seen by a drone", "", false},
		{"", "", false},
	} {
		if got, loose := r.Suggest(tt.text); got != tt.want || loose != tt.loose {
			t.Errorf("%q: %q, loose %v", tt.text, got, loose)
		}
	}
}

func TestLayoutFits(t *testing.T) {
	for _, tt := range []struct {
		layout, value string
		want          bool
	}{
		{"iso", "2026-01-01T10:00:00", true},
		{"rfc3339", "2026-01-01T10:00:00", false},
		{"DD/MM/YYYY", "31/02/2026", false},
		{"DD/MM/YYYY", "28/02/2026", true},
		{"epoch_s", "1772618400", true},
		{"epoch_s", "0000000001", false},
	} {
		if got, err := LayoutFits(tt.layout, tt.value); got != tt.want || err != nil {
			t.Errorf("%s %s: %v %v", tt.layout, tt.value, got, err)
		}
	}
	if _, err := LayoutFits("QQQQ", "2026"); err == nil {
		t.Error("a layout without tokens passes")
	}
}

func TestParse(t *testing.T) {
	r, _, err := LoadMapping(schemas.Carriers, "acme.yaml", []byte(inspectMap))
	if err != nil {
		t.Fatal(err)
	}
	d := r.NewDecoder(Limits{})
	root, format, err := d.Parse([]byte(`<a x="1"><b>2</b><b y="4">3</b></a>`))
	if got := fmt.Sprintf("%v %s %v", root, format, err); got != "{  false true [{a  false true [{@x 1 false false []} {b 2 false false []} {b 3 false true [{@y 4 false false []}]}]}]} xml <nil>" {
		t.Errorf("got %s", got)
	}
	if _, _, err := d.Parse([]byte(`{`)); err == nil {
		t.Error("broken JSON parses")
	}
}
