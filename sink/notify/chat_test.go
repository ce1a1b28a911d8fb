package notify

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"scantrail/schemas"
)

// chatServer stands in for a vendor: it holds every message to the vendor's schema
// and signature, and answers as the vendor does.
type chatServer struct {
	*httptest.Server
	t      *testing.T
	kind   Kind
	secret string
	schema *jsonschema.Schema

	mu     sync.Mutex
	status int
	answer string
	got    []string
}

func chatKinds() []Kind { return []Kind{KindSlack, KindFeishu, KindDingTalk, KindWeCom} }

func startChat(t *testing.T, kind Kind, secret string) *chatServer {
	t.Helper()
	file, err := os.Open("testdata/chat/" + string(kind) + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	doc, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("chat.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("chat.json")
	if err != nil {
		t.Fatal(err)
	}
	s := &chatServer{t: t, kind: kind, secret: secret, schema: schema, status: http.StatusOK, answer: fine[kind]}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// fine is what each vendor says to a message that it took.
var fine = map[Kind]string{
	KindSlack: "ok", KindFeishu: `{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}`,
	KindDingTalk: `{"errcode":0,"errmsg":"ok"}`, KindWeCom: `{"errcode":0,"errmsg":"ok"}`,
}

func (s *chatServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(body)))
	if err == nil {
		err = s.schema.Validate(doc)
	}
	if err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		s.t.Errorf("%s: %v\n%s", s.kind, err, body)
	}
	s.verify(r.URL.Query(), body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, string(body))
	w.WriteHeader(s.status)
	io.WriteString(w, s.answer) //nolint:errcheck // the test sees what arrives
}

// verify checks the signature, as far as the vendor has one.
func (s *chatServer) verify(q url.Values, body []byte) {
	var signed struct{ Timestamp, Sign string }
	switch json.Unmarshal(body, &signed); {
	case s.kind == KindDingTalk:
		if q.Get("access_token") != "t" {
			s.t.Errorf("the URL lost its token: %v", q)
		}
		if want := map[string]string{"": "", testDingTalkSecret: "2S+oAP5j44qnhf+eUImP+oXofNQpF9T/KHt20Nun77w="}[s.secret]; q.Get("sign") != want {
			s.t.Errorf("signature %q of %s, want %q", q.Get("sign"), q.Get("timestamp"), want)
		}
	case s.kind == KindFeishu && s.secret != "":
		if signed.Timestamp != fmt.Sprint(chatTime.Unix()) || signed.Sign != "sCQHDN4b7aB2twKfuWYMRw07IsJhfYb7bS92lsPOo/A=" {
			s.t.Errorf("signature %+v", signed)
		}
	}
}

var chatTime = time.UnixMilli(1795348805000)

const testDingTalkSecret = "SEC000000000000000000000000000000000000000000000000000000000000test"

// chat returns a sender to s.
func (s *chatServer) chat(change func(*Receiver)) *chatSender {
	s.t.Helper()
	e := &Receiver{Name: "chat", Kind: s.kind, URL: s.URL + "/?access_token=t", Language: "en", Zone: "Asia/Shanghai"}
	if change != nil {
		change(e)
	}
	r, err := newRenderer(e, "https://console.example.com")
	if err != nil {
		s.t.Fatal(err)
	}
	return &chatSender{kind: s.kind, url: e.URL, secret: s.secret, render: r, poster: poster{
		client: newClient(&guard{loopback: true}, nil, nil, 5*time.Second), now: func() time.Time { return chatTime },
	}}
}

// texts returns the strings of the last message that people see.
func (s *chatServer) texts() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var v any
	if err := json.Unmarshal([]byte(s.got[len(s.got)-1]), &v); err != nil {
		s.t.Fatal(err)
	}
	var all []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			all = append(all, v)
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, key := range slices.Sorted(mapKeys(v)) {
				walk(v[key])
			}
		}
	}
	walk(v)
	return strings.Join(all, "\n")
}

