package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/goccy/go-yaml"
)

// These tests hold the deployment files to each other and to the code without
// a container engine.

const repoRoot = "../.."

// loadCompose reads docker-compose.yml, and what files of deploy add to it.
func loadCompose(t *testing.T, added ...string) *types.Project {
	t.Helper()
	dir, err := filepath.Abs(repoRoot)
	if err != nil {
		t.Fatal(err)
	}
	files := []types.ConfigFile{{Filename: filepath.Join(dir, "docker-compose.yml")}}
	for _, name := range added {
		files = append(files, types.ConfigFile{Filename: filepath.Join(dir, "deploy", name)})
	}
	project, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{WorkingDir: dir, ConfigFiles: files})
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// composeFiles are those that may be added to docker-compose.yml.
func composeFiles() []string {
	return []string{"compose.webhooks.yml", "compose.chats.yml", "compose.raw.yml"}
}

func TestComposeServices(t *testing.T) {
	project := loadCompose(t, composeFiles()...)
	names := project.ServiceNames()
	slices.Sort(names)
	if want := []string{"alertmanager", "clickhouse", "grafana", "kafka", "migrate", "prometheus", "scantrail"}; !slices.Equal(names, want) {
		t.Fatalf("services %v, want %v", names, want)
	}
	pinned := regexp.MustCompile(`^[a-z/-]+:v?[0-9]+\.[0-9]+`)
	for name, s := range project.Services {
		if s.Build == nil && !pinned.MatchString(s.Image) {
			t.Errorf("%s: image %q is not pinned to a version", name, s.Image)
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is published on %q, want 127.0.0.1", name, p.Published, p.HostIP)
			}
		}
		for on, d := range s.DependsOn {
			if d.Condition == types.ServiceConditionHealthy && project.Services[on].HealthCheck == nil {
				t.Errorf("%s waits until %s is healthy, which has no health check", name, on)
			}
		}
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if info, err := os.Stat(v.Source); err != nil || info.IsDir() {
				t.Errorf("%s mounts %s, which is no file of the repository", name, v.Source)
			}
			if !v.ReadOnly {
				t.Errorf("%s may write %s", name, v.Source)
			}
		}
	}
	for name, secret := range project.Secrets {
		if _, err := os.Stat(secret.File + ".example"); err != nil {
			t.Errorf("secret %s: %v", name, err)
		}
	}
}

// TestComposeSecrets: every file of a secret that deploy/scantrail.yaml names, in a
// comment or not, is in the container of scantrail; nobody is given one that he does
// not need, and none is needed by who adds no file.
func TestComposeSecrets(t *testing.T) {
	granted := func(project *types.Project, service string) (names []string) {
		for _, s := range project.Services[service].Secrets {
			names = append(names, s.Source)
		}
		slices.Sort(names)
		return names
	}
	whole := loadCompose(t, composeFiles()...)
	named := []string{}
	for _, m := range regexp.MustCompile(`file:/run/secrets/([a-z_]+)`).FindAllSubmatch(readRepo(t, filepath.Join(repoRoot, "deploy/scantrail.yaml")), -1) {
		named = append(named, string(m[1]))
	}
	slices.Sort(named)
	if have := granted(whole, "scantrail"); !slices.Equal(have, named) {
		t.Errorf("scantrail is given the secrets %v, its configuration names %v", have, named)
	}
	for service, want := range map[string][]string{
		"clickhouse": {"analyst_password", "clickhouse_password", "raw_password"}, "migrate": {"clickhouse_password", "web_operator"},
		"grafana": {"analyst_password", "grafana_password"}, "kafka": nil, "prometheus": nil, "alertmanager": nil,
	} {
		if have := granted(whole, service); !slices.Equal(have, want) {
			t.Errorf("%s is given the secrets %v, want %v", service, have, want)
		}
	}
	for service, want := range map[string][]string{"scantrail": {"clickhouse_password", "web_operator"}, "clickhouse": {"analyst_password", "clickhouse_password"}} {
		if have := granted(loadCompose(t), service); !slices.Equal(have, want) {
			t.Errorf("docker-compose.yml alone: %s is given %v, want %v", service, have, want)
		}
	}
	checkHeadMakes(t, loadCompose(t))
	entry := strings.Join(whole.Services["clickhouse"].Entrypoint, " ")
	for _, name := range granted(whole, "clickhouse") {
		if !strings.Contains(entry, "/run/secrets/"+name) {
			t.Errorf("clickhouse does not read %s: %s", name, entry)
		}
	}
}

