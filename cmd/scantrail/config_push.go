package main

import (
	"fmt"
	"slices"
	"time"

	"scantrail/ingest/push"
	"scantrail/schemas"
)

// PushConfig says how carriers push scans to POST /v1/scans/{carrier} of the web
// listener. A carrier that is not listed needs a token of web.tokens.
type PushConfig struct {
	CreateTopics  bool                `yaml:"create_topics"` // make a carrier's raw topic when it is missing
	MaxInFlight   Size                `yaml:"max_in_flight"` // of bodies that Kafka has not acknowledged; a carrier gets a quarter of it at most
	AckTimeout    time.Duration       `yaml:"ack_timeout"`   // for Kafka, after which a sender is told to come back
	ReadTimeout   time.Duration       `yaml:"read_timeout"`  // for a body to come
	RatePerSecond int                 `yaml:"rate_per_second"`
	Carriers      []PushCarrierConfig `yaml:"carriers"`
}

// PushCarrierConfig is a carrier or aggregator that signs what it pushes.
type PushCarrierConfig struct {
	Carrier       string   `yaml:"carrier"`  // the name of its mapping, and the end of its raw topic
	Verify        string   `yaml:"verify"`   // 17track | aftership | standard-webhooks | hmac | token
	Secrets       []Secret `yaml:"secrets"`  // each is accepted, for a change from one to the next
	Header        string   `yaml:"header"`   // hmac: of the signature; token: of the token, empty: Authorization: Bearer
	Prefix        string   `yaml:"prefix"`   // hmac: stands before the signature, such as sha256=
	Encoding      string   `yaml:"encoding"` // hmac: hex | base64; empty: hex
	RatePerSecond int      `yaml:"rate_per_second"`
}

func defaultPush() PushConfig {
	return PushConfig{MaxInFlight: push.DefaultMaxInFlight, AckTimeout: push.DefaultAckTimeout,
		ReadTimeout: push.DefaultReadTimeout, RatePerSecond: push.DefaultRate}
}

func (p *PushConfig) resolve(dir string) {
	for i := range p.Carriers {
		for j := range p.Carriers[i].Secrets {
			p.Carriers[i].Secrets[j].resolve(dir)
		}
	}
}

func (p *PushConfig) validate(ps *Problems, maxRecord Size) {
	if p.MaxInFlight < 8*maxRecord || p.MaxInFlight > 64<<30 {
		ps.add("push.max_in_flight", p.MaxInFlight.String()+" is out of range", fmt.Sprintf("choose 8 times ingest.max_record_bytes, %s, to 64GiB", 8*maxRecord))
	}
	ps.lasts("push.ack_timeout", p.AckTimeout, time.Second, time.Minute)
	ps.lasts("push.read_timeout", p.ReadTimeout, time.Second, 5*time.Minute)
	ps.between("push.rate_per_second", p.RatePerSecond, 1, 1_000_000)
	for i := range p.Carriers {
		c, field := &p.Carriers[i], fmt.Sprintf("push.carriers[%d]", i)
		if !schemas.IsCarrierName([]byte(c.Carrier)) {
			ps.add(field+".carrier", fmt.Sprintf("%.80q is no carrier's name", c.Carrier), "give the name of its mapping: at most 64 of a-z, 0-9, _ and -")
		} else if slices.ContainsFunc(p.Carriers[:i], func(o PushCarrierConfig) bool { return o.Carrier == c.Carrier }) {
			ps.add(field+".carrier", fmt.Sprintf("%q is named twice", c.Carrier), "list all its secrets in one place")
		}
		for j := range c.Secrets {
			if what, remedy := c.Secrets[j].problem(); what != "" {
				ps.add(fmt.Sprintf("%s.secrets[%d]", field, j), what, remedy)
			}
		}
		described := c.carrier()
		for _, problem := range described.Problems() {
			if !ps.has(field + "." + problem.Field) {
				ps.add(field+"."+problem.Field, problem.What, problem.Remedy)
			}
		}
	}
}

func (c *PushCarrierConfig) carrier() push.Carrier {
	described := push.Carrier{Name: c.Carrier, Verify: c.Verify, Header: c.Header, Prefix: c.Prefix, Encoding: c.Encoding, RatePerSecond: c.RatePerSecond}
	for _, s := range c.Secrets {
		described.Secrets = append(described.Secrets, s.Reveal())
	}
	return described
}

// options returns what the configuration says of the receiver; newPush adds the
// rest.
func (p *PushConfig) options() push.Options {
	o := push.Options{
		CreateTopics: p.CreateTopics, MaxInFlight: int64(p.MaxInFlight),
		AckTimeout: p.AckTimeout, ReadTimeout: p.ReadTimeout, RatePerSecond: p.RatePerSecond,
	}
	for i := range p.Carriers {
		o.Carriers = append(o.Carriers, p.Carriers[i].carrier())
	}
	return o
}
