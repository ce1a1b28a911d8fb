package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"scantrail/schemas"
)

// mappingsLoader reads the carriers' mappings of a folder in fsys and reports
// every problem with them; it returns how many there are.
type mappingsLoader func(fsys fs.FS, dir string) (int, error)

// checkFlags are the arguments of scantrail check.
type checkFlags struct {
	config   string
	policies []string
	print    bool
}

// newCheckCommand returns `scantrail check`: everything that can be verified
// without a broker or a database, all problems at once. load may be nil, then
// mappings are not looked at.
func newCheckCommand(load mappingsLoader) *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check -c scantrail.yaml [--policy FILE|NAME]...",
		Short: "Validate a configuration, its carrier mappings and policies",
		Long: "Validate a configuration file, the carrier mappings in ingest.carriers_dir and any\n" +
			"policy files, without connecting anywhere. Every problem is printed on a line of\n" +
			"its own as FILE:LINE: FIELD: what is wrong; what to do. Exits with 1 if there is one.",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runCheck(cmd.OutOrStdout(), cmd.ErrOrStderr(), f, load)
		},
	}
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration file; without it the defaults are checked")
	cmd.Flags().StringArrayVar(&f.policies, "policy", nil, "policy file, or a built-in one, to check as well (may be repeated)")
	cmd.Flags().BoolVar(&f.print, "print", false, "print the effective configuration as YAML, without secrets")
	return cmd
}

// errProblems says that the problems were already printed.
var errProblems = errors.New("the configuration has problems")

func runCheck(stdout, stderr io.Writer, f checkFlags, load mappingsLoader) error {
	cfg, problems := checkConfig(f.config)
	mappings := 0
	if cfg != nil && cfg.Ingest.CarriersDir != "" && load != nil {
		var err error
		mappings, err = load(os.DirFS(cfg.Ingest.CarriersDir), ".")
		problems = append(problems, problemsOf("ingest.carriers_dir", cfg.Ingest.CarriersDir, err)...)
	}
	documents := make([]*schemas.Policies, len(f.policies))
	for i, path := range f.policies {
		text, err := readPolicy(path)
		if err == nil {
			documents[i], err = schemas.ParsePolicies([]byte(text))
		}
		problems = append(problems, problemsOf("", path, err)...)
	}
	for _, p := range problems {
		fmt.Fprintln(stderr, p)
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w: %d found", errProblems, len(problems))
	}
	if f.print {
		return printConfig(stdout, cfg)
	}
	for i, path := range f.policies {
		fmt.Fprintf(stdout, "%s: the first that matches judges a parcel\n", path)
		if err := printSelection(stdout, documents[i]); err != nil {
			return err
		}
	}
	fmt.Fprintf(stdout, "ok: configuration, %d carrier mappings, %d policies\n", mappings, len(f.policies))
	return nil
}

// checkConfig loads a file, or the defaults when path is empty.
func checkConfig(path string) (*Config, Problems) {
	if path == "" {
		return DefaultConfig(), nil
	}
	cfg, err := LoadConfig(path)
	var problems Problems
	if err != nil && !errors.As(err, &problems) {
		problems = Problems{{File: path, What: err.Error()}}
	}
	if cfg != nil && cfg.Ingest.CarriersDir != "" {
		if info, err := os.Stat(cfg.Ingest.CarriersDir); err != nil || !info.IsDir() {
			problems = append(problems, Problem{File: path, Field: "ingest.carriers_dir",
				What: cfg.Ingest.CarriersDir + " is no folder", Remedy: "create it or remove the key: the built-in mappings need none"})
			cfg.Ingest.CarriersDir = ""
		}
	}
	return cfg, problems
}

// problemsOf takes joined errors apart, one problem each.
func problemsOf(field, file string, err error) Problems {
	if err == nil {
		return nil
	}
	if p, ok := err.(*schemas.PolicyProblem); ok { //nolint:errorlint // joined ones are taken apart below
		problem := Problem{File: filepath.ToSlash(file), Line: p.Line, Field: p.Field, What: p.What}
		if p.Want != "" {
			problem.Remedy = "want " + p.Want
		}
		return Problems{problem}
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return Problems{{File: filepath.ToSlash(file), Field: field, What: err.Error()}}
	}
	var ps Problems
	for _, e := range joined.Unwrap() {
		ps = append(ps, problemsOf(field, file, e)...)
	}
	return ps
}

// printConfig writes the effective configuration as a file that LoadConfig
// reads back. Of a secret it shows where it is kept.
func printConfig(w io.Writer, cfg *Config) error {
	out, err := yaml.Marshal(cfg)
	if err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	_, err = w.Write(out)
	return err
}
