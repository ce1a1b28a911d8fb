package carriers

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What the given EDIFACT and EPCIS payloads hold, reviewed by hand. Class-level
// and transformation events name no parcel; an error declaration is a void.
var givenFormats = map[string]string{
	"edifact_iftsta/rail_departed_no_unb.edi":             "destination_facility_departed",
	"edifact_iftsta/rail_departed_unb.edi":                "destination_facility_departed",
	"gs1_epcis/ErrorDeclarationAndCorrectiveEvent.jsonld": "!no_parcel",
	"gs1_epcis/Example_9.6.1-ObjectEvent.jsonld":          "in_transit in_transit in_transit",
	"gs1_epcis/Example_9.6.2-ObjectEvent.jsonld":          "!no_parcel",
	"gs1_epcis/Example_9.6.3-AggregationEvent.jsonld":     "in_transit in_transit in_transit",
	"gs1_epcis/PersistentDisposition-example.jsonld":      strings.TrimSpace(strings.Repeat("in_transit ", 10) + strings.Repeat("info ", 10)),
	"gs1_epcis/object_event_all_possible_fields.jsonld":   "void",
}

func TestGivenFormats(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "payloads")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the given payloads are not here")
	}
	d := load(t).NewDecoder(Limits{})
	var files []string
	for _, carrier := range []string{"edifact_iftsta", "gs1_epcis"} {
		found, err := filepath.Glob(filepath.Join(dir, carrier, "*"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) != len(givenFormats) {
		t.Errorf("%d files, %d in the table", len(files), len(givenFormats))
	}
	slices.Sort(files)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		carrier := filepath.Base(filepath.Dir(file))
		r := d.Decode(carrier, raw, Source{})
		var got []string
		for i := range r.Events {
			got = append(got, r.Events[i].Milestone.String())
		}
		for range r.Voids {
			got = append(got, "void")
		}
		for _, x := range r.Rejected {
			got = append(got, "!"+string(x.Reason))
		}
		if s := strings.Join(got, " "); s != givenFormats[carrier+"/"+filepath.Base(file)] {
			t.Errorf("%s: %s\n%s", file, s, describe(r))
		}
	}
}
