package push

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The ways to verify that a push comes from its carrier.
const (
	Verify17TRACK   = "17track"           // sign: hex SHA-256 of the body, a slash and the key (17TRACK API v2)
	VerifyAfterShip = "aftership"         // aftership-hmac-sha256: base64 HMAC-SHA256 of the body
	VerifyStandard  = "standard-webhooks" // webhook-id, webhook-timestamp, webhook-signature (standardwebhooks.com)
	VerifyHMAC      = "hmac"              // HMAC-SHA256 of the body in a header of the carrier's own
	VerifyToken     = "token"             // the secret itself in a header
)

// Schemes lists the ways to verify.
func Schemes() []string {
	return []string{Verify17TRACK, VerifyAfterShip, VerifyStandard, VerifyHMAC, VerifyToken}
}

// tolerance is how far a signed timestamp may be off (Standard Webhooks): what was
// recorded cannot be sent again for long.
const tolerance = 5 * time.Minute

// minTokenBytes keeps tokens from being guessed. A signing secret is what the
// carrier made it.
const minTokenBytes = 16

// Carrier is one that pushes with a signature or a token of its own.
type Carrier struct {
	Name          string
	Verify        string   // one of Schemes
	Secrets       []string // each is accepted, for a change from one to the next
	Header        string   // hmac: where the signature stands; token: where the token does, empty: Authorization: Bearer
	Prefix        string   // hmac: stands before the signature, such as sha256=
	Encoding      string   // hmac: hex or base64, empty: hex
	RatePerSecond int      // 0: that of Options
}

// Problem is what is wrong with a field of a Carrier.
type Problem struct{ Field, What, Remedy string }

// Problems reports everything that is wrong, by field as the configuration calls
// them.
func (c *Carrier) Problems() (ps []Problem) {
	add := func(field, what, remedy string) { ps = append(ps, Problem{field, what, remedy}) }
	known := false
	for _, s := range Schemes() {
		known = known || s == c.Verify
	}
	if !known {
		what := fmt.Sprintf("%.40q is not known", c.Verify)
		if c.Verify == "" {
			what = "is missing"
		}
		add("verify", what, "choose one of "+strings.Join(Schemes(), ", "))
		return ps
	}
	if len(c.Secrets) == 0 {
		add("secrets", "names no secret", "give the one that the carrier shows, or that you gave it")
	}
	for i, s := range c.Secrets {
		if _, err := c.key(s); err != nil {
			add(fmt.Sprintf("secrets[%d]", i), err.Error(), "")
		}
	}
	own := c.Verify == VerifyHMAC
	if own && c.Header == "" {
		add("header", "is missing", "name the header in which the carrier sends its signature")
	}
	if c.Header != "" && !own && c.Verify != VerifyToken {
		add("header", "has no effect with verify: "+c.Verify, "remove it")
	}
	if !own && (c.Prefix != "" || c.Encoding != "") {
		add("prefix", "prefix and encoding have no effect with verify: "+c.Verify, "remove them")
	}
	if c.Encoding != "" && c.Encoding != "hex" && c.Encoding != "base64" {
		add("encoding", fmt.Sprintf("%.40q is not known", c.Encoding), "choose hex or base64")
	}
	if c.RatePerSecond < 0 {
		add("rate_per_second", "is negative", "give requests a second, or 0 for that of all carriers")
	}
	return ps
}

// key returns what a secret signs with.
func (c *Carrier) key(secret string) ([]byte, error) {
	switch {
	case secret == "":
		return nil, fmt.Errorf("is empty")
	case c.Verify == VerifyStandard:
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil || len(key) == 0 {
			return nil, fmt.Errorf("is no secret of Standard Webhooks: whsec_ and base64")
		}
		return key, nil
	case c.Verify == VerifyToken && len(secret) < minTokenBytes:
		return nil, fmt.Errorf("is shorter than %d characters and can be guessed", minTokenBytes)
	}
	return []byte(secret), nil
}

// verifier decides whether a request comes from its carrier. The error says what
// is wrong and never what would be right.
type verifier struct {
	// bodyless: the headers alone decide, so that nobody else's body is read.
	bodyless bool
	check    func(h http.Header, body []byte, now time.Time) error
}

