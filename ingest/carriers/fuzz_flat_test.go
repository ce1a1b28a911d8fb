package carriers

import (
	"testing"
	"unicode/utf8"

	"scantrail/schemas"
)

// checkTree asserts that the children of every node lie within it.
func checkTree(t *testing.T, tr *tree) {
	t.Helper()
	var walk func(i, end int)
	walk = func(i, end int) {
		n := &tr.nodes[i]
		if int(n.next) <= i || int(n.next) > end || int(n.start) > len(tr.src) || int(n.end) > len(tr.src) || n.kind < kindObject && n.start > n.end {
			t.Fatalf("%q: node %d: %+v", tr.src, i, *n)
		}
		if n.kind < kindObject && int(n.next) != i+1 {
			t.Fatalf("%q: scalar %d has children", tr.src, i)
		}
		tr.key(i)
		for c := i + 1; c < int(n.next); c = int(tr.nodes[c].next) {
			walk(c, int(n.next))
		}
	}
	if len(tr.nodes) > 0 {
		walk(0, len(tr.nodes))
	}
}

func fuzzEDI(f *testing.F, carrier, pattern string, seeds ...string) {
	addFixtures(f, pattern)
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	r := load(f)
	d := r.NewDecoder(Limits{})
	flat := &r.carriers[carrier].shapes[0].flat
	f.Fuzz(func(t *testing.T, raw []byte) {
		if utf8.Valid(raw) && len(raw) < 1<<16 {
			var tr tree
			tr.reset(raw, Limits{}.withDefaults())
			if tr.parseAs(flat) {
				checkTree(t, &tr)
			} else if tr.reason == "" {
				t.Fatalf("%q: refused without a reason", raw)
			}
		}
		checkResult(t, raw, d.Decode(carrier, raw, Source{}))
	})
}

func FuzzDecodeEDIFACT(f *testing.F) {
	fuzzEDI(f, "edifact_iftsta", "testdata/edifact_iftsta/*.edi",
		"UNA:+.? 'UNB+a'UNH+1+IFTSTA'CNI+1+EX1000017'STS+1+21?+'DTM+334:202610010800?+08:303'UNZ+1'", "UNA+++++'", "UNH", "UNH+?")
}

func FuzzDecodeX12(f *testing.F) {
	fuzzEDI(f, "x12_214", "testdata/x12_214/*.x12", "ISA****************~", "ST*214~", "GS|")
}

func FuzzDecodeCSV(f *testing.F) {
	for _, s := range []string{"Tracking No;Status;Time\nEX1000017;DL;2026-10-01T08:00\n", "a,b,c,d\n\"x\"\"y\",,\r\n", "\"\"", "\"", ",\r", "a;b\n;;;"} {
		f.Add([]byte(s))
	}
	r := loadCSV(f)
	d := r.NewDecoder(Limits{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		for i := range r.carriers["examplecsv"].shapes {
			var tr tree
			tr.reset(raw, Limits{}.withDefaults())
			if tr.parseAs(&r.carriers["examplecsv"].shapes[i].flat) {
				checkTree(t, &tr)
			} else if tr.reason == "" {
				t.Fatalf("%q: refused without a reason", raw)
			}
		}
		checkResult(t, raw, d.Decode("examplecsv", raw, Source{}))
	})
}

// FuzzNumber: no number makes a check fail otherwise than by its verdict, what
// is valid is claimed, and the canonical form is its own.
func FuzzNumber(f *testing.F) {
	for _, all := range validNumbers {
		for _, n := range all {
			f.Add(n)
		}
	}
	f.Add("urn:epc:id:sscc:0614141.1234567890")
	f.Add("https://id.gs1.org/01/09520001123467/21/77")
	d := load(f).NewDecoder(Limits{})
	f.Fuzz(func(t *testing.T, s string) {
		d.arena = d.arena[:0]
		d.epcNumber(s)
		n, ok := d.canonical(s)
		if !ok {
			return
		}
		if again, twice := d.canonical(n); !twice || again != n {
			t.Fatalf("%q: canonical %q, then %q", s, n, again)
		}
		for _, format := range numberFormats {
			if claimed, valid := format.check(n); valid && !claimed {
				t.Fatalf("%s: %q is valid and not claimed", format.name, n)
			}
		}
		if c := d.checkNumber(n); c > schemas.NumberInvalid {
			t.Fatalf("%q: %s", n, c)
		}
	})
}
