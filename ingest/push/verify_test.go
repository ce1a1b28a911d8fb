package push

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"
)

func mac(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hash(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

const (
	body     = `{"event":"TRACKING_UPDATED","data":{"number":"RR123456785CN"}}`
	longKey  = "0123456789ABCDEF"
	otherKey = "FEDCBA9876543210"
	whsec    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// standardExample is the one that libraries of Standard Webhooks test themselves
// with.
var standardExample = http.Header{
	"Webhook-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Webhook-Timestamp": {"1614265330"},
	"Webhook-Signature": {"v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
}

var verifications = []struct {
	name    string
	carrier Carrier
	header  http.Header
	body    string
	want    string // in the error; empty: verified
}{
	{"17track", Carrier{Verify: Verify17TRACK, Secrets: []string{longKey}}, http.Header{"Sign": {hash(body + "/" + longKey)}}, body, ""},
	{"17track, upper case", Carrier{Verify: Verify17TRACK, Secrets: []string{longKey}}, http.Header{"Sign": {strings.ToUpper(hash(body + "/" + longKey))}}, body, ""},
	{"17track, the older of two", Carrier{Verify: Verify17TRACK, Secrets: []string{otherKey, longKey}}, http.Header{"Sign": {hash(body + "/" + longKey)}}, body, ""},
	{"17track, another key", Carrier{Verify: Verify17TRACK, Secrets: []string{otherKey}}, http.Header{"Sign": {hash(body + "/" + longKey)}}, body, "does not fit"},
	{"17track, another body", Carrier{Verify: Verify17TRACK, Secrets: []string{longKey}}, http.Header{"Sign": {hash(body + "/" + longKey)}}, body + " ", "does not fit"},
	{"17track, cut", Carrier{Verify: Verify17TRACK, Secrets: []string{longKey}}, http.Header{"Sign": {hash(body + "/" + longKey)[:32]}}, body, "does not fit"},
	{"17track, no hex", Carrier{Verify: Verify17TRACK, Secrets: []string{longKey}}, http.Header{"Sign": {"zz"}}, body, "holds no signature"},
	{"17track, none", Carrier{Verify: Verify17TRACK, Secrets: []string{longKey}}, http.Header{}, body, "is missing"},

	{"aftership", Carrier{Verify: VerifyAfterShip, Secrets: []string{longKey}}, http.Header{"Aftership-Hmac-Sha256": {base64.StdEncoding.EncodeToString(mac(longKey, body))}}, body, ""},
	{"aftership, newer header", Carrier{Verify: VerifyAfterShip, Secrets: []string{otherKey, longKey}}, http.Header{"As-Signature-Hmac-Sha256": {base64.StdEncoding.EncodeToString(mac(longKey, body))}}, body, ""},
	{"aftership, another key", Carrier{Verify: VerifyAfterShip, Secrets: []string{otherKey}}, http.Header{"Aftership-Hmac-Sha256": {base64.StdEncoding.EncodeToString(mac(longKey, body))}}, body, "does not fit"},
	{"aftership, empty", Carrier{Verify: VerifyAfterShip, Secrets: []string{otherKey}}, http.Header{"Aftership-Hmac-Sha256": {""}}, body, "is missing"},

	{"hmac with prefix", Carrier{Verify: VerifyHMAC, Header: "X-Hmac-Signature", Prefix: "hmac-sha256-hex=", Secrets: []string{longKey}}, http.Header{"X-Hmac-Signature": {"hmac-sha256-hex=" + hex.EncodeToString(mac(longKey, body))}}, body, ""},
	{"hmac in base64", Carrier{Verify: VerifyHMAC, Header: "X-Signature", Encoding: "base64", Secrets: []string{longKey}}, http.Header{"X-Signature": {base64.StdEncoding.EncodeToString(mac(longKey, body))}}, body, ""},
	{"hmac without its prefix", Carrier{Verify: VerifyHMAC, Header: "X-Signature", Prefix: "sha256=", Secrets: []string{longKey}}, http.Header{"X-Signature": {hex.EncodeToString(mac(longKey, body))}}, body, "holds no signature"},

	{"standard", Carrier{Verify: VerifyStandard, Secrets: []string{whsec}}, standardExample, `{"test": 2432232314}`, ""},
	{"standard, another body", Carrier{Verify: VerifyStandard, Secrets: []string{whsec}}, standardExample, `{"test": 2432232315}`, "fits"},
	{"standard, incomplete", Carrier{Verify: VerifyStandard, Secrets: []string{whsec}}, http.Header{"Webhook-Id": {"x"}}, body, "not all there"},

	{"token", Carrier{Verify: VerifyToken, Secrets: []string{longKey}}, http.Header{"Authorization": {"Bearer " + longKey}}, body, ""},
	{"token in a header of its own", Carrier{Verify: VerifyToken, Header: "credential", Secrets: []string{otherKey, longKey}}, http.Header{"Credential": {longKey}}, body, ""},
	{"token, wrong", Carrier{Verify: VerifyToken, Secrets: []string{longKey}}, http.Header{"Authorization": {"Bearer " + otherKey}}, body, "is wrong"},
	{"token, not as bearer", Carrier{Verify: VerifyToken, Secrets: []string{longKey}}, http.Header{"Authorization": {longKey}}, body, "is missing"},
}

func TestVerification(t *testing.T) {
	for _, v := range verifications {
		t.Run(v.name, func(t *testing.T) {
			if ps := v.carrier.Problems(); len(ps) > 0 {
				t.Fatal(ps)
			}
			err := v.carrier.verifier().check(v.header, []byte(v.body), time.Unix(1614265330, 0))
			switch {
			case v.want == "" && err != nil:
				t.Error(err)
			case v.want != "" && (err == nil || !strings.Contains(err.Error(), v.want)):
				t.Errorf("%v, want an error with %q", err, v.want)
			case err != nil && (strings.Contains(err.Error(), longKey) || strings.Contains(err.Error(), otherKey)):
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

// TestStandardTimestamps: what was recorded cannot be sent again after five minutes.
func TestStandardTimestamps(t *testing.T) {
	carrier := Carrier{Verify: VerifyStandard, Secrets: []string{whsec}}
	check := carrier.verifier().check
	for seconds, fine := range map[int64]bool{-301: false, -299: true, 0: true, 299: true, 301: false, 1 << 40: false} {
		err := check(standardExample, []byte(`{"test": 2432232314}`), time.Unix(1614265330+seconds, 0))
		if (err == nil) != fine {
			t.Errorf("%d s after it was signed: %v", seconds, err)
		}
	}
}

func TestProblems(t *testing.T) {
	for name, c := range map[string]struct {
		carrier Carrier
		want    string
	}{
		"no scheme":         {Carrier{Secrets: []string{longKey}}, "verify"},
		"unknown scheme":    {Carrier{Verify: "md5", Secrets: []string{longKey}}, "verify"},
		"no secret":         {Carrier{Verify: Verify17TRACK}, "secrets"},
		"empty secret":      {Carrier{Verify: Verify17TRACK, Secrets: []string{""}}, "secrets[0]"},
		"guessable token":   {Carrier{Verify: VerifyToken, Secrets: []string{longKey, "hunter2"}}, "secrets[1]"},
		"no whsec":          {Carrier{Verify: VerifyStandard, Secrets: []string{"whsec_!"}}, "secrets[0]"},
		"hmac where":        {Carrier{Verify: VerifyHMAC, Secrets: []string{longKey}}, "header"},
		"header of no use":  {Carrier{Verify: VerifyAfterShip, Header: "X", Secrets: []string{longKey}}, "header"},
		"prefix of no use":  {Carrier{Verify: VerifyAfterShip, Prefix: "X", Secrets: []string{longKey}}, "prefix"},
		"unknown encoding":  {Carrier{Verify: VerifyHMAC, Header: "X", Encoding: "utf8", Secrets: []string{longKey}}, "encoding"},
		"a rate below zero": {Carrier{Verify: VerifyToken, Secrets: []string{longKey}, RatePerSecond: -1}, "rate_per_second"},
	} {
		if ps := c.carrier.Problems(); len(ps) != 1 || ps[0].Field != c.want {
			t.Errorf("%s: %v, want one of field %s", name, ps, c.want)
		}
	}
}
