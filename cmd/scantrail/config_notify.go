package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"scantrail/sink/webhook"
)

// NotifyConfig says which webhooks receive alerts. Without any, the role notify
// does nothing.
type NotifyConfig struct {
	Allow         []string        `yaml:"allow"`          // networks that webhooks may reach although they are not public, such as 10.1.2.0/24
	CAFile        string          `yaml:"ca_file"`        // PEM; empty: the system's authorities
	HoldLimit     time.Duration   `yaml:"hold_limit"`     // for which the detector may hold an alert
	IncidentLimit time.Duration   `yaml:"incident_limit"` // after which a carrier's incident holds no alerts any more
	GiveUpAfter   time.Duration   `yaml:"give_up_after"`  // age at which a message that nobody takes is dropped
	Webhooks      []WebhookConfig `yaml:"webhooks"`
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
}

func (n *NotifyConfig) validate(ps *Problems) {
	var allow []netip.Prefix
	for i, s := range n.Allow {
		nets, err := webhook.ParseNetworks([]string{s})
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
	for i := range n.Webhooks {
		n.Webhooks[i].validate(ps, fmt.Sprintf("notify.webhooks[%d]", i), allow)
		same := func(w WebhookConfig) bool { return w.Name == n.Webhooks[i].Name }
		if slices.ContainsFunc(n.Webhooks[:i], same) {
			ps.add(fmt.Sprintf("notify.webhooks[%d].name", i), fmt.Sprintf("%q is the name of two webhooks", n.Webhooks[i].Name), "give each its own")
		}
	}
}

func (w *WebhookConfig) validate(ps *Problems, field string, allow []netip.Prefix) {
	for i := range w.Secrets {
		if what, remedy := w.Secrets[i].problem(); what != "" {
			ps.add(fmt.Sprintf("%s.secrets[%d]", field, i), what, remedy)
		}
	}
	e := w.endpoint()
	for _, p := range e.Problems() {
		if !ps.has(field + "." + p.Field) {
			ps.add(field+"."+p.Field, p.What, p.Remedy)
		}
	}
	if err := e.CheckAddress(allow); err != nil && !ps.has(field+".url") {
		ps.add(field+".url", err.Error(), "")
	}
}

func (ps *Problems) has(field string) bool {
	return slices.ContainsFunc(*ps, func(p Problem) bool { return p.Field == field })
}

func (w *WebhookConfig) endpoint() webhook.Endpoint {
	e := webhook.Endpoint{
		Name: w.Name, URL: w.URL, InsecureHTTP: w.InsecureHTTP, RatePerMinute: w.RatePerMinute,
		Markets: w.Markets, Shops: w.Shops, Carriers: w.Carriers, Rules: w.Rules, Statuses: w.Statuses, MinLevel: w.MinLevel,
	}
	for _, s := range w.Secrets {
		e.Secrets = append(e.Secrets, s.Reveal())
	}
	return e
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
// the pipeline. nil means that there is no webhook.
func (n *NotifyConfig) options(log *slog.Logger) (*webhook.Config, error) {
	if len(n.Webhooks) == 0 {
		return nil, nil
	}
	allow, err := webhook.ParseNetworks(n.Allow)
	if err != nil {
		return nil, fmt.Errorf("notify.allow: %w", err)
	}
	roots, err := n.roots()
	if err != nil {
		return nil, fmt.Errorf("notify.ca_file: %w", err)
	}
	c := &webhook.Config{
		Allow: allow, Roots: roots, HoldLimit: n.HoldLimit, IncidentLimit: n.IncidentLimit, GiveUpAfter: n.GiveUpAfter,
		Log: log.With("role", "notify"),
	}
	for i := range n.Webhooks {
		c.Endpoints = append(c.Endpoints, n.Webhooks[i].endpoint())
	}
	return c, nil
}
