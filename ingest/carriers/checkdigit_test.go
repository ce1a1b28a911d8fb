package carriers

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"scantrail/schemas"
)

func formatNamed(t testing.TB, name string) numberFormat {
	t.Helper()
	for _, f := range numberFormats {
		if f.name == name {
			return f
		}
	}
	t.Fatalf("no format %s", name)
	return numberFormat{}
}

// Numbers that the publishers of the formats and label samples print.
var validNumbers = map[string][]string{
	"s10":         {"RB123456785GB", "LX000000178CN", "CP473124829CN"},
	"ups_1z":      {"1Z999AA10123456784", "1Z5R89390357567127", "1Z879E930346834440"},
	"fedex_12":    {"986578788855", "477179081230", "799531274483"},
	"fedex_15":    {"041441760228964", "568283610012000", "568283610012734"},
	"fedex_96":    {"9611020987654312345672", "9611018034267800045212"},
	"canada_post": {"7035114477138472", "0073938000549297"},
	"usps_impb":   {"9361289878700317633795", "420221539101026837331000039521", "03071790000523483741", "71123456789123456787"},
	"sf":          {"SF1234567890123", "SF123456789012345"},
	"yunexpress":  {"YT2632100000000017"},
	"dhl_express": {"3318810025", "8487135506", "3318810014"},
	"sscc":        {"106141412345678908", "00106141412345678908"},
}

func TestNumberFormats(t *testing.T) {
	if len(validNumbers) != len(numberFormats) {
		t.Errorf("%d formats, %d in the table", len(numberFormats), len(validNumbers))
	}
	for name, numbers := range validNumbers {
		f := formatNamed(t, name)
		for _, n := range numbers {
			if claimed, valid := f.check(n); !claimed || !valid {
				t.Errorf("%s: %s: claimed %v, valid %v", name, n, claimed, valid)
			}
		}
	}
	for number, name := range map[string]string{
		"RB123456784GB": "s10", "1Z999AA10123456785": "ups_1z", "986578788856": "fedex_12", "041441760228965": "fedex_15",
		"9361289878700317633796": "usps_impb", "420221539101026837331000039522": "usps_impb", "SF12345": "sf",
		"YT263210000000001": "yunexpress", "9611020987654312345673": "fedex_96", "7035114477138473": "canada_post", "3318810026": "dhl_express", "106141412345678909": "sscc",
	} {
		if claimed, valid := formatNamed(t, name).check(number); !claimed || valid {
			t.Errorf("%s: %s: claimed %v, valid %v; want claimed and invalid", name, number, claimed, valid)
		}
	}
	for _, foreign := range []string{"", "ABC123456", "1Z999AA1012345678", "JD014600001234567890", "1Z999AA1012345678X"} {
		for _, f := range numberFormats {
			if claimed, valid := f.check(foreign); claimed || valid {
				t.Errorf("%s claims %q", f.name, foreign)
			}
		}
	}
}

// A check digit finds every single wrong digit, whatever its place.
func TestCheckDigitsFindOneWrongDigit(t *testing.T) {
	for _, name := range []string{"s10", "fedex_15", "fedex_96", "canada_post", "usps_impb", "sscc"} {
		f, numbers := formatNamed(t, name), validNumbers[name]
		rapid.Check(t, func(t *rapid.T) {
			n := []byte(rapid.SampledFrom(numbers).Draw(t, "number"))
			i := rapid.IntRange(max(0, len(n)-12), len(n)-1).Draw(t, "at")
			if n[i] > '9' {
				return
			}
			n[i] = '0' + (n[i]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "by")))%10
			if _, valid := f.check(string(n)); valid && name != "s10" { // mod 11 with two results for 0 and 5
				t.Fatalf("%s: %s is valid", name, n)
			}
		})
	}
}

func TestNumberCheck(t *testing.T) {
	r, c, err := LoadMapping(schemas.Carriers, "x.yaml", []byte(`
carrier: examplepost
version: 1
title: Example
source: invented
number_format: [ups_1z, dhl_express]
layouts:
  - {name: a, format: json, when: n, parcels: ., number: n, events: ., event: {code: c, time: {value: t, layout: rfc3339}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	d := r.NewDecoder(Limits{})
	for number, want := range map[string]schemas.NumberCheck{
		"1z 999 aa1 01 2345 6784": schemas.NumberValid, "1Z999AA10123456785": schemas.NumberInvalid,
		"3318810025": schemas.NumberValid, "3318810026": schemas.NumberInvalid, "AB3318810025": schemas.NumberUnknown,
		"986578788855": schemas.NumberUnknown, "RB123456785GB": schemas.NumberValid, "RB123456784GB": schemas.NumberInvalid,
		"RB123456784ZZ": schemas.NumberUnknown, // no country ends so
	} {
		got := d.Decode(c.Name, []byte(`{"n":"`+number+`","c":"x","t":"2026-10-01T08:00:00Z"}`), Source{})
		if len(got.Events) != 1 || got.Events[0].NumberCheck != want {
			t.Errorf("%s: %s, want %s", number, describe(got), want)
		}
	}
}

// The unified DHL API names the service of a shipment, and only the numbers of
// DHL Express have its check digit.
func TestNumberCheckOfLayout(t *testing.T) {
	d := load(t).NewDecoder(Limits{})
	for _, tt := range []struct {
		number, service string
		want            schemas.NumberCheck
	}{
		{"3318810025", "express", schemas.NumberValid},
		{"3318810026", "express", schemas.NumberInvalid},
		{"3318810026", "ecommerce", schemas.NumberUnknown},
		{"00340434161094015902", "parcel-de", schemas.NumberValid},
		{"00340434161094015903", "parcel-de", schemas.NumberInvalid},
		{"RB123456784GB", "express", schemas.NumberInvalid},
	} {
		got := d.Decode("dhl_universal", []byte(`{"shipments":[{"id":"`+tt.number+`","service":"`+tt.service+
			`","events":[{"timestamp":"2026-10-01T08:00:00Z","statusCode":"delivered","status":"Delivered"}]}]}`), Source{})
		if len(got.Events) != 1 || got.Events[0].NumberCheck != tt.want {
			t.Errorf("%s of %s: %s, want %s", tt.number, tt.service, describe(got), tt.want)
		}
	}
	for format, want := range map[string]string{"{when: n}": "format is missing", "{format: isbn}": "isbn", "{format: sscc, if: n}": "unknown key"} {
		_, _, err := LoadMapping(schemas.Carriers, "x.yaml", []byte("carrier: x\nversion: 1\ntitle: X\nsource: s\nlayouts:\n"+
			"  - {name: a, format: json, when: n, parcels: ., number: n, number_format: "+format+", events: e, event: {code: c, time: {value: t, layout: iso}}}\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", format, err, want)
		}
	}
}
