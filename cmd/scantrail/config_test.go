package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// problemsMark begins the comment at the end of a bad configuration that lists
// the messages it must give.
const problemsMark = "# problems:\n"

// TestBadConfigs holds every message to the letter: they are what an operator
// has at three in the morning.
func TestBadConfigs(t *testing.T) {
	files, err := filepath.Glob("testdata/config/*.bad.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad configurations in testdata/config: %v", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, want, ok := strings.Cut(string(raw), problemsMark)
			_, err = LoadConfig(path)
			if err == nil {
				t.Fatal("accepted")
			}
			dir, _ := filepath.Abs(filepath.Dir(path))
			got := strings.NewReplacer(path+":", "", dir+"/", "", filepath.Dir(path)+"/", "").Replace(err.Error())
			got = "#   " + strings.ReplaceAll(got, "\n", "\n#   ") + "\n"
			if !ok || got != want {
				t.Errorf("messages differ; the end of the file should read\n%s%s", problemsMark, got)
			}
		})
	}
}

func TestDefaultsAreValid(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	for _, empty := range []string{"", "# nothing\n", "kafka:\n", "---\n"} {
		c, err := ParseConfig("scantrail.yaml", []byte(empty))
		if err != nil {
			t.Fatalf("%q: %v", empty, err)
		}
		if !reflect.DeepEqual(c, DefaultConfig()) {
			t.Errorf("%q does not give the defaults", empty)
		}
	}
}

// TestEveryFieldIsRead gives every field a value that is not its default, by
// reflection: a field that is added without a reader fails here.
func TestEveryFieldIsRead(t *testing.T) {
	t.Setenv("SCANTRAIL_TEST_PASSWORD", "staple")
	want := DefaultConfig()
	changeAll(t, reflect.ValueOf(want).Elem())
	out, err := yaml.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got := &Config{}
	if _, problems := decodeConfig(out, got); problems.err() != nil {
		t.Fatalf("%s\n%v", out, problems)
	}
	got.ClickHouse.Password.resolve("")
	got.Raw.ClickHouse.Password.resolve("")
	got.Kafka.SASL.Password.resolve("")
	got.Notify.resolve("")
	got.Web.resolve("")
	got.Push.resolve("")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read back differently:\n%s\ngot  %+v\nwant %+v", out, got, want)
	}
}

func changeAll(t *testing.T, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		if v.Type().Field(i).Tag.Get("yaml") == "" {
			t.Errorf("%s.%s has no yaml name", v.Type(), v.Type().Field(i).Name)
		}
		switch dst := f.Addr().Interface().(type) {
		case *string:
			*dst += "x"
		case *bool:
			*dst = !*dst
		case *int:
			*dst += 7
		case *[]string:
			*dst = []string{"a:1", "b:2"}
		case *time.Duration:
			*dst += 90 * time.Second
		case *Size:
			*dst += 3 << 10
		case *Secret:
			dst.setRef("env:SCANTRAIL_TEST_PASSWORD")
			dst.resolve("")
		case *[]Secret:
			*dst = make([]Secret, 1)
			(*dst)[0].setRef("env:SCANTRAIL_TEST_PASSWORD")
			(*dst)[0].resolve("")
		default:
			if f.Kind() == reflect.Slice {
				f.Set(reflect.MakeSlice(f.Type(), 1, 1))
				f = f.Index(0)
			}
			changeAll(t, f)
		}
	}
}

func TestSecretNeverPrints(t *testing.T) {
	const value = "correct-horse-battery"
	t.Setenv("SCANTRAIL_TEST_PASSWORD", value)
	c, err := ParseConfig("scantrail.yaml", []byte("clickhouse:\n  password: env:SCANTRAIL_TEST_PASSWORD\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := c.ClickHouse.Password
	if s.Reveal() != value {
		t.Fatalf("Reveal() = %q", s.Reveal())
	}
	asJSON, _ := json.Marshal(c)
	asYAML, _ := yaml.Marshal(c)
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "secret", s, "config", *c)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "secret", s, "config", *c)
	unexported := struct{ hidden Secret }{s}
	printed := []string{s.String(), string(asJSON), string(asYAML), logged.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		printed = append(printed, fmt.Sprintf(verb, s), fmt.Sprintf(verb, *c), fmt.Sprintf(verb, unexported))
	}
	for _, p := range printed {
		if strings.Contains(p, value) || strings.Contains(p, fmt.Sprintf("%x", value)) {
			t.Errorf("printed: %s", p)
		}
	}
	if !strings.Contains(string(asJSON), `"Password":"REDACTED"`) {
		t.Errorf("JSON does not show that a password is set: %s", asJSON)
	}
}

func TestLiteralSecretIsNotRepeated(t *testing.T) {
	_, err := ParseConfig("scantrail.yaml", []byte("clickhouse:\n  password: hunter2hunter2\n  user: [1\n"))
	_, err2 := ParseConfig("scantrail.yaml", []byte("clickhouse:\n  password: hunter2hunter2\n  usr: x\n"))
	for _, e := range []error{err, err2} {
		if e == nil || strings.Contains(e.Error(), "hunter2") {
			t.Errorf("error repeats the secret, or is none: %v", e)
		}
	}
}

func TestSecretFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("good", "staple\n", 0o400)
	write("shared", "staple\n", 0o644)
	write("empty", "\n", 0o400)
	write("long", strings.Repeat("x", maxSecretBytes+1), 0o400)
	for name, want := range map[string]string{
		"good": "", "shared": "open to every user", "empty": "is empty",
		"long": "longer than", "absent": "no such file",
	} {
		c, err := ParseConfig(filepath.Join(dir, "scantrail.yaml"), []byte("clickhouse: {password: 'file:"+name+"'}"))
		switch {
		case want == "" && (err != nil || c.ClickHouse.Password.Reveal() != "staple"):
			t.Errorf("%s: %v", name, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: error %v, want one with %q", name, err, want)
		}
	}
}

func TestParseSize(t *testing.T) {
	for in, want := range map[string]Size{"0": 0, "512": 512, "10B": 10, "3KiB": 3072, "1MiB": 1 << 20, "2 GiB": 2 << 30} {
		if got, err := ParseSize(in); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "MiB", "-1", "1MB", "1.5MiB", "9999999999GiB", "1mib"} {
		if got, err := ParseSize(in); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", in, got)
		}
	}
	for in, want := range map[Size]string{0: "0", 1000: "1000", 1 << 10: "1KiB", 3 << 20: "3MiB", 1 << 30: "1GiB"} {
		if in.String() != want {
			t.Errorf("Size(%d) = %q, want %q", int64(in), in, want)
		}
	}
}

// FuzzConfig: no text may crash the reader, and whatever it accepts is valid.
func FuzzConfig(f *testing.F) {
	files, _ := filepath.Glob("testdata/config/*.yaml")
	for _, path := range append(files, "../../deploy/scantrail.yaml") {
		if raw, err := os.ReadFile(path); err == nil {
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ParseConfig("scantrail.yaml", raw)
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v with error %v", c, err)
		}
		if err == nil && c.Validate() != nil {
			t.Fatalf("accepted, but %v", c.Validate())
		}
	})
}
