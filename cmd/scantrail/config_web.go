package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"scantrail/cmd/scantrail/web"
	"scantrail/schemas/texts"
)

// WebConfig is the listener of the console, the API and the push receiver. An
// address that other machines reach needs TLS and a token.
type WebConfig struct {
	Listen        string           `yaml:"listen"` // empty: none of them
	URL           string           `yaml:"url"`    // under which people reach it, also for links in alerts; empty: the address that it listens on
	Hosts         []string         `yaml:"hosts"`  // further names under which it is reached
	TLS           WebTLSConfig     `yaml:"tls"`
	BehindProxy   bool             `yaml:"behind_proxy"` // TLS ends at a proxy in front of it
	Tokens        []WebTokenConfig `yaml:"tokens"`
	SessionLimit  time.Duration    `yaml:"session_limit"`   // after which a browser logs in again
	RatePerMinute int              `yaml:"rate_per_minute"` // requests of one token, session or address
	MaxRequests   int              `yaml:"max_requests"`    // at the same time
	MaxBodyBytes  Size             `yaml:"max_body_bytes"`  // of one request
}

// WebTLSConfig is the certificate of the listener. It is read again when the files
// change.
type WebTLSConfig struct {
	CertFile string `yaml:"cert_file"` // PEM, with the intermediate ones
	KeyFile  string `yaml:"key_file"`  // PEM; must not be readable by others
}

// WebTokenConfig lets one caller in.
type WebTokenConfig struct {
	Name     string   `yaml:"name"` // in logs, and beside what its owner did
	Token    Secret   `yaml:"token"`
	Role     string   `yaml:"role"`     // viewer | operator | seller | push
	Shops    []string `yaml:"shops"`    // of a seller
	Carriers []string `yaml:"carriers"` // of push
}

func defaultWeb() WebConfig {
	return WebConfig{
		Listen: web.DefaultListen, SessionLimit: web.DefaultSessionLimit, RatePerMinute: web.DefaultRatePerMinute,
		MaxRequests: web.DefaultMaxRequests, MaxBodyBytes: web.DefaultMaxBodyBytes,
	}
}

func (w *WebConfig) resolve(dir string) {
	for _, p := range []*string{&w.TLS.CertFile, &w.TLS.KeyFile} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	for i := range w.Tokens {
		w.Tokens[i].Token.resolve(dir)
	}
}

func (w *WebConfig) validate(ps *Problems) {
	ps.lasts("web.session_limit", w.SessionLimit, time.Minute, 30*24*time.Hour)
	ps.between("web.rate_per_minute", w.RatePerMinute, 1, 1_000_000)
	ps.between("web.max_requests", w.MaxRequests, 1, 10_000)
	if w.MaxBodyBytes < 16<<10 || w.MaxBodyBytes > 64<<20 {
		ps.add("web.max_body_bytes", w.MaxBodyBytes.String()+" is out of range", "choose 16KiB to 64MiB")
	}
	if w.Listen == "" {
		return
	}
	if w.TLS.KeyFile != "" && w.TLS.CertFile != "" {
		if err := refuseShared(w.TLS.KeyFile); err != nil {
			ps.add("web.tls.key_file", err.Error(), "")
		}
	}
	for i := range w.Tokens {
		field := fmt.Sprintf("web.tokens[%d].token", i)
		if what, remedy := w.Tokens[i].Token.problem(); what != "" {
			ps.add(field, what, remedy)
		} else if !w.Tokens[i].Token.IsSet() {
			ps.add(field, "is missing", secretRemedy)
		}
	}
	o := w.options()
	for _, p := range o.Problems() {
		if !ps.has("web." + p.Field) {
			ps.add("web."+p.Field, p.What, p.Remedy)
		}
	}
}

func (w *WebConfig) options() web.Options {
	o := web.Options{
		Listen: w.Listen, URL: w.URL, Hosts: w.Hosts, CertFile: w.TLS.CertFile, KeyFile: w.TLS.KeyFile, BehindProxy: w.BehindProxy,
		SessionLimit: w.SessionLimit, RatePerMinute: w.RatePerMinute, MaxRequests: w.MaxRequests, MaxBodyBytes: int64(w.MaxBodyBytes),
	}
	for _, t := range w.Tokens {
		o.Tokens = append(o.Tokens, web.Token{Name: t.Name, Secret: t.Token.Reveal(), Role: web.Role(t.Role), Shops: t.Shops, Carriers: t.Carriers})
	}
	return o
}

// listen opens the listener, which says that Scantrail is starting until the
// pipeline puts the console behind it.
func (w *WebConfig) listen(log *slog.Logger) (*web.Server, error) {
	catalog, err := texts.Load()
	if err != nil {
		return nil, err
	}
	o := w.options()
	o.Texts, o.Log = catalog, log.With("component", "web")
	return web.Listen(o)
}
