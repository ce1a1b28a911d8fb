package web

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"scantrail/schemas/texts"
)

// Options says where the listener listens and who may come in.
type Options struct {
	Listen string   // host:port; port 0 takes a free one
	URL    string   // under which people reach it; empty: the address that it listens on
	Hosts  []string // further names under which it is reached; loopback, IP addresses and the host of URL always are

	CertFile, KeyFile string // PEM; empty: no TLS
	BehindProxy       bool   // TLS ends in front of it, and the last X-Forwarded-For is the client

	Tokens       []Token // none: whoever reaches a loopback listener is an operator
	SessionLimit time.Duration

	RatePerMinute int   // requests of one token, session or address
	MaxRequests   int   // at the same time
	MaxBodyBytes  int64 // of one request

	Texts *texts.Catalog
	Log   *slog.Logger
	Now   func() time.Time
}

// Token lets one caller in.
type Token struct {
	Name     string
	Secret   string
	Role     Role
	Shops    []string // of a Seller
	Carriers []string // of Push
}

// MinTokenLength keeps tokens out of reach of guessing: 24 characters of
// base64 are 144 bits.
const MinTokenLength = 24

// The defaults. A person with a page that renews itself makes a few requests in
// ten seconds; 20 a second are a program that does not wait.
const (
	DefaultListen        = "127.0.0.1:8080"
	DefaultSessionLimit  = 12 * time.Hour
	DefaultRatePerMinute = 1200
	DefaultMaxRequests   = 64
	DefaultMaxBodyBytes  = 4 << 20
)

// Problem is one thing that is wrong with Options. Field is named as in the
// configuration, below web.
type Problem struct{ Field, What, Remedy string }

func (p Problem) String() string {
	s := "web." + p.Field + ": " + p.What
	if p.Remedy != "" {
		s += "; " + p.Remedy
	}
	return s
}

type problems []Problem

func (ps *problems) add(field, what, remedy string) { *ps = append(*ps, Problem{field, what, remedy}) }

// Problems returns everything that is wrong with o: an address that other
// machines reach needs both TLS and a token.
func (o *Options) Problems() []Problem {
	var ps problems
	o.checkAddress(&ps)
	for i, h := range o.Hosts {
		if !hostName.MatchString(h) {
			ps.add(fmt.Sprintf("hosts[%d]", i), fmt.Sprintf("%.80q is no name of a host", h), "write a name alone, such as scantrail.example.com")
		}
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		ps.add("tls", "cert_file and key_file go together", "give both or neither")
	} else if o.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile); err != nil {
			ps.add("tls.cert_file", err.Error(), "give a certificate and its key in PEM form")
		}
	}
	if o.BehindProxy && o.CertFile != "" {
		ps.add("behind_proxy", "is true beside a certificate of its own", "let TLS end in one place: remove web.tls or web.behind_proxy")
	}
	o.checkTokens(&ps)
	return ps
}

// hostName is a DNS name.
var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9-]{1,63})*\.?$`)

func (o *Options) checkAddress(ps *problems) {
	host, port, err := net.SplitHostPort(o.Listen)
	switch {
	case err != nil || port == "":
		ps.add("listen", fmt.Sprintf("%.80q is not host:port", o.Listen), "write host:port, such as "+DefaultListen)
	case host == "":
		ps.add("listen", fmt.Sprintf("%.80q names no host", o.Listen), "write "+DefaultListen+", or 0.0.0.0:"+port+" for every address of this machine")
	case !loopbackHost(host):
		o.checkExposed(ps)
	}
	if o.BehindProxy && len(o.Tokens) == 0 {
		ps.add("behind_proxy", "lets in whoever reaches the proxy: there is no token", tokenRemedy)
	}
	if o.URL == "" {
		return
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		ps.add("url", fmt.Sprintf("%.80q is no address that a browser can open", o.URL), "write https:// and a host, such as https://scantrail.example.com")
	}
}

const tokenRemedy = "add a token: (umask 077; openssl rand -base64 32 > ops.token) and web.tokens: [{name: ops, role: operator, token: file:ops.token}]"

// checkExposed refuses a listener that other machines reach in the clear or
// without a login.
func (o *Options) checkExposed(ps *problems) {
	open := fmt.Sprintf("%q can be reached by other machines", o.Listen)
	if o.CertFile == "" && !o.BehindProxy {
		ps.add("listen", open+", without TLS", "give web.tls.cert_file and web.tls.key_file, or listen on 127.0.0.1 (or set web.behind_proxy: true where a proxy in front speaks TLS)")
	}
	if len(o.Tokens) == 0 && !o.BehindProxy {
		ps.add("tokens", open+" (web.listen), without a login", tokenRemedy+", or listen on 127.0.0.1")
	}
}

func (o *Options) checkTokens(ps *problems) {
	for i, t := range o.Tokens {
		field := func(name string) string { return fmt.Sprintf("tokens[%d].%s", i, name) }
		if !tokenName.MatchString(t.Name) {
			ps.add(field("name"), fmt.Sprintf("%.40q is no name", t.Name), "use up to 64 letters, digits, and . _ -, the first a letter or digit")
		}
		if slices.ContainsFunc(o.Tokens[:i], func(u Token) bool { return u.Name == t.Name }) {
			ps.add(field("name"), fmt.Sprintf("%q is the name of two tokens", t.Name), "give each its own")
		}
		if slices.ContainsFunc(o.Tokens[:i], func(u Token) bool { return u.Secret == t.Secret && t.Secret != "" }) {
			ps.add(field("token"), "is another token's too", "give each its own")
		}
		// Without its value it has another problem, which its owner reports.
		if t.Secret != "" && (len(t.Secret) < MinTokenLength || !visibleASCII(t.Secret)) {
			ps.add(field("token"), fmt.Sprintf("is shorter than %d characters, or not visible ASCII", MinTokenLength), "make one with: openssl rand -base64 32")
		}
		checkRole(ps, t, field)
	}
}

var tokenName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func visibleASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func checkRole(ps *problems, t Token, field func(string) string) {
	switch t.Role {
	case Viewer, Operator, Seller, Push:
	default:
		ps.add(field("role"), fmt.Sprintf("%.40q is not known", t.Role), "choose one of viewer, operator, seller, push")
		return
	}
	for _, l := range []struct {
		name string
		role Role
		have []string
	}{{"shops", Seller, t.Shops}, {"carriers", Push, t.Carriers}} {
		switch {
		case t.Role == l.role && (len(l.have) == 0 || slices.Contains(l.have, "")):
			ps.add(field(l.name), fmt.Sprintf("is missing or has an empty name: a token of role %s is for some %s alone", l.role, l.name), "name them")
		case t.Role != l.role && len(l.have) > 0:
			ps.add(field(l.name), fmt.Sprintf("has no effect with the role %s", t.Role), fmt.Sprintf("remove it, or choose the role %s", l.role))
		}
	}
}

// loopbackHost reports whether a host stays on this machine. A name counts only
// when it is localhost: any other may resolve to anything.
func loopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// withDefaults fills in what a caller leaves out.
func (o Options) withDefaults() Options {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.RatePerMinute, DefaultRatePerMinute)
	def(&o.MaxRequests, DefaultMaxRequests)
	if o.MaxBodyBytes == 0 {
		o.MaxBodyBytes = DefaultMaxBodyBytes
	}
	if o.SessionLimit == 0 {
		o.SessionLimit = DefaultSessionLimit
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