// verifier returns that of a Carrier without Problems.
func (c *Carrier) verifier() *verifier {
	var keys [][]byte
	for _, s := range c.Secrets {
		key, err := c.key(s)
		if err == nil {
			keys = append(keys, key)
		}
	}
	switch c.Verify {
	case Verify17TRACK:
		return &verifier{check: func(h http.Header, body []byte, _ time.Time) error {
			return signed(h, []string{"sign"}, "", hex.DecodeString, keys, func(key []byte) []byte {
				d := sha256.New()
				d.Write(body)
				d.Write([]byte("/"))
				return sumOf(d, key)
			})
		}}
	case VerifyAfterShip: // the second is the header of its other products
		return bodyHMAC([]string{"aftership-hmac-sha256", "as-signature-hmac-sha256"}, "", base64.StdEncoding.DecodeString, keys)
	case VerifyHMAC:
		decode := hex.DecodeString
		if c.Encoding == "base64" {
			decode = base64.StdEncoding.DecodeString
		}
		return bodyHMAC([]string{c.Header}, c.Prefix, decode, keys)
	case VerifyStandard:
		return &verifier{check: func(h http.Header, body []byte, now time.Time) error { return standard(h, body, keys, now) }}
	}
	header := c.Header
	return &verifier{bodyless: true, check: func(h http.Header, _ []byte, _ time.Time) error { return token(h, header, keys) }}
}

func bodyHMAC(headers []string, prefix string, decode func(string) ([]byte, error), keys [][]byte) *verifier {
	return &verifier{check: func(h http.Header, body []byte, _ time.Time) error {
		return signed(h, headers, prefix, decode, keys, func(key []byte) []byte { return sumOf(hmac.New(sha256.New, key), body) })
	}}
}

// hashWriter is the part of hash.Hash that is used here.
type hashWriter interface {
	Write([]byte) (int, error)
	Sum([]byte) []byte
}

func sumOf(h hashWriter, last []byte) []byte {
	h.Write(last) //nolint:errcheck // a hash never fails
	return h.Sum(nil)
}

// signed compares the signature in the first of the headers that is there with
// that of each key. Every key is tried, so that time tells nothing.
func signed(h http.Header, headers []string, prefix string, decode func(string) ([]byte, error), keys [][]byte, sign func(key []byte) []byte) error {
	for _, name := range headers {
		value := h.Get(name)
		if value == "" {
			continue
		}
		text, ok := strings.CutPrefix(value, prefix)
		have, err := decode(text)
		if !ok || err != nil {
			return fmt.Errorf("the header %s holds no signature", name)
		}
		right := false
		for _, key := range keys {
			right = hmac.Equal(have, sign(key)) || right
		}
		if !right {
			return fmt.Errorf("the signature in the header %s does not fit the body", name)
		}
		return nil
	}
	return fmt.Errorf("the header %s, which holds the signature, is missing", headers[0])
}

// standard verifies as Standard Webhooks says: "id.timestamp.body", several
// signatures, a timestamp that is fresh. Senders that run Svix name the same
// headers svix-.
func standard(h http.Header, body []byte, keys [][]byte, now time.Time) error {
	of := func(name string) string {
		if v := h.Get("webhook-" + name); v != "" {
			return v
		}
		return h.Get("svix-" + name)
	}
	id, sent, signatures := of("id"), of("timestamp"), of("signature")
	if id == "" || sent == "" || signatures == "" {
		return fmt.Errorf("the headers webhook-id, webhook-timestamp and webhook-signature are not all there")
	}
	seconds, err := strconv.ParseInt(sent, 10, 64)
	if err != nil {
		return fmt.Errorf("the header webhook-timestamp is no number of seconds")
	}
	if math.Abs(now.Sub(time.Unix(seconds, 0)).Seconds()) > tolerance.Seconds() {
		return fmt.Errorf("the header webhook-timestamp is more than %s off: it is sent again, or a clock is wrong", tolerance)
	}
	right := false
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + sent + "."))
		want := sumOf(mac, body)
		for _, item := range strings.Fields(signatures) {
			version, text, _ := strings.Cut(item, ",")
			have, err := base64.StdEncoding.DecodeString(text)
			right = version == "v1" && err == nil && hmac.Equal(have, want) || right
		}
	}
	if !right {
		return fmt.Errorf("no signature in the header webhook-signature fits the body")
	}
	return nil
}

// token compares hashes, since the time of a comparison tells the length.
func token(h http.Header, header string, tokens [][]byte) error {
	value, ok := h.Get(header), true
	if header == "" {
		header = "Authorization"
		value, ok = strings.CutPrefix(h.Get(header), "Bearer ")
	}
	if !ok || value == "" {
		return fmt.Errorf("the header %s, which holds the token, is missing", header)
	}
	have, right := sha256.Sum256([]byte(value)), false
	for _, t := range tokens {
		want := sha256.Sum256(t)
		right = hmac.Equal(have[:], want[:]) || right
	}
	if !right {
		return fmt.Errorf("the token in the header %s is wrong", header)
	}
	return nil
}
