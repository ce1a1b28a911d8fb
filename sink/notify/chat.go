package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// chatSender posts messages in the format of a chat's vendor. None of them knows a
// key of idempotency: a crash between the answer and the commit repeats a message.
type chatSender struct {
	kind   Kind
	url    string
	secret string // of the signature; empty: none
	render *renderer
	poster
}

// send sends one message once.
func (s *chatSender) send(ctx context.Context, items []item) outcome {
	m, at := items[0].msgs[0], s.now()
	out, err := s.render.render(m, at)
	if err != nil {
		return outcome{verdict: rejected, reason: "the template fails: " + err.Error()}
	}
	body, err := json.Marshal(s.payload(out, at))
	if err != nil {
		return outcome{verdict: rejected, reason: err.Error()}
	}
	to, err := s.signed(at)
	if err != nil {
		return outcome{verdict: rejected, reason: "the URL cannot be used"}
	}
	o := s.post(ctx, to, body, nil, s.verdict())
	switch o.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		o.verdict = failed // the URL is wrong or was revoked, the message is not: it waits for a new one
	}
	return o
}

// payload returns the body as the vendor wants it.
func (s *chatSender) payload(r rendered, at time.Time) any {
	type object = map[string]any
	switch s.kind {
	case KindSlack:
		return object{
			"text": r.title, "unfurl_links": false, "unfurl_media": false,
			"blocks": []any{object{"type": "section", "text": object{"type": "mrkdwn", "text": r.text, "verbatim": true}}},
		}
	case KindFeishu:
		body := object{"msg_type": "interactive", "card": object{
			"config":   object{"wide_screen_mode": true},
			"header":   object{"title": object{"tag": "plain_text", "content": r.title}, "template": r.color},
			"elements": []any{object{"tag": "markdown", "content": r.text}},
		}}
		if s.secret != "" {
			body["timestamp"] = strconv.FormatInt(at.Unix(), 10)
			body["sign"] = feishuSign(s.secret, at)
		}
		return body
	case KindDingTalk:
		return object{
			"msgtype":  "markdown",
			"markdown": object{"title": r.title, "text": "#### " + r.title + "\n" + breakLines(r.text)},
			"at":       object{"atMobiles": []string{}, "atUserIds": []string{}, "isAtAll": false},
		}
	}
	return object{"msgtype": "markdown", "markdown": object{"content": r.text}}
}

// breakLines doubles the ends of lines: DingTalk joins lines as Markdown does.
func breakLines(s string) string {
	var b []byte
	for i := range len(s) {
		if b = append(b, s[i]); s[i] == '\n' {
			b = append(b, '\n')
		}
	}
	return string(b)
}

// signed returns the URL of one attempt.
func (s *chatSender) signed(at time.Time) (string, error) {
	if s.kind != KindDingTalk || s.secret == "" {
		return s.url, nil
	}
	u, err := url.Parse(s.url)
	if err != nil {
		return "", err
	}
	q := u.Query()
	q.Set("timestamp", strconv.FormatInt(at.UnixMilli(), 10))
	q.Set("sign", dingTalkSign(s.secret, at))
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// feishuSign is an HMAC-SHA256 of nothing, with the time in seconds and the secret
// as its key.
func feishuSign(secret string, at time.Time) string {
	mac := hmac.New(sha256.New, []byte(strconv.FormatInt(at.Unix(), 10)+"\n"+secret))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// dingTalkSign is an HMAC-SHA256 of the time in milliseconds and the secret, with
// the secret as its key.
func dingTalkSign(secret string, at time.Time) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strconv.FormatInt(at.UnixMilli(), 10) + "\n" + secret))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// chatAnswer is what Feishu (code), DingTalk and WeCom (errcode) say with status
// 200, whether they took a message or not.
type chatAnswer struct {
	Code       *int   `json:"code"`
	StatusCode *int   `json:"StatusCode"` // of Feishu's first version, beside code or alone
	Msg        string `json:"msg"`
	ErrCode    *int   `json:"errcode"`
	ErrMsg     string `json:"errmsg"`
}

// verdict returns what reads an answer of status 200. A code says that the message
// is at fault, that there are too many of them, or anything else, such as a wrong
// signature: then it waits until somebody has mended that.
func (s *chatSender) verdict() func([]byte) outcome {
	switch s.kind {
	case KindFeishu:
		return func(text []byte) outcome {
			return judgeCode(text, feishuCode, []int{9499, 19002}, []int{11232, 11233, 99991400})
		}
	case KindDingTalk:
		return func(text []byte) outcome {
			return judgeCode(text, errCode, []int{40035, 400105, 430101, 430102, 430103, 430104}, []int{130101, 410100})
		}
	case KindWeCom:
		return func(text []byte) outcome {
			return judgeCode(text, errCode, []int{40008, 40058, 44004, 45002}, []int{45009, 45033})
		}
	}
	return nil // Slack answers with a status
}

func feishuCode(a chatAnswer) (*int, string) {
	if a.Code == nil {
		return a.StatusCode, a.Msg
	}
	return a.Code, a.Msg
}

func errCode(a chatAnswer) (*int, string) { return a.ErrCode, a.ErrMsg }

func judgeCode(text []byte, of func(chatAnswer) (*int, string), bad, tooMany []int) outcome {
	var a chatAnswer
	err := json.Unmarshal(text, &a)
	code, msg := of(a)
	switch {
	case err != nil || code == nil:
		return outcome{verdict: failed, reason: fmt.Sprintf("an answer without a code: %.200q", text)}
	case *code == 0:
		return outcome{verdict: delivered}
	}
	o := outcome{verdict: failed, reason: fmt.Sprintf("code %d: %.200q", *code, msg)}
	if slices.Contains(bad, *code) {
		o.verdict = rejected
	}
	if slices.Contains(tooMany, *code) {
		o.after = time.Minute
	}
	return o
}