func mapKeys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// TestChatsTakeEverySample: alerts, ends and digests, in both languages.
func TestChatsTakeEverySample(t *testing.T) {
	for _, kind := range chatKinds() {
		for _, language := range []string{"en", "zh"} {
			s := startChat(t, kind, map[Kind]string{KindFeishu: "feishu-secret", KindDingTalk: testDingTalkSecret}[kind])
			c := s.chat(func(e *Receiver) { e.Language = language })
			all := samples()
			for _, rule := range schemas.Rules() {
				all = append(all, sample(rule, chatTime))
			}
			for _, m := range all {
				if o := c.send(t.Context(), just(m)); o.verdict != delivered {
					t.Errorf("%s: %+v", kind, o)
				}
			}
			text := s.texts()
			for _, want := range map[string][]string{
				"en": {"Too many late confirmations", "What to do:", "LX123456785CN"}, "zh": {"订单确认超时率偏高", "处理建议：", "LX123456785CN"},
			}[language] {
				if !strings.Contains(text, want) {
					t.Errorf("%s in %s lacks %q:\n%s", kind, language, want, text)
				}
			}
		}
	}
}

// TestHostileTextInChats: what carriers and sellers write makes no link, no mention,
// no picture, and turns no text around.
func TestHostileTextInChats(t *testing.T) {
	hostile := []string{
		"<!channel> <!here> <@U012AB3CD> <https://evil.example.com|click>", "[click](https://evil.example.com)", "![x](http://evil.example.com/a.png)", "[x](tel:110) [y](evil) [z](//evil.example.com)",
		"@all @everyone", "<at user_id=\"all\">all</at> <at id=all></at>", "<@all> <@zhangsan>", "<a href='https://evil.example.com'>x</a>",
		"https://evil.example.com www.evil.example.com evil。example。com mailto:a@evil.example.com", "\u202eevil\u2066 \u200bx\x00\x1b[31m",
		"line\n# head\n> quote\n- [ ] list", "`code` ```block``` **bold** ~~no~~", strings.Repeat("A<", 50_000), "&lt;!channel&gt;", `\<!channel\>`,
	}
	forbidden := regexp.MustCompile(`(?i)evil\.|evil。|<!|<@|<at|<a |<https?://e|\]\((?:https?://e|tel|evil|//)|@all|@every|[\x{202a}-\x{202e}\x{2066}-\x{2069}\x{200b}\x00\x1b]|://e`)
	for _, kind := range chatKinds() {
		s := startChat(t, kind, "")
		c := s.chat(nil)
		for _, text := range hostile {
			m := sample(schemas.RuleGap48h, chatTime)
			m.alert.Facility, m.alert.Carrier, m.alert.ShopID, m.alert.OrderID, m.alert.TrackingNumber, m.alert.Market = text, text, text, text, text, text
			m.alert.Cause = text
			if o := c.send(t.Context(), just(m)); o.verdict != delivered {
				t.Errorf("%s: %+v", kind, o)
			}
			s.harmless(text, forbidden)
			d := newDigest()
			d.add(&message{key: m.key, rule: text, carrier: text})
			if o := c.send(t.Context(), just(&message{sum: &summary{digest: d, shop: text, open: 1, urgent: []*message{m}}})); o.verdict != delivered {
				t.Errorf("%s: %+v", kind, o)
			}
			s.harmless(text, forbidden)
		}
	}
}

// harmless reports a mark in the last message that hostile text could have made.
func (s *chatServer) harmless(text string, forbidden *regexp.Regexp) {
	s.t.Helper()
	if bad := forbidden.FindString(s.texts()); bad != "" {
		s.t.Errorf("%s: %.60q shows %q:\n%s", s.kind, text, bad, s.texts())
	}
}

