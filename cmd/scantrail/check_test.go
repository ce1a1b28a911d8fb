package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"scantrail/schemas"
)

// runCheckCommand runs `scantrail check` with args.
func runCheckCommand(load mappingsLoader, args ...string) (stdout, stderr string, err error) {
	var out, errOut bytes.Buffer
	cmd := newCheckCommand(load)
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	err = cmd.Execute()
	return out.String(), errOut.String(), err
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckReportsEverything(t *testing.T) {
	dir := t.TempDir()
	policy := writeFile(t, filepath.Join(dir, "policy.yaml"), strings.Replace(schemas.DefaultPolicy(), "open: 48h", "open: 1h", 1))
	good := writeFile(t, filepath.Join(dir, "good.yaml"), "ingest:\n  carriers_dir: carriers\n")
	writeFile(t, filepath.Join(dir, "carriers", "acme.yaml"), "name: acme\n")
	broken := func(fsys fs.FS, dir string) (int, error) {
		if _, err := fs.Stat(fsys, "acme.yaml"); err != nil {
			t.Errorf("mappings are looked for elsewhere: %v", err)
		}
		return 0, errors.Join(errors.New("acme.yaml:1: codes: missing"), errors.New("acme.yaml:1: time: missing"))
	}
	_, stderr, err := runCheckCommand(broken, "-c", good, "--policy", policy, "--policy", filepath.Join(dir, "absent.yaml"))
	if !errors.Is(err, errProblems) {
		t.Fatalf("error %v", err)
	}
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	if len(lines) != 4 {
		t.Fatalf("want 4 problems, have:\n%s", stderr)
	}
	for i, want := range []string{"acme.yaml:1: codes", "acme.yaml:1: time", "policy.yaml:20: policies[2].gap: has at_risk 36h, open 1h, escalate 72h; want 0 < at_risk", "absent.yaml: "} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d is %q, want %q in it", i+1, lines[i], want)
		}
	}
}

func TestCheckNamesFileAndLine(t *testing.T) {
	_, stderr, err := runCheckCommand(nil, "-c", "testdata/config/ranges.bad.yaml")
	if !errors.Is(err, errProblems) || !strings.HasPrefix(stderr, "testdata/config/ranges.bad.yaml:3: kafka.topics.partitions: ") {
		t.Errorf("error %v, stderr %q", err, stderr)
	}
	_, stderr, err = runCheckCommand(nil, "-c", "testdata/config/absent.yaml")
	if !errors.Is(err, errProblems) || !strings.Contains(stderr, "give the path of a configuration file") {
		t.Errorf("error %v, stderr %q", err, stderr)
	}
	path := writeFile(t, filepath.Join(t.TempDir(), "c.yaml"), "ingest: {carriers_dir: nowhere}\n")
	_, stderr, err = runCheckCommand(nil, "-c", path)
	if !errors.Is(err, errProblems) || !strings.Contains(stderr, "nowhere is no folder") {
		t.Errorf("error %v, stderr %q", err, stderr)
	}
}

func TestCheckPrintReadsBack(t *testing.T) {
	t.Setenv("SCANTRAIL_TEST_PASSWORD", "correct-horse-battery")
	path := writeFile(t, filepath.Join(t.TempDir(), "c.yaml"),
		"clickhouse: {password: env:SCANTRAIL_TEST_PASSWORD}\nsink: {flush_rows: 500}\n")
	stdout, _, err := runCheckCommand(nil, "-c", path, "--print")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(stdout, "correct-horse") {
		t.Error("the secret is printed")
	}
	got, err := ParseConfig(path, []byte(stdout))
	if err != nil {
		t.Fatalf("%v\n%s", err, stdout)
	}
	if want, _ := LoadConfig(path); !reflect.DeepEqual(got, want) {
		t.Errorf("printed configuration reads back differently:\n%s", stdout)
	}
}

func TestCheckShowsSelection(t *testing.T) {
	stdout, _, err := runCheckCommand(nil, "--policy", "default")
	want := `default: the first that matches judges a parcel
  articles-local  lane US-US, GB-GB, IE-IE, DE-DE, FR-FR, IT-IT, ES-ES, MX-MX, BR-BR, JP-JP, ID-ID, MY-MY, PH-PH, SG-SG, TH-TH, VN-VN
  articles-uk     market GB
  default         everything else
ok: configuration, 0 carrier mappings, 1 policies
`
	if err != nil || stdout != want {
		t.Errorf("error %v, have:\n%s\nwant:\n%s", err, stdout, want)
	}
}

func TestCheckAcceptsDefaults(t *testing.T) {
	stdout, stderr, err := runCheckCommand(nil)
	if err != nil || stderr != "" || stdout != "ok: configuration, 0 carrier mappings, 0 policies\n" {
		t.Errorf("stdout %q, stderr %q, error %v", stdout, stderr, err)
	}
}