// checkHeadMakes: the commands at the head of docker-compose.yml make every secret
// that it needs, for the user of a container that is given it.
func checkHeadMakes(t *testing.T, project *types.Project) {
	t.Helper()
	head := readRepo(t, filepath.Join(repoRoot, "docker-compose.yml"))
	made := map[string]string{}
	for _, m := range regexp.MustCompile(`\b([a-z_]+):(\d+)\b`).FindAllSubmatch(head[:bytes.Index(head, []byte("\nname:"))], -1) {
		made[string(m[1])] = string(m[2])
	}
	for name := range project.Secrets {
		example := readRepo(t, filepath.Join(repoRoot, "deploy/secrets", name+".example"))
		if uid := made[name]; uid == "" || !bytes.Contains(example, []byte("-o "+uid+" -g "+uid)) {
			t.Errorf("docker-compose.yml makes the secret %s for user %q, its example says otherwise", name, uid)
		}
	}
}

// TestComposeRawUser holds the user that compose.raw.yml adds to what README.md
// says of it, and to the configuration.
func TestComposeRawUser(t *testing.T) {
	project := loadCompose(t, "compose.raw.yml")
	mount := slices.IndexFunc(project.Services["clickhouse"].Volumes, func(v types.ServiceVolumeConfig) bool {
		return v.Target == "/etc/clickhouse-server/users.d/raw_user.xml"
	})
	if mount < 0 {
		t.Fatal("clickhouse is given no user")
	}
	var users struct {
		Users struct {
			User struct {
				Password struct {
					Env string `xml:"from_env,attr"`
				} `xml:"password"`
				Grants []string `xml:"grants>query"`
			} `xml:"scantrail_raw"`
		} `xml:"users"`
	}
	if err := xml.Unmarshal(readRepo(t, project.Services["clickhouse"].Volumes[mount].Source), &users); err != nil {
		t.Fatal(err)
	}
	u := users.Users.User
	if entry := strings.Join(project.Services["clickhouse"].Entrypoint, " "); u.Password.Env == "" || !strings.Contains(entry, "export "+u.Password.Env+"=") {
		t.Errorf("the password comes from %q, which the entrypoint does not set: %s", u.Password.Env, entry)
	}
	user := DefaultConfig().Raw.ClickHouse.User
	page := readRepo(t, filepath.Join(repoRoot, "README.md"))
	want := regexp.MustCompile(`(?m)^(GRANT .*) TO `+user).FindAllSubmatch(page, -1)
	if len(want) == 0 || len(want) != len(u.Grants) {
		t.Fatalf("grants %q, README.md says %q", u.Grants, want)
	}
	for i, g := range u.Grants {
		if g != string(want[i][1]) {
			t.Errorf("grant %q, README.md says %q", g, want[i][1])
		}
	}
}

func TestComposeRunsScantrailWithoutPrivileges(t *testing.T) {
	project := loadCompose(t)
	for _, name := range []string{"scantrail", "migrate"} {
		s := project.Services[name]
		if s.User != "65532:65532" || !s.ReadOnly || s.Privileged ||
			!slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s has more privileges than it needs", name)
		}
		if len(s.Environment) > 0 {
			t.Errorf("%s reads its configuration from a file, not from %v", name, s.Environment)
		}
		var mounted []string
		for _, v := range s.Volumes {
			mounted = append(mounted, v.Target)
		}
		if i := slices.Index(s.Command, "-c"); i < 0 || i+1 >= len(s.Command) || !slices.Contains(mounted, s.Command[i+1]) {
			t.Errorf("%s: command %v names a configuration that is not mounted (%v)", name, s.Command, mounted)
		}
	}
}

// TestComposeCommandsExist looks the subcommands up in the source, so that it
// needs no order among the files of this package.
func TestComposeCommandsExist(t *testing.T) {
	project := loadCompose(t)
	commands := []string{project.Services["scantrail"].Command[0], project.Services["migrate"].Command[0]}
	health := project.Services["scantrail"].HealthCheck.Test
	commands = append(commands, health[2])
	source := readAll(t, "*.go")
	for _, c := range commands {
		if !regexp.MustCompile(`Use:\s+"` + c + `\b`).Match(source) {
			t.Errorf("docker-compose.yml runs scantrail %s, which no file of cmd/scantrail declares", c)
		}
	}
}

func readAll(t *testing.T, pattern string) []byte {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v files, %v", pattern, len(files), err)
	}
	var all []byte
	for _, f := range files {
		all = append(all, readRepo(t, f)...)
	}
	return all
}