// TestAnswersOfChats: an error inside an answer of status 200 is one, and what is to
// be done about it follows from the code.
func TestAnswersOfChats(t *testing.T) {
	for _, c := range []struct {
		kind   Kind
		status int
		answer string
		want   verdict
		after  time.Duration
	}{
		{KindSlack, 200, "ok", delivered, 0},
		{KindSlack, 400, "invalid_blocks", rejected, 0},
		{KindSlack, 403, "action_prohibited", failed, 0},
		{KindSlack, 404, "no_service", failed, 0},
		{KindSlack, 410, "channel_is_archived", failed, 0},
		{KindSlack, 500, "rollup_error", failed, 0},
		{KindFeishu, 200, `{"code":0,"msg":"success"}`, delivered, 0},
		{KindFeishu, 200, `{"code":9499,"msg":"Bad Request","data":{}}`, rejected, 0},
		{KindFeishu, 200, `{"code":11232,"msg":"frequency limited psm"}`, failed, time.Minute},
		{KindFeishu, 200, `{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}`, failed, 0},
		{KindFeishu, 400, `{"code":9499,"msg":"Bad Request"}`, rejected, 0},
		{KindFeishu, 400, `{"code":99991400,"msg":"request trigger frequency limit"}`, failed, time.Minute},
		{KindFeishu, 200, `{"Extra":null,"StatusCode":0,"StatusMessage":"success"}`, delivered, 0},
		{KindDingTalk, 200, `{"errcode":0,"errmsg":"ok"}`, delivered, 0},
		{KindDingTalk, 200, `{"errcode":310000,"errmsg":"sign not match"}`, failed, 0},
		{KindDingTalk, 200, `{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}`, failed, time.Minute},
		{KindDingTalk, 200, `{"errcode":430102,"errmsg":"inappropriate text"}`, rejected, 0},
		{KindDingTalk, 200, `{"errcode":300005,"errmsg":"token is not exist"}`, failed, 0},
		{KindWeCom, 200, `{"errcode":0,"errmsg":"ok"}`, delivered, 0},
		{KindWeCom, 200, `{"errcode":93000,"errmsg":"invalid webhook url"}`, failed, 0},
		{KindWeCom, 200, `{"errcode":45009,"errmsg":"api freq out of limit"}`, failed, time.Minute},
		{KindWeCom, 200, `{"errcode":40058,"errmsg":"markdown.content exceed max length 4096"}`, rejected, 0},
		{KindWeCom, 200, `<html>a proxy</html>`, failed, 0},
		{KindFeishu, 200, `{}`, failed, 0},
	} {
		s := startChat(t, c.kind, "")
		s.status, s.answer = c.status, c.answer
		o := s.chat(nil).send(t.Context(), just(sample(schemas.RuleGap48h, chatTime)))
		if o.verdict != c.want || o.after != c.after {
			t.Errorf("%s answers %d %s: %+v", c.kind, c.status, c.answer, o)
		}
		if c.want != delivered && o.reason == "" || strings.Contains(o.reason, s.URL) {
			t.Errorf("%s answers %d %s: the reason is %q", c.kind, c.status, c.answer, o.reason)
		}
	}
}

// TestTemplatesOfUsers: what is wrong with one is known before anything is sent.
func TestTemplatesOfUsers(t *testing.T) {
	const title = `{{define "title"}}x{{end}}`
	for name, c := range map[string]struct{ template, want string }{
		"own":           {title + `{{define "text"}}{{with .Alert}}{{.Number}}{{end}}{{with .Digest}}{{.Alerts}}{{end}}{{end}}`, ""},
		"syntax":        {`{{define "title"}}{{`, "unclosed action"},
		"no text":       {title, `no {{define "text"}}`},
		"unknown field": {title + `{{define "text"}}{{with .Alert}}{{.Numbr}}{{end}}x{{end}}`, "Numbr"},
		"empty":         {title + `{{define "text"}}{{with .Alert}}x{{end}}{{end}}`, "empty"}, // of a digest
		"endless":       {title + `{{define "text"}}x{{template "text" .}}{{end}}`, "maximum template depth"},
		"too much":      {title + `{{define "text"}}{{range 100000000}}xxxxxxxxxxxxxxxx{{end}}{{end}}`, "1 MiB"},
		"too long":      {title + strings.Repeat(" ", MaxTemplateBytes), "at most"},
	} {
		e := Receiver{Name: "x", Kind: KindFeishu, URL: "https://example.com/x", Template: c.template}
		ps := e.Problems()
		if c.want == "" && len(ps) == 0 {
			continue
		}
		if len(ps) != 1 || ps[0].Field != "template" || !strings.Contains(ps[0].What, c.want) {
			t.Errorf("%s: %v, want %q", name, ps, c.want)
		}
	}
}

// TestLongTexts: a message that is too long loses whole lines.
func TestLongTexts(t *testing.T) {
	in := mediumOf(KindWeCom)
	got := in.cut(strings.Repeat("an unreasonable line\n", 1000))
	if len(got) > 3900 || len(got) < 3000 || !strings.HasSuffix(got, "line\n…") {
		t.Errorf("%d bytes that end with %q", len(got), got[len(got)-30:])
	}
	if got := in.cut(strings.Repeat("x", 5000)); got != "…" {
		t.Errorf("%.20q", got)
	}
}
