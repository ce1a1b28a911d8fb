package importer

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

var update = flag.Bool("update", false, "rewrite the results in testdata")

func newRegistry(t testing.TB) *carriers.Registry {
	t.Helper()
	r, err := carriers.Load(schemas.Carriers, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestFiles reads the files of testdata/*.txtar. The comment of an archive holds
// the configuration as flags; the file want what each row becomes, as Check sees
// it; Send must see the same records.
func TestFiles(t *testing.T) {
	registry := newRegistry(t)
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) < 5 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, path := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			c := config(t, string(a.Comment))
			c.Registry = registry
			dir := t.TempDir()
			want, name := "", ""
			for _, f := range a.Files {
				if f.Name == "want" {
					want = string(f.Data)
					continue
				}
				name = filepath.Join(dir, f.Name)
				if err := os.WriteFile(name, f.Data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got := strings.ReplaceAll(readAll(t, c, name, true), dir+"/", "")
			if *update {
				a.Files[len(a.Files)-1].Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if records := recordsIn(got); recordsIn(strings.ReplaceAll(readAll(t, c, name, false), dir+"/", "")) != records && !strings.Contains(got, ": ") {
				t.Error("Send reads other records than Check")
			}
		})
	}
}

// recordsIn returns the lines of a listing that are records.
func recordsIn(listing string) string {
	var all []string
	for line := range strings.Lines(listing) {
		if strings.Contains(line, " -> ") {
			all = append(all, line)
		}
	}
	return strings.Join(all, "")
}

// config reads the few flags that the cases use.
func config(t *testing.T, comment string) Config {
	c := Config{Kind: Orders, Columns: map[string]string{}, Values: map[string]string{}}
	for line := range strings.Lines(comment) {
		flag, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, rest, _ := strings.Cut(value, "=")
		switch flag {
		case "scans":
			c.Kind, c.Carrier = Scans, value
		case "zone":
			c.Zone = value
		case "time-layout":
			c.TimeLayouts = append(c.TimeLayouts, value)
		case "map":
			c.Columns[name] = rest
		case "set":
			c.Values[name] = rest
		case "", "#":
		default:
			t.Fatalf("unknown flag %q", flag)
		}
	}
	return c
}

// readAll lists what the rows of a file become.
func readAll(t *testing.T, c Config, name string, check bool) string {
	t.Helper()
	im, err := New(c)
	if err != nil {
		return err.Error() + "\n"
	}
	var b bytes.Buffer
	err = im.Read(t.Context(), name, check, func(r *Row, _ int64) error {
		for _, x := range r.Records {
			fmt.Fprintf(&b, "%d %s %s -> %s\n", r.Line, x.Topic, x.Key, x.Value)
		}
		for _, p := range r.Problems {
			fmt.Fprintln(&b, p)
		}
		return nil
	})
	if err != nil {
		fmt.Fprintln(&b, "END", err)
	}
	return b.String()
}

// TestEncodings: a file that is no UTF-8 is refused with the remedy, also where a
// character is cut by a read.
func TestEncodings(t *testing.T) {
	const header, row = "order_id,shop_id,created_at,城市\n", "1,s,2026-09-01T10:00:00Z,深圳\n"
	long := header + strings.Repeat(row, 20_000)
	for name, c := range map[string]struct{ content, want string }{
		"UTF-8":         {header + row, ""},
		"BOM":           {"\ufeff" + header + row, ""},
		"long":          {long, ""},
		"GB18030":       {header + "1,s,2026-09-01T10:00:00Z,\xc9\xee\xdb\xda\n", "iconv -f GB18030"},
		"late":          {long + "1,s,2026-09-01T10:00:00Z,\xff\n", ":20002: not UTF-8 at byte"},
		"cut at end":    {header + "1,s,2026-09-01T10:00:00Z,\xe6\xb7", "not UTF-8"},
		"UTF-16":        {"\xff\xfeo\x00r\x00", "iconv -f UTF-16"},
		"workbook":      {"PK\x03\x04......", "Excel workbook"},
		"gzip":          {"\x1f\x8b\x08\x00....", "gunzip"},
		"empty":         {"", "empty"},
		"open quote":    {header + "\"1,s,2026-09-01T10:00:00Z,x\n" + strings.Repeat("x,y\n", MaxRowBytes/3), "close the quote"},
		"stray quote":   {header + "1,s\"x,2026-09-01T10:00:00Z,x\n", ":2: column 4"},
		"one column":    {"order_id\n1\n", "--delimiter"},
		"twice":         {"order_id,shop_id,Created,Order Date\n1,s,a,b\n", "both look like it"},
		"wrong columns": {"a,b\n1,2\n", "--map shop_id="},
	} {
		file := filepath.Join(t.TempDir(), "x.csv")
		if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		im, err := New(Config{Kind: Orders, Registry: newRegistry(t)})
		if err != nil {
			t.Fatal(err)
		}
		err = im.Read(t.Context(), file, true, func(r *Row, _ int64) error {
			if len(r.Problems) > 0 {
				return r.Problems[0]
			}
			return nil
		})
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

// TestChangedFile: what is sent is what was checked.
func TestChangedFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.jsonl")
	line := `{"shop_id":"s","order_id":"1","kind":"created","at":"2026-09-01T09:30:00Z"}` + "\n"
	if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	im, err := New(Config{Kind: Orders, Registry: newRegistry(t)})
	if err != nil {
		t.Fatal(err)
	}
	job := &Job{Importer: im, Files: []string{file}, Problem: func(p Problem) { t.Error(p) }}
	if _, err := job.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(line+line), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := job.sendFile(t.Context(), &sending{}, file, &job.checked[0]); !errors.Is(err, ErrChanged) {
		t.Errorf("error %v, want ErrChanged", err)
	}
}

func TestSeen(t *testing.T) {
	var s seen
	for i := range 100_000 {
		if s.add(schemas.Hash(fmt.Append(nil, i%60_000))) != (i >= 60_000) {
			t.Fatalf("%d is told wrongly", i)
		}
	}
	if s.n != 60_000 || len(s.slots) != 1<<17 {
		t.Errorf("%d ids in %d slots", s.n, len(s.slots))
	}
}

// FuzzOrders: whatever a table says, each fact that Check lets pass is accepted by
// the parser of the topic, and no cell escapes its field.
func FuzzOrders(f *testing.F) {
	f.Add("A-1", "2026-09-01 10:00:00", "YT26321000000999", "United Kingdom")
	f.Add(`"},{"order_id":"x`, "2026-09-01T10:00:00Z", "a;b|c", "GB")
	registry := newRegistry(f)
	f.Fuzz(func(t *testing.T, id, at, number, country string) {
		var b bytes.Buffer
		b.WriteString("order_id,shop_id,created_at,shipped_at,tracking_number,country\n")
		for _, cell := range []string{id, "s", at, at, number, country} {
			b.WriteString(`"` + strings.ReplaceAll(cell, `"`, `""`) + `",`)
		}
		b.WriteString("\n")
		t1, err := newTable("x.csv", &b, &Config{}, orderFields)
		if err != nil {
			t.Skip()
		}
		clock, err := carriers.NewClock(nil, "UTC")
		if err != nil {
			t.Fatal(err)
		}
		o, err := newOrderTable(t1, clock, registry, true)
		if err != nil {
			t.Fatal(err)
		}
		var r Row
		if err := o.next(&r); err != nil {
			return
		}
		var fact schemas.OrderFact
		for _, rec := range r.Records {
			if err := schemas.ParseOrderFact(rec.Value, &fact); err != nil {
				t.Fatalf("%s: %v", rec.Value, err)
			}
			if want := strings.TrimSpace(id); fact.OrderID != want && !slices.Contains([]string{strings.ReplaceAll(want, "\r\n", "\n")}, fact.OrderID) {
				t.Fatalf("order %q became %q", want, fact.OrderID)
			}
		}
	})
}
