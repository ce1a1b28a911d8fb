package notify

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// guard decides which addresses a receiver may connect to. It is asked about the
// address that is about to be dialled, after the name was resolved: a name that
// resolves to a public address when it is checked, and to a private one when it
// is used, gains nothing.
type guard struct {
	allowed  []netip.Prefix // reached although they are not public
	loopback bool           // http to this machine was asked for
	onlyOwn  bool           // http: nothing public, where others could read it on the way
}

// AddressError says that a receiver's host has an address that it may not have.
type AddressError struct{ Addr netip.Addr }

func (e *AddressError) Error() string {
	return fmt.Sprintf("%s is no public address; if the receiver is your own, name its network in notify.allow", e.Addr)
}

// control implements net.Dialer.Control.
func (g *guard) control(network, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("cannot tell whether %s %.80q is public", network, address)
	}
	if !g.permits(ap.Addr()) {
		return &AddressError{ap.Addr()}
	}
	return nil
}

// CheckAddress reports a URL that names an address, rather than a host, to which
// no connection would ever be made. It returns nil or an *AddressError.
func (e *Receiver) CheckAddress(allow []netip.Prefix) error {
	for _, text := range append([]string{e.URL}, e.URLs...) {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		a, err := netip.ParseAddr(u.Hostname())
		g := &guard{allowed: allow, loopback: e.InsecureHTTP, onlyOwn: e.InsecureHTTP && e.Kind == KindAlertmanager}
		if err == nil && !g.permits(a) {
			return &AddressError{a}
		}
	}
	return nil
}

func (g *guard) permits(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	for _, p := range g.allowed {
		if p.Contains(a.Unmap()) {
			return true
		}
	}
	return g.loopback && a.Unmap().IsLoopback() || !g.onlyOwn && public(a)
}

// The parts of the address space that are not public, from IANA's registries of
// special-purpose addresses. Of IPv6 only 2000::/3 is given out, which leaves out
// loopback, IPv4-mapped, NAT64, unique local, link-local and multicast.
var (
	notPublic4 = prefixes(
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	)
	public6    = netip.MustParsePrefix("2000::/3")
	notPublic6 = prefixes(
		"2001::/23",     // protocol assignments; Teredo, which embeds IPv4
		"2001:db8::/32", // documentation
		"2002::/16",     // 6to4, which embeds IPv4
		"3fff::/20",     // documentation
	)
)

func prefixes(items ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(items))
	for i, s := range items {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// public reports whether a is an address of the public internet.
func public(a netip.Addr) bool {
	special := notPublic4
	if !a.Is4() {
		if !public6.Contains(a) {
			return false
		}
		special = notPublic6
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

const (
	// maxReply bounds what is read of a reply, head and body each. Only its
	// status counts.
	maxReply       = 64 << 10
	defaultTimeout = 5 * time.Second
)

// newClient returns the client of one receiver. It follows no redirect, which
// could lead anywhere and would repeat the signed message there, and takes no
// proxy from the environment.
func newClient(g *guard, roots *x509.CertPool, resolver *net.Resolver, timeout time.Duration) *http.Client {
	dialer := &net.Dialer{Timeout: timeout, Control: g.control, Resolver: resolver}
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // a small reply cannot unpack to a large one
			MaxResponseHeaderBytes: maxReply,
			MaxIdleConnsPerHost:    senders,
			IdleConnTimeout:        30 * time.Second,
		},
	}
}
