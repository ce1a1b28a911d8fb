package main

import (
	"net/netip"
	"path/filepath"
	"time"

	"scantrail/sink/notify"
)

// ReceiverConfig is one receiver of alerts, of any kind. An empty list of a filter
// lets everything pass.
type ReceiverConfig struct {
	Name         string   `yaml:"name"` // in metrics and in the consumer group scantrail-notify.<name>
	Kind         string   `yaml:"kind"` // webhook, alertmanager, kafka, slack, feishu, dingtalk or wecom
	URL          string   `yaml:"url"`
	SecretURL    Secret   `yaml:"secret_url"` // in place of url where whoever knows it may post there, as with every chat
	URLs         []string `yaml:"urls"`       // of every peer of an alertmanager
	Topic        string   `yaml:"topic"`
	Secrets      []Secret `yaml:"secrets"`
	InsecureHTTP bool     `yaml:"insecure_http"` // allow http, to this machine; for an alertmanager to networks of allow too

	RatePerMinute int      `yaml:"rate_per_minute"` // beyond it, a digest a minute; 0: what the vendor allows, else 60
	Markets       []string `yaml:"markets"`
	Shops         []string `yaml:"shops"`
	Carriers      []string `yaml:"carriers"`
	Rules         []string `yaml:"rules"`
	MinLevel      int      `yaml:"min_level"`
	Statuses      []string `yaml:"statuses"` // empty: open, escalated, resolved, withdrawn

	Language         string        `yaml:"language"` // en or zh
	Zone             string        `yaml:"zone"`     // of quiet_hours, digest_at and the times in messages
	Template         string        `yaml:"template"` // file; empty: the built-in one
	QuietHours       []string      `yaml:"quiet_hours"`
	QuietExceptLevel int           `yaml:"quiet_except_level"` // this level and higher are sent all the same; 0: none
	DigestAt         string        `yaml:"digest_at"`          // time of day of one digest for each shop
	DigestEvery      time.Duration `yaml:"digest_every"`       // the same, every so often
}

func (c *ReceiverConfig) resolve(dir string) {
	for i := range c.Secrets {
		c.Secrets[i].resolve(dir)
	}
	c.SecretURL.resolve(dir)
	if c.Template != "" && !filepath.IsAbs(c.Template) {
		c.Template = filepath.Join(dir, c.Template)
	}
}

func (c *ReceiverConfig) validate(ps *Problems, field string, allow []netip.Prefix) {
	r, err := c.receiver()
	if err != nil {
		ps.add(field+".template", err.Error(), "give a file that can be read")
	}
	switch what, remedy := c.SecretURL.problem(); {
	case what != "":
		ps.add(field+".secret_url", what, remedy)
	case c.URL != "" && c.SecretURL.IsSet():
		ps.add(field+".url", "stands beside secret_url", "keep one of them")
	case notify.Kind(c.Kind).Chat() && c.URL != "":
		ps.add(field+".url", "is a secret: whoever knows it may post there", "use secret_url: "+secretRemedy)
	case notify.Kind(c.Kind).Chat() && !c.SecretURL.IsSet():
		ps.add(field+".secret_url", "is missing", secretRemedy)
	}
	if c.SecretURL.IsSet() || notify.Kind(c.Kind).Chat() {
		r.URL = "https://unknown.example.com" // judged above; its value below, where there is one
	}
	if c.SecretURL.Reveal() != "" {
		r.URL = c.SecretURL.Reveal()
	}
	if c.Kind == "" {
		ps.add(field+".kind", "is missing", "choose of webhook, alertmanager, kafka, slack, feishu, dingtalk, wecom")
	}
	validateReceiver(ps, field, r, c.Secrets, allow)
}

// receiver returns the receiver; the error is that of its template's file.
func (c *ReceiverConfig) receiver() (notify.Receiver, error) {
	r := notify.Receiver{
		Name: c.Name, Kind: notify.Kind(c.Kind), URL: c.URL, URLs: c.URLs, Topic: c.Topic, Secrets: reveal(c.Secrets),
		InsecureHTTP: c.InsecureHTTP, RatePerMinute: c.RatePerMinute,
		Markets: c.Markets, Shops: c.Shops, Carriers: c.Carriers, Rules: c.Rules, Statuses: c.Statuses, MinLevel: c.MinLevel,
		Language: c.Language, Zone: c.Zone, QuietHours: c.QuietHours, QuietExceptLevel: c.QuietExceptLevel,
		DigestAt: c.DigestAt, DigestEvery: c.DigestEvery,
	}
	if c.SecretURL.IsSet() {
		r.URL = c.SecretURL.Reveal()
	}
	if c.Template == "" {
		return r, nil
	}
	text, err := readLimited(c.Template, notify.MaxTemplateBytes)
	r.Template = string(text)
	return r, err
}
