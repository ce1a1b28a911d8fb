package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// verify is a receiver's side of Standard Webhooks, written from its text: it
// returns the body's id, or why the message must not be trusted.
func verify(secret string, h http.Header, body []byte, now time.Time) (string, error) {
	id, sent := h.Get("Webhook-Id"), h.Get("Webhook-Timestamp")
	seconds, err := strconv.ParseInt(sent, 10, 64)
	if id == "" || err != nil {
		return "", errors.New("a header is missing")
	}
	if math.Abs(now.Sub(time.Unix(seconds, 0)).Minutes()) > 5 {
		return "", errors.New("too old or too new: a replay")
	}
	key, err := base64.StdEncoding.DecodeString(secret[len("whsec_"):])
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id))
	mac.Write([]byte("."))
	mac.Write([]byte(sent))
	mac.Write([]byte("."))
	mac.Write(body)
	want := mac.Sum(nil)
	for _, item := range strings.Fields(h.Get("Webhook-Signature")) {
		version, text, _ := strings.Cut(item, ",")
		have, err := base64.StdEncoding.DecodeString(text)
		if version == "v1" && err == nil && hmac.Equal(have, want) {
			return id, nil
		}
	}
	return "", errors.New("no signature fits")
}

// TestSignatureOfTheStandard: the example that libraries of Standard Webhooks
// test themselves with.
func TestSignatureOfTheStandard(t *testing.T) {
	key, err := parseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := signature([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestSecretsInTurn(t *testing.T) {
	now, body := time.Unix(1_800_000_000, 0), []byte(`{"a":1}`)
	var keys [][]byte
	for _, s := range []string{testSecret, otherSecret} {
		key, err := parseSecret(s)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	h := http.Header{"Webhook-Id": {"x:1"}, "Webhook-Timestamp": {"1800000000"}, "Webhook-Signature": {signature(keys, "x:1", now, body)}}
	for _, s := range []string{testSecret, otherSecret} {
		if _, err := verify(s, h, body, now); err != nil {
			t.Errorf("a receiver with one of the two secrets: %v", err)
		}
	}
	if _, err := verify(testSecret, h, []byte(`{"a":2}`), now); err == nil {
		t.Error("another body is accepted")
	}
	if _, err := verify(testSecret, h, body, now.Add(6*time.Minute)); err == nil {
		t.Error("an old message is accepted")
	}
	if _, err := verify("whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32)), h, body, now); err == nil {
		t.Error("another secret is accepted")
	}
}
