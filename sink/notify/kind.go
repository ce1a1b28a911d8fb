package notify

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"scantrail/schemas"
)

// Kind says how a receiver is spoken to.
type Kind string

// The kinds of receivers, with what Secrets are to each.
const (
	KindWebhook      Kind = "webhook"      // Standard Webhooks; whsec_ and base64, each signs, so that a receiver can change from one to the next
	KindAlertmanager Kind = "alertmanager" // Prometheus Alertmanager, API v2; a bearer token, or none
	KindKafka        Kind = "kafka"        // a topic; none
	KindSlack        Kind = "slack"        // an incoming webhook of Slack; none
	KindFeishu       Kind = "feishu"       // a custom bot of Feishu or Lark; the key of its signature, or none
	KindDingTalk     Kind = "dingtalk"     // a custom robot of DingTalk; the key of its signature (SEC...), or none
	KindWeCom        Kind = "wecom"        // a group robot of WeCom; none
)

// Kinds are all there are.
func Kinds() []Kind {
	return []Kind{KindWebhook, KindAlertmanager, KindKafka, KindSlack, KindFeishu, KindDingTalk, KindWeCom}
}

func kindList() string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

func (k Kind) or() Kind { return cmp.Or(k, KindWebhook) }

// Chat reports whether people read what is sent, in a format of its vendor.
func (k Kind) Chat() bool {
	switch k {
	case KindSlack, KindFeishu, KindDingTalk, KindWeCom:
		return true
	}
	return false
}

// standing reports whether an open alert has to be sent again and again.
func (k Kind) standing() bool { return k == KindAlertmanager }

const unlimited = 1 << 30

// rate is the default of RatePerMinute: what the vendor allows.
func (k Kind) rate() int {
	switch k {
	case KindFeishu:
		return 100
	case KindDingTalk, KindWeCom:
		return 20
	case KindAlertmanager, KindKafka:
		return unlimited
	}
	return 60 // Slack allows one a second
}

// pace is the least time between two messages to a chat: no minute then has more
// than the vendor allows, wherever it begins.
func (k Kind) pace() time.Duration {
	if !k.Chat() {
		return 0
	}
	return time.Minute / time.Duration(k.rate())
}

// targetProblems says what is wrong with where a receiver is and with its secrets.
func (e *Receiver) targetProblems(add func(field, what, remedy string)) {
	kind := e.Kind.or()
	if kind == KindKafka {
		e.topicProblem(add)
	} else if e.Topic != "" {
		add("topic", "is for kafka only", "remove it")
	}
	if kind == KindAlertmanager && len(e.URLs) == 0 {
		add("urls", "is missing", "list every peer, such as https://alertmanager.example.com:9093")
	}
	if kind != KindAlertmanager && len(e.URLs) > 0 {
		add("urls", "is for alertmanager only", "use url")
	}
	for i, u := range e.URLs {
		if what, remedy := e.checkURL(u); what != "" {
			add(fmt.Sprintf("urls[%d]", i), what, remedy)
		}
	}
	if kind != KindAlertmanager && kind != KindKafka {
		if what, remedy := e.checkURL(e.URL); what != "" {
			add("url", what, remedy)
		}
	} else if e.URL != "" {
		add("url", "is not used by "+string(kind), "remove it")
	}
	e.secretProblems(kind, add)
	if kind.Chat() {
		if _, err := newRenderer(e, ""); err != nil {
			add("template", err.Error(), "sink/notify/README.md lists what a template can use")
		}
		if limit := kind.rate(); e.RatePerMinute > limit {
			add("rate_per_minute", fmt.Sprintf("%d is more than the vendor takes", e.RatePerMinute), fmt.Sprintf("choose at most %d", limit))
		}
	} else if e.Template != "" {
		add("template", "is for chats only", "remove it")
	}
}

func (e *Receiver) secretProblems(kind Kind, add func(field, what, remedy string)) {
	most := 1
	switch kind {
	case KindWebhook:
		if len(e.Secrets) == 0 {
			add("secrets", "names no secret", "give at least one: receivers verify with it who sent an alert")
		}
		for i, s := range e.Secrets {
			if _, err := parseSecret(s); err != nil {
				add(fmt.Sprintf("secrets[%d]", i), err.Error(), `make one with: printf 'whsec_%s\n' "$(openssl rand -base64 32)"`)
			}
		}
		return
	case KindKafka, KindSlack, KindWeCom:
		most = 0
	}
	if len(e.Secrets) > most {
		add("secrets", fmt.Sprintf("has %d, %s uses %d", len(e.Secrets), kind, most), "remove the others")
	}
}

var topicForm = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

func (e *Receiver) topicProblem(add func(field, what, remedy string)) {
	own := []string{
		schemas.EventsTopic, schemas.SnapshotsTopic, schemas.PolicyTopic, schemas.AlertsTopic,
		schemas.StatusTopic, schemas.DeadLettersTopic, schemas.OrdersTopic,
	}
	switch {
	case !topicForm.MatchString(e.Topic) || e.Topic == "." || e.Topic == "..":
		add("topic", fmt.Sprintf("%.40q is no name of a topic", e.Topic), "use 1 to 249 of a-z, A-Z, 0-9, ., _ and -")
	case slices.Contains(own, e.Topic) || strings.HasPrefix(e.Topic, "scans.raw."):
		add("topic", fmt.Sprintf("%s is read by Scantrail itself", e.Topic), "choose a topic of your own")
	}
}

func (e *Receiver) checkURL(text string) (what, remedy string) {
	const form = "write https://host/path"
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "is missing", form
	case len(text) > maxURLBytes:
		return fmt.Sprintf("has more than %d bytes", maxURLBytes), form
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return "is no URL", form
	case u.User != nil:
		return "holds a user or password", "remove it: messages are signed with the secrets"
	case u.Fragment != "":
		return "holds a fragment, which is never sent", "remove what follows #"
	case u.Scheme == "https":
		return "", ""
	case u.Scheme != "http":
		return fmt.Sprintf("has the scheme %.20q", u.Scheme), form
	case !isLoopback(u.Hostname()) && e.Kind != KindAlertmanager:
		return "is http to another machine: alerts would be readable on the way", "use https"
	case !e.InsecureHTTP && e.Kind == KindAlertmanager:
		return "is http", "use https, or set insecure_http: true for this machine and the networks of notify.allow"
	case !e.InsecureHTTP:
		return "is http", "use https, or set insecure_http: true for a receiver on this machine"
	}
	return "", ""
}

// isLoopback reports whether a host stays on this machine. A name counts only
// when it is localhost: any other may resolve to anything.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
