package schemas

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// stageNames is indexed by Stage.
var stageNames = [...]string{
	StageNone: "", StageAnnounced: "announced", StageOrigin: "origin", StageExport: "export", StageLinehaul: "linehaul",
	StageArrival: "arrival", StageImport: "import", StageDestination: "destination", StageDelivery: "delivery", StageReturn: "return",
}

// String returns the name that policies use, "" for StageNone.
func (s Stage) String() string { return name(stageNames[:], uint8(s)) }

// ParseStage returns the stage of a name.
func ParseStage(s string) (Stage, error) {
	if n := slices.Index(stageNames[:], s); n > 0 {
		return Stage(n), nil
	}
	return StageNone, fmt.Errorf("%.60q is no stage", s)
}

// ParseLimit reads "72h" or "3wd"; "off" and "0" are no limit.
func ParseLimit(s string) (Limit, error) {
	if days, ok := strings.CutSuffix(s, "wd"); ok {
		n, err := strconv.Atoi(days)
		if err != nil {
			return Limit{}, fmt.Errorf("%.60q is no number of working days", s)
		}
		return Limit{WorkingDays: n}, nil
	}
	d, err := parsePolicyDuration(s)
	return Limit{Duration: d}, err
}

// String returns the form that ParseLimit reads.
func (l Limit) String() string {
	if l.WorkingDays != 0 {
		return strconv.Itoa(l.WorkingDays) + "wd"
	}
	return policyDuration(l.Duration)
}

// parsePolicyDuration reads "72h" or "1h30m"; "off" is 0.
func parsePolicyDuration(s string) (time.Duration, error) {
	if s == "off" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%.60q is no duration", s)
	}
	return d, nil
}

func policyDuration(d time.Duration) string {
	switch {
	case d == 0:
		return "off"
	case d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	}
	return d.String()
}

// ParseDate reads "2026-10-01".
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, fmt.Errorf("%.60q is no date", s)
	}
	return Date{t.Year(), t.Month(), t.Day()}, nil
}

// String returns the form that ParseDate reads.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// Compare orders dates.
func (d Date) Compare(o Date) int {
	return cmp.Or(cmp.Compare(d.Year, o.Year), cmp.Compare(d.Month, o.Month), cmp.Compare(d.Day, o.Day))
}

// ParsePolicyTime reads RFC 3339, or a date, which begins at midnight UTC, into
// Unix milliseconds.
func ParsePolicyTime(s string) (int64, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		if t, err = time.Parse(time.DateOnly, s); err != nil {
			return 0, fmt.Errorf("%.60q is no time", s)
		}
	}
	return t.UnixMilli(), nil
}

func parseWeekday(s string) (time.Weekday, error) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(s, d.String()) || strings.EqualFold(s, d.String()[:3]) {
			return d, nil
		}
	}
	return 0, fmt.Errorf("%.60q is no day of the week", s)
}

// parseSince reads the anchor of a rule that leaves a choice.
func parseSince(s string) (OrderKind, error) {
	k, err := ParseOrderKind(s)
	if err != nil || k > OrderReadyToShip {
		return 0, fmt.Errorf("%.60q is nothing that a deadline counts from", s)
	}
	return k, nil
}

// YAML returns the document in whole: everything that its policies extend is
// written out, so that it means the same to every version of the program.
// ParsePolicies reads it back as p.
func (p *Policies) YAML() string {
	w := policyWriter{}
	w.b.WriteString("policies:\n")
	for i := range p.List {
		w.item(reflectOf(&p.List[i]), 2)
	}
	if len(p.Holidays) > 0 {
		w.b.WriteString("holidays:\n")
		for i := range p.Holidays {
			w.item(reflectOf(&p.Holidays[i]), 2)
		}
	}
	if len(p.Keys) > 0 {
		w.b.WriteString("keys:\n")
		for i := range p.Keys {
			w.item(reflectOf(&p.Keys[i]), 2)
		}
	}
	return w.b.String()
}

type policyWriter struct{ b strings.Builder }

// item writes a struct as one element of a list.
func (w *policyWriter) item(v reflect.Value, indent int) {
	var fields policyWriter
	fields.fields(v, indent+2)
	margin := strings.Repeat(" ", indent)
	w.b.WriteString(margin + "- " + strings.TrimPrefix(fields.b.String(), margin+"  "))
}

// fields writes what is set, one key per line.
func (w *policyWriter) fields(v reflect.Value, indent int) {
	for i := range v.NumField() {
		key, f := v.Type().Field(i).Tag.Get("yaml"), v.Field(i)
		if key == "extends" || f.IsZero() {
			continue
		}
		w.b.WriteString(strings.Repeat(" ", indent) + key + ":")
		switch {
		case isScalar(f):
			w.b.WriteString(" " + policyScalar(f) + "\n")
		case f.Kind() == reflect.Struct:
			w.b.WriteString("\n")
			w.fields(f, indent+2)
		case f.Len() > 0 && !isScalar(f.Index(0)):
			w.b.WriteString("\n")
			for n := range f.Len() {
				w.item(f.Index(n), indent+2)
			}
		default:
			texts := make([]string, f.Len())
			for n := range texts {
				texts[n] = policyScalar(f.Index(n))
			}
			w.b.WriteString(" [" + strings.Join(texts, ", ") + "]\n")
		}
	}
}

// plainText is what needs no quotes in YAML, whatever the reader.
var plainText = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_/]*(-[A-Za-z0-9]+)*$`)

// policyScalar returns the text of v, as setPolicyScalar reads it.
func policyScalar(v reflect.Value) string {
	switch s := v.Addr().Interface().(type) {
	case *string:
		switch strings.ToLower(*s) {
		case "true", "false", "null", "yes", "no", "on", "off", "y", "n", "":
		default:
			if plainText.MatchString(*s) {
				return *s
			}
		}
		quoted, err := json.Marshal(*s)
		if err != nil {
			panic(err) // a string can always be written
		}
		return string(quoted)
	case *int64:
		return FormatTime(*s)
	case *time.Duration:
		return policyDuration(*s)
	case *time.Weekday:
		return strings.ToLower(s.String())
	case fmt.Stringer:
		return s.String()
	}
	return fmt.Sprint(v.Interface())
}
