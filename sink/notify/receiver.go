package notify

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"scantrail/schemas"
)

// Receiver is one place where alerts go, and which of them.
type Receiver struct {
	Name string // in metrics, logs and the name of the consumer group; a-z, 0-9, - and _
	Kind Kind   // default KindWebhook

	URL     string   // https; of a chat it is a secret. KindAlertmanager and KindKafka have none
	URLs    []string // of all peers of an Alertmanager: each is sent everything
	Topic   string   // of KindKafka, on the brokers of parcel.alerts
	Secrets []string // see Kind

	// InsecureHTTP allows http: to loopback only, for an Alertmanager also to
	// networks that are listed as one's own.
	InsecureHTTP bool

	// RatePerMinute is the number of messages that are sent one by one within a
	// minute; a digest stands for the others. Default: see Kind.
	RatePerMinute int

	// What is sent. An empty list means all; of statuses it means
	// DefaultStatuses.
	Markets  []string
	Shops    []string
	Carriers []string
	Rules    []string
	Statuses []string
	MinLevel int // 0 (all) to 2

	Language string // of what people read: en (default) or zh
	Zone     string // IANA name of the zone of QuietHours, DigestAt and the times in messages; default UTC
	Template string // text of a template for a chat, "" for the built-in one

	QuietHours       []string // when nothing is sent: ParseQuiet
	QuietExceptLevel int      // this level and higher are sent all the same; 0: none

	// One of them makes one digest for each shop, in place of single messages:
	// at a time of day (15:04), or every so often.
	DigestAt    string
	DigestEvery time.Duration
}

// DefaultStatuses are the transitions that a webhook receives that names none.
// A parcel that is only at risk is not worth a page to everybody.
func DefaultStatuses() []string {
	return []string{
		schemas.AlertOpen.String(), schemas.AlertEscalated.String(),
		schemas.AlertResolved.String(), schemas.AlertWithdrawn.String(),
	}
}

func allStatuses() []string {
	return append([]string{schemas.AlertAtRisk.String()}, DefaultStatuses()...)
}

const (
	maxRate     = 6000
	maxURLBytes = 2048
	maxLevel    = 2
)

// FieldError is one thing that is wrong with an Receiver.
type FieldError struct {
	Field  string // as in a configuration file: name, url, secrets[1]
	What   string
	Remedy string
}

func (e FieldError) Error() string { return e.Field + ": " + e.What + "; " + e.Remedy }

var (
	nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)
	market   = regexp.MustCompile(`^[A-Z]{2}$`)
)

// Problems returns everything that is wrong with e. No message holds a secret,
// nor the path of a URL, which with some receivers is one.
func (e *Receiver) Problems() []FieldError {
	var ps []FieldError
	add := func(field, what, remedy string) { ps = append(ps, FieldError{field, what, remedy}) }
	if !nameForm.MatchString(e.Name) {
		add("name", fmt.Sprintf("%.40q is no plain name", e.Name), "use 1 to 40 of a-z, 0-9, - and _")
	}
	if !slices.Contains(Kinds(), e.Kind.or()) {
		add("kind", fmt.Sprintf("%.40q is no kind of receiver", e.Kind), "choose of "+kindList())
		return ps
	}
	e.targetProblems(add)
	e.timeProblems(add)
	if e.RatePerMinute < 0 || e.RatePerMinute > maxRate {
		add("rate_per_minute", fmt.Sprintf("%d is out of range", e.RatePerMinute), fmt.Sprintf("choose 1 to %d", maxRate))
	}
	if e.MinLevel < 0 || e.MinLevel > maxLevel {
		add("min_level", fmt.Sprintf("%d is out of range", e.MinLevel), fmt.Sprintf("choose 0 to %d", maxLevel))
	}
	for _, l := range []struct {
		field, remedy string
		items         []string
		ok            func(string) bool
	}{
		{"markets", "write a country as two capitals, such as DE", e.Markets, market.MatchString},
		{"shops", "give the shop's id", e.Shops, func(s string) bool { return s != "" }},
		{"carriers", "give a carrier's name, as scantrail carrier list prints it", e.Carriers, func(s string) bool { return s != "" }},
		{"rules", "give a rule as alerts name it, such as gap_48h", e.Rules, func(s string) bool { return slices.Contains(schemas.Rules(), s) }},
		{"statuses", "choose of " + strings.Join(allStatuses(), ", "), e.Statuses, func(s string) bool { return slices.Contains(allStatuses(), s) }},
	} {
		for i, s := range l.items {
			if !l.ok(s) {
				add(fmt.Sprintf("%s[%d]", l.field, i), fmt.Sprintf("%.40q would match no alert", s), l.remedy)
			}
		}
	}
	return ps
}

const secretPrefix = "whsec_"

// parseSecret returns the key of a secret of Standard Webhooks: 24 to 64 bytes.
func parseSecret(s string) ([]byte, error) {
	text, ok := strings.CutPrefix(s, secretPrefix)
	if !ok {
		return nil, fmt.Errorf("does not begin with %s", secretPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("is not base64 after %s", secretPrefix)
	}
	if len(key) < 24 || len(key) > 64 {
		return nil, fmt.Errorf("holds %d bytes, want 24 to 64", len(key))
	}
	return key, nil
}

// ParseNetworks reads the list of networks that webhooks may reach although
// they are not public, such as 10.1.2.0/24. The error names the item.
func ParseNetworks(items []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range items {
		p, err := netip.ParsePrefix(s)
		if err != nil || p.Masked() != p || p.Addr().Is4In6() {
			return nil, fmt.Errorf("%.60q is no network: want an address whose last bits are zero, and a length, such as 10.1.2.0/24", s)
		}
		out = append(out, p)
	}
	return out, nil
}

// wants reports whether the filters of e let m pass.
func (e *Receiver) wants(m *message) bool {
	in := func(list []string, s string) bool { return len(list) == 0 || slices.Contains(list, s) }
	return slices.Contains(e.Statuses, m.status.String()) && m.level >= e.MinLevel &&
		in(e.Markets, m.market) && in(e.Shops, m.shop) && in(e.Carriers, m.carrier) && in(e.Rules, m.rule)
}

// heard reports whether the receiver may know of m's alert before m.
func (e *Receiver) heard(m *message) bool { return slices.ContainsFunc(m.earlier(), e.wants) }