func readRepo(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var buildTags = regexp.MustCompile(`-tags ([a-z,]+)`)

func TestDockerfileBuildsWhatIsThere(t *testing.T) {
	project := loadCompose(t)
	build := project.Services["scantrail"].Build
	text := string(readRepo(t, filepath.Join(build.Context, build.Dockerfile)))
	for _, want := range []string{"CGO_ENABLED=0", "-trimpath", "./cmd/scantrail", "USER 65532", "FROM scratch"} {
		if !strings.Contains(text, want) {
			t.Errorf("Dockerfile lacks %q", want)
		}
	}
	tags := buildTags.FindStringSubmatch(text)
	if tags == nil {
		t.Fatal("Dockerfile builds without tags: the embedded engine would need a C library")
	}
	constraints := readAll(t, filepath.Join(repoRoot, "sink/chdb/*.go"))
	for _, tag := range strings.Split(tags[1], ",") {
		if tag == "timetzdata" {
			continue // of the standard library
		}
		if !regexp.MustCompile(`(?m)^//go:build .*` + tag + `\b`).Match(constraints) {
			t.Errorf("no file of sink/chdb knows the build tag %s", tag)
		}
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(readRepo(t, filepath.Join(repoRoot, "go.mod")))
	if !strings.Contains(text, "FROM golang:"+string(version[1])) {
		t.Errorf("Dockerfile does not build with Go %s of go.mod", version[1])
	}
}

// TestSampleConfig holds deploy/scantrail.yaml to its word: it states every
// key, a line ending in "# default" has the default and no other line has.
func TestSampleConfig(t *testing.T) {
	path := filepath.Join(repoRoot, "deploy/scantrail.yaml")
	raw := readRepo(t, path)
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte("correct-horse-battery-staple"), 0o400); err != nil {
		t.Fatal(err)
	}
	sample, err := ParseConfig(path, regexp.MustCompile(`/run/secrets/(clickhouse_password|web_operator)`).ReplaceAll(raw, []byte(secret)))
	if err != nil {
		t.Fatal(err)
	}
	var comments []string
	for scan := bufio.NewScanner(bytes.NewReader(raw)); scan.Scan(); {
		_, comment, _ := strings.Cut(scan.Text(), " # ")
		comments = append(comments, comment)
	}
	lines, _ := decodeConfig(raw, DefaultConfig())
	want := leaves(reflect.ValueOf(DefaultConfig()).Elem(), "", map[string]any{})
	for field, got := range leaves(reflect.ValueOf(sample).Elem(), "", map[string]any{}) {
		line := lines[field]
		if line == 0 {
			t.Errorf("%s is not in the sample", field)
			continue
		}
		says, is := strings.HasPrefix(comments[line-1], "default"), reflect.DeepEqual(got, want[field])
		if says != is {
			t.Errorf("line %d: %s is %v, the default %v, the comment %q", line, field, got, want[field], comments[line-1])
		}
	}
}

// leaves collects the fields of v that are no structs of their own, by path.
func leaves(v reflect.Value, path string, into map[string]any) map[string]any {
	for i := range v.NumField() {
		field := strings.TrimPrefix(path+"."+v.Type().Field(i).Tag.Get("yaml"), ".")
		if _, secret := v.Field(i).Interface().(Secret); v.Field(i).Kind() == reflect.Struct && !secret {
			leaves(v.Field(i), field, into)
		} else {
			into[field] = v.Field(i).Interface()
		}
	}
	return into
}

// prometheusConfig is what we use of Prometheus's format.
type prometheusConfig struct {
	Global    map[string]string `yaml:"global"`
	RuleFiles []string          `yaml:"rule_files"`
	Alerting  struct {
		Alertmanagers []struct {
			StaticConfigs []struct {
				Targets []string `yaml:"targets"`
			} `yaml:"static_configs"`
		} `yaml:"alertmanagers"`
	} `yaml:"alerting"`
	ScrapeConfigs []struct {
		JobName       string `yaml:"job_name"`
		StaticConfigs []struct {
			Targets []string `yaml:"targets"`
		} `yaml:"static_configs"`
	} `yaml:"scrape_configs"`
}

func TestPrometheusScrapesScantrail(t *testing.T) {
	var c prometheusConfig
	if err := yaml.UnmarshalWithOptions(readRepo(t, filepath.Join(repoRoot, "deploy/prometheus.yml")), &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	project := loadCompose(t)
	targets := slices.Clone(c.Alerting.Alertmanagers[0].StaticConfigs[0].Targets)
	for _, job := range c.ScrapeConfigs {
		targets = append(targets, job.StaticConfigs[0].Targets...)
	}
	for _, target := range targets {
		service, port, _ := strings.Cut(target, ":")
		if _, ok := project.Services[service]; !ok && service != "127.0.0.1" {
			t.Errorf("target %s is no service", target)
		}
		sample := readRepo(t, filepath.Join(repoRoot, "deploy/scantrail.yaml"))
		if service == "scantrail" && !bytes.Contains(sample, []byte("listen: 0.0.0.0:"+port+" ")) {
			t.Errorf("target %s: deploy/scantrail.yaml does not listen on port %s", target, port)
		}
	}
	if targets[1] != "scantrail:9464" {
		t.Errorf("the first job scrapes %s, not scantrail", targets[1])
	}
	var mounted []string
	for _, v := range project.Services["prometheus"].Volumes {
		mounted = append(mounted, filepath.Base(v.Target))
	}
	for _, f := range c.RuleFiles {
		if !slices.Contains(mounted, f) {
			t.Errorf("rule file %s is not mounted", f)
		}
	}
}
