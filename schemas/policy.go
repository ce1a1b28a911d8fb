package schemas

import (
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

//go:embed policies/*.yaml
var policyFiles embed.FS

// MaxPolicyBytes bounds the size of a policy file.
const MaxPolicyBytes = 1 << 20

// Policy is what a marketplace demands of a trail, as data. It is chosen by a
// control record in the log, so that all owners of a partition switch at the
// same offset.
type Policy struct {
	Name       string              `yaml:"name"`
	Gap        GapRule             `yaml:"gap"`
	Milestones []RequiredMilestone `yaml:"milestones"`
	Score      ScoreRule           `yaml:"score"`
}

// GapRule holds the limits of silence between two progress events.
type GapRule struct {
	AtRisk   time.Duration `yaml:"at_risk"`  // warn before the limit
	Open     time.Duration `yaml:"open"`     // gap_48h
	Escalate time.Duration `yaml:"escalate"` // gap_72h
}

// RequiredMilestone is one node that must be in the trail.
type RequiredMilestone struct {
	Milestone Milestone
	// Lanes on which it is due: "any", or "cross_border" for parcels whose
	// origin and destination countries are known and differ.
	Lanes string
	// Any of these in the trail satisfies it.
	SatisfiedBy []Milestone
	// Any of these excuses it: it is then not due at all.
	ExcusedBy []Milestone
	// Overdue when not satisfied After the first of Since (earliest time).
	Since []Milestone
	After time.Duration
}

// ScoreRule holds the weights of completeness and LTS (each sums to 100) and
// the scores under which a shop loses visibility.
type ScoreRule struct {
	MilestonesWeight     int `yaml:"milestones_weight"`
	SilenceWeight        int `yaml:"silence_weight"`
	OnTimeWeight         int `yaml:"on_time_weight"`
	CompletenessWeight   int `yaml:"completeness_weight"`
	PickupWeight         int `yaml:"pickup_weight"`
	ExceptionFreeWeight  int `yaml:"exception_free_weight"`
	CompletenessRequired int `yaml:"completeness_required"`
	LTSRequired          int `yaml:"lts_required"`
}

// UnmarshalYAML reads the milestone by its canonical name.
func (m *Milestone) UnmarshalYAML(unmarshal func(any) error) error {
	var s string
	if err := unmarshal(&s); err != nil {
		return err
	}
	v, err := ParseMilestone(s)
	*m = v
	return err
}

// UnmarshalYAML reads one required milestone with defaults.
func (r *RequiredMilestone) UnmarshalYAML(unmarshal func(any) error) error {
	y := struct {
		Milestone   Milestone     `yaml:"milestone"`
		Lanes       string        `yaml:"lanes"`
		SatisfiedBy []Milestone   `yaml:"satisfied_by"`
		ExcusedBy   []Milestone   `yaml:"excused_by"`
		Since       []Milestone   `yaml:"since"`
		After       time.Duration `yaml:"after"`
	}{Lanes: "any"}
	if err := unmarshal(&y); err != nil {
		return err
	}
	*r = RequiredMilestone(y)
	if len(r.SatisfiedBy) == 0 {
		r.SatisfiedBy = []Milestone{r.Milestone}
	}
	return nil
}

// ParsePolicy reads a policy file strictly: unknown and missing keys are
// errors, all of them reported at once, by field.
func ParsePolicy(b []byte) (*Policy, error) {
	if len(b) > MaxPolicyBytes {
		return nil, fmt.Errorf("policy: %d bytes, at most %d", len(b), MaxPolicyBytes)
	}
	var p Policy
	if err := yaml.UnmarshalWithOptions(b, &p, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return &p, nil
}

// MaxRequired is the number of required milestones that a policy may hold: the
// detector keeps them in a byte of bits.
const MaxRequired = 8

// Validate reports every problem of the policy, by field.
func (p *Policy) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("policy: "+format, args...)) }
	if p.Name == "" {
		bad("name: missing")
	}
	g := p.Gap
	if g.AtRisk <= 0 || g.AtRisk >= g.Open || g.Open >= g.Escalate {
		bad("gap: want 0 < at_risk < open < escalate, have %s, %s, %s", g.AtRisk, g.Open, g.Escalate)
	}
	if len(p.Milestones) > MaxRequired {
		bad("milestones: %d, at most %d", len(p.Milestones), MaxRequired)
	}
	for i, r := range p.Milestones {
		if !r.Milestone.Forward() {
			bad("milestones[%d].milestone: %s is no station between accepted and delivered", i, r.Milestone)
		}
		if r.Lanes != "any" && r.Lanes != "cross_border" {
			bad("milestones[%d].lanes: %q, want any or cross_border", i, r.Lanes)
		}
		if (r.After > 0) != (len(r.Since) > 0) {
			bad("milestones[%d]: since and after go together", i)
		}
	}
	s := p.Score
	if s.MilestonesWeight+s.SilenceWeight != 100 {
		bad("score: milestones_weight + silence_weight is %d, want 100", s.MilestonesWeight+s.SilenceWeight)
	}
	if sum := s.OnTimeWeight + s.CompletenessWeight + s.PickupWeight + s.ExceptionFreeWeight; sum != 100 {
		bad("score: the four weights of LTS sum to %d, want 100", sum)
	}
	return errors.Join(errs...)
}

// DefaultPolicy returns the text of the built-in policy, which the first start
// of a cluster applies.
func DefaultPolicy() string {
	b, err := policyFiles.ReadFile("policies/default.yaml")
	if err != nil {
		panic("schemas: the built-in policy is missing: " + err.Error())
	}
	return strings.TrimSpace(string(b)) + "\n"
}
