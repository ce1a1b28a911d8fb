package carriers

import "testing"

func TestCut(t *testing.T) {
	d := load(t).NewDecoder(Limits{})
	tests := []struct {
		name string
		a    alternative
		in   string
		want string
	}{
		{"after", alternative{after: []string{"/"}}, "a/b/c", "c"},
		{"after the first that stands there", alternative{after: []string{"x:", "y-"}}, "y-2", "2"},
		{"after, absent", alternative{after: []string{"/"}}, "abc", ""},
		{"before", alternative{before: []string{"(", ","}}, "a , b (c)", "a"},
		{"part", alternative{split: ",", part: 2}, "Montreal, QC, CA", "QC"},
		{"last part", alternative{split: ",", part: -1}, "Montreal, QC, CA", "CA"},
		{"last but one", alternative{split: ",", part: -2}, "Montreal, QC, CA", "QC"},
		{"no such part", alternative{split: ",", part: 4}, "Montreal, QC, CA", ""},
		{"no such part from the end", alternative{split: ",", part: -2}, "Machelen", ""},
		{"only part", alternative{split: ",", part: -1}, "Machelen", "Machelen"},
		{"of", alternative{split: ",", part: 1, of: 2}, "Berlin, DE", "Berlin"},
		{"of others", alternative{split: ",", part: 1, of: 2}, "Montreal, QC, CA", ""},
		{"first", alternative{first: 2}, "USCHI", "US"},
		{"first of runes", alternative{first: 2}, "深圳市", "深圳"},
		{"first of less", alternative{first: 9}, "US", "US"},
		{"is", alternative{is: []string{"NSW", "VIC"}}, "VIC", "VIC"},
		{"is not", alternative{is: []string{"NSW", "VIC"}}, "Vic", ""},
		{"then", alternative{is: []string{"NSW", "VIC"}, then: "AU"}, "VIC", "AU"},
		{"map", alternative{table: map[string]string{"UK": "GB"}}, "UK", "GB"},
		{"not in the map", alternative{table: map[string]string{"UK": "GB"}}, "FR", ""},
		{"shape", alternative{shape: []string{"9###", "@@??"}}, "AB1c", "AB1c"},
		{"another shape", alternative{shape: []string{"9###", "@@??"}}, "8123", ""},
		{"SSCC URN", alternative{epc: true}, "urn:epc:id:sscc:0614141.1234567890", "106141412345678908"},
		{"SSCC link", alternative{epc: true}, "https://id.gs1.org/00/106141412345678908?x=1", "106141412345678908"},
		{"SGTIN URN", alternative{epc: true}, "urn:epc:id:sgtin:9520001.012346.77", "0952000112346777"},
		{"SGTIN link", alternative{epc: true}, "https://id.example.org/01/09520001123467/21/77", "0952000112346777"},
		{"other URN", alternative{epc: true}, "urn:epc:id:giai:9520001.AB7", "9520001.AB7"},
		{"other link", alternative{epc: true}, "https://example.org/parcels/AB12345", "AB12345"},
		{"bare", alternative{epc: true}, "AB12345", "AB12345"},
	}
	for _, tt := range tests {
		tt.a.cuts = true
		if got := d.cut(&tt.a, tt.in); got != tt.want {
			t.Errorf("%s: cut(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

// Words of alphabets are compared whole and without case.
func TestPhrasesOfAlphabets(t *testing.T) {
	tests := []struct {
		text, phrase string
		found        bool
	}{
		{"ВРУЧЕНО АДРЕСАТУ", "вручено", true}, {"Не вручено", "вручено", true}, {"невручено", "вручено", false},
		{"Приём", "прием", true}, {"ĐÃ GIAO HÀNG THÀNH CÔNG", "đã giao hàng", true}, {"ŁADUNEK wydany", "ładunek", true},
		{"Παραδόθηκε", "παραδόθηκε", true}, {"livrée", "livré", true}, {"快件已签收了", "已签收", true}, {"redelivered", "delivered", false},
	}
	for _, tt := range tests {
		at := findPhrase(appendNormal(nil, tt.text), string(appendNormal(nil, tt.phrase)), 0)
		if found := at >= 0; found != tt.found {
			t.Errorf("%q in %q: %v, want %v", tt.phrase, tt.text, found, tt.found)
		}
	}
}
