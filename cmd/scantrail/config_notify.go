package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"scantrail/sink/notify"
)

// NotifyConfig says who receives alerts. Without any receiver, the role notify
// does nothing.
type NotifyConfig struct {
	Allow         []string         `yaml:"allow"`          // networks that receivers may be in although they are not public, such as 10.1.2.0/24
	CAFile        string           `yaml:"ca_file"`        // PEM; empty: the system's authorities
	ConsoleURL    string           `yaml:"console_url"`    // for links in messages; empty: web.url
	HoldLimit     time.Duration    `yaml:"hold_limit"`     // for which the detector may hold an alert
	IncidentLimit time.Duration    `yaml:"incident_limit"` // after which a carrier's incident holds no alerts any more
	GiveUpAfter   time.Duration    `yaml:"give_up_after"`  // age at which a message that nobody takes is dropped
	Receivers     []ReceiverConfig `yaml:"receivers"`
	Webhooks      []WebhookConfig  `yaml:"webhooks"` // short form of receivers of kind webhook
}

// WebhookConfig is one receiver. An empty list of a filter lets everything pass.
type WebhookConfig struct {
	Name          string   `yaml:"name"` // in metrics and in the consumer group scantrail-notify.<name>
	URL           string   `yaml:"url"`
	Secrets       []Secret `yaml:"secrets"`         // whsec_...; each signs, for a change from one to the next
	InsecureHTTP  bool     `yaml:"insecure_http"`   // allow http, to this machine only
	RatePerMinute int      `yaml:"rate_per_minute"` // beyond it, a digest a minute; 0: 60
	Markets       []string `yaml:"markets"`
	Shops         []string `yaml:"shops"`
	Carriers      []string `yaml:"carriers"`
	Rules         []string `yaml:"rules"`
	MinLevel      int      `yaml:"min_level"`
	Statuses      []string `yaml:"statuses"` // empty: open, escalated, resolved, withdrawn
}

func (n *NotifyConfig) resolve(dir string) {
	if n.CAFile != "" && !filepath.IsAbs(n.CAFile) {
		n.CAFile = filepath.Join(dir, n.CAFile)
	}
	for i := range n.Webhooks {
		for j := range n.Webhooks[i].Secrets {
			n.Webhooks[i].Secrets[j].resolve(dir)
		}
	}
	for i := range n.Receivers {
		n.Receivers[i].resolve(dir)
	}
}

func (n *NotifyConfig) validate(ps *Problems) {
	var allow []netip.Prefix
	for i, s := range n.Allow {
		nets, err := notify.ParseNetworks([]string{s})
		if err != nil {
			ps.add(fmt.Sprintf("notify.allow[%d]", i), err.Error(), "")
		}
		allow = append(allow, nets...)
	}
	if _, err := n.roots(); err != nil {
		ps.add("notify.ca_file", err.Error(), "give a file in PEM form")
	}
	ps.lasts("notify.hold_limit", n.HoldLimit, time.Minute, 30*24*time.Hour)
	ps.lasts("notify.incident_limit", n.IncidentLimit, time.Hour, 30*24*time.Hour)
	ps.lasts("notify.give_up_after", n.GiveUpAfter, time.Minute, 30*24*time.Hour)
	if u, err := url.Parse(n.ConsoleURL); n.ConsoleURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		ps.add("notify.console_url", "is no URL", "write https://host, as people open the console")
	}
	names := map[string]bool{}
	named := func(field, name string) {
		if names[name] {
			ps.add(field+".name", fmt.Sprintf("%q is the name of two receivers", name), "give each its own")
		}
		names[name] = true
	}
	for i := range n.Webhooks {
		field := fmt.Sprintf("notify.webhooks[%d]", i)
		w := &n.Webhooks[i]
		validateReceiver(ps, field, w.receiver(), w.Secrets, allow)
		named(field, w.Name)
	}
	for i := range n.Receivers {
		field := fmt.Sprintf("notify.receivers[%d]", i)
		n.Receivers[i].validate(ps, field, allow)
		named(field, n.Receivers[i].Name)
	}
}

// validateReceiver reports what is wrong with r.
func validateReceiver(ps *Problems, field string, r notify.Receiver, secrets []Secret, allow []netip.Prefix) {
	for i := range secrets {
		if what, remedy := secrets[i].problem(); what != "" {
			ps.add(fmt.Sprintf("%s.secrets[%d]", field, i), what, remedy)
		}
	}
	for _, p := range r.Problems() {
		if !ps.has(field + "." + p.Field) {
			ps.add(field+"."+p.Field, p.What, p.Remedy)
		}
	}
	for i := range r.URLs {
		one := r
		one.URL, one.URLs = "", r.URLs[i:i+1]
		if at := fmt.Sprintf("%s.urls[%d]", field, i); !ps.has(at) {
			if err := one.CheckAddress(allow); err != nil {
				ps.add(at, err.Error(), "")
			}
		}
	}
	r.URLs = nil
	if err := r.CheckAddress(allow); err != nil && !ps.has(field+".url") {
		ps.add(field+".url", err.Error(), "")
	}
}

func (ps *Problems) has(field string) bool {
	return slices.ContainsFunc(*ps, func(p Problem) bool { return p.Field == field })
}

func (w *WebhookConfig) receiver() notify.Receiver {
	e := notify.Receiver{
		Name: w.Name, Kind: notify.KindWebhook, URL: w.URL, InsecureHTTP: w.InsecureHTTP, RatePerMinute: w.RatePerMinute,
		Markets: w.Markets, Shops: w.Shops, Carriers: w.Carriers, Rules: w.Rules, Statuses: w.Statuses, MinLevel: w.MinLevel,
	}
	e.Secrets = reveal(w.Secrets)
	return e
}

func reveal(secrets []Secret) (values []string) {
	for _, s := range secrets {
		values = append(values, s.Reveal())
	}
	return values
}

// roots returns nil for the system's authorities.
func (n *NotifyConfig) roots() (*x509.CertPool, error) {
	if n.CAFile == "" {
		return nil, nil
	}
	pem, err := readLimited(n.CAFile, maxConfigBytes)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New(n.CAFile + " holds no certificate")
	}
	return roots, nil
}

// options returns what the role notify is made of; Kafka and Metrics are left to
// the pipeline. nil means that there is no receiver.
func (n *NotifyConfig) options(log *slog.Logger) (*notify.Config, error) {
	if len(n.Webhooks)+len(n.Receivers) == 0 {
		return nil, nil
	}
	allow, err := notify.ParseNetworks(n.Allow)
	if err != nil {
		return nil, fmt.Errorf("notify.allow: %w", err)
	}
	roots, err := n.roots()
	if err != nil {
		return nil, fmt.Errorf("notify.ca_file: %w", err)
	}
	c := &notify.Config{
		Allow: allow, Roots: roots, Console: n.ConsoleURL, HoldLimit: n.HoldLimit, IncidentLimit: n.IncidentLimit, GiveUpAfter: n.GiveUpAfter,
		Log: log.With("role", "notify"),
	}
	for i := range n.Webhooks {
		c.Receivers = append(c.Receivers, n.Webhooks[i].receiver())
	}
	for i := range n.Receivers {
		r, err := n.Receivers[i].receiver()
		if err != nil {
			return nil, fmt.Errorf("notify.receivers[%d].template: %w", i, err)
		}
		c.Receivers = append(c.Receivers, r)
	}
	return c, nil
}
