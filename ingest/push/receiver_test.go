package push

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// place is a receiver on a real listener, in front of a broker with some topics.
type place struct {
	*Receiver
	t       *testing.T
	url     string
	cluster *kfake.Cluster
	kafka   []kgo.Opt
	metrics *Metrics
}

func newPlace(t *testing.T, o Options, topics ...string) *place {
	t.Helper()
	return newPlaceOn(t, o, nil, topics...)
}

func newPlaceOn(t *testing.T, o Options, broker []kfake.Opt, topics ...string) *place {
	t.Helper()
	for i, carrier := range topics {
		topics[i] = schemas.RawTopicPrefix + carrier
	}
	cluster, err := kfake.NewCluster(append(broker, kfake.NumBrokers(1), kfake.SeedTopics(3, topics...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	p := &place{t: t, cluster: cluster, kafka: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, metrics: NewMetrics(prometheus.NewRegistry())}
	o.Kafka, o.Metrics, o.Log = append(p.kafka, o.Kafka...), p.metrics, slog.New(slog.NewTextHandler(t.Output(), nil))
	if p.Receiver, err = New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.url = server.URL + "/v1/scans/"
	return p
}

// reply is an answer of the receiver.
type reply struct {
	code              int
	what, remedy, id  string
	retryAfterSeconds int
}

// send pushes a body, with headers given as name, value.
func (p *place) send(carrier string, body io.Reader, headers ...string) reply {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+carrier, body)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	var told struct {
		Detail, Remedy string
		ID             string `json:"request_id"`
	}
	if res.StatusCode != http.StatusMethodNotAllowed {
		if err := json.NewDecoder(res.Body).Decode(&told); err != nil {
			p.t.Errorf("answer %d is no JSON: %v", res.StatusCode, err)
		}
	}
	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
	return reply{code: res.StatusCode, what: told.Detail, remedy: told.Remedy, id: told.ID, retryAfterSeconds: seconds}
}

// records returns all that stands in the carriers' raw topics.
func (p *place) records(want int) (all []*kgo.Record) {
	p.t.Helper()
	client, err := kgo.NewClient(append(p.kafka[:1:1], kgo.ConsumeRegex(), kgo.ConsumeTopics("^scans.raw"))...)
	if err != nil {
		p.t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	total := 0
	ends.Each(func(o kadm.ListedOffset) { total += int(o.Offset) })
	for len(all) < total {
		fetches := client.PollFetches(p.t.Context())
		if err := fetches.Err(); err != nil {
			p.t.Fatal(err)
		}
		all = append(all, fetches.Records()...)
	}
	if want >= 0 && len(all) != want {
		p.t.Errorf("%d records in Kafka, want %d", len(all), want)
	}
	return all
}

func count(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

func everybody(*http.Request, string) Rights { return Rights{Push: true} }

func TestABodyBecomesOneRawRecord(t *testing.T) {
	p := newPlace(t, Options{Known: []string{"usps"}, Rights: everybody}, "usps")
	// Bytes that are no UTF-8, a zero and line ends: nothing is read into them.
	sent := "\xff\x00{\"a\": 1}\r\n\r\n"
	got := p.send("usps", strings.NewReader(sent), "X-Request-Id", "abc-1", "Authorization", "Bearer secret", "Cookie", "a=b", "carrier", "dhl")
	if got.code != http.StatusOK || got.id != "abc-1" {
		t.Fatalf("%+v", got)
	}
	r := p.records(1)[0]
	if string(r.Value) != sent || r.Topic != "scans.raw.usps" || len(r.Key) != 0 {
		t.Errorf("topic %s, key %q, value %q", r.Topic, r.Key, r.Value)
	}
	want := []kgo.RecordHeader{{Key: "scantrail-received-via", Value: []byte("push")}, {Key: "scantrail-request-id", Value: []byte("abc-1")}}
	if len(r.Headers) != len(want) {
		t.Fatalf("headers %v", r.Headers)
	}
	for i, h := range r.Headers {
		if h.Key != want[i].Key || string(h.Value) != string(want[i].Value) {
			t.Errorf("header %s: %s, want %s: %s", h.Key, h.Value, want[i].Key, want[i].Value)
		}
	}
	if n := count(t, p.metrics.Bytes.WithLabelValues("usps")); n != float64(len(sent)) {
		t.Errorf("%g bytes counted", n)
	}
}

// TestAnswers is the table of PUSH.md: what is refused, how, and that nothing of it
// is in Kafka.
func TestAnswers(t *testing.T) {
	const limit = 20_000
	o := Options{
		Known: []string{"usps", "ups", "dhl", "fedex"}, MaxBytes: limit,
		Carriers: []Carrier{
			{Name: "17track", Verify: Verify17TRACK, Secrets: []string{longKey}},
			{Name: "ups", Verify: VerifyToken, Header: "credential", Secrets: []string{longKey}},
			{Name: "slowpost", Verify: VerifyToken, Secrets: []string{longKey}, RatePerSecond: 1},
		},
		Rights: func(r *http.Request, carrier string) Rights {
			return Rights{Push: carrier != "fedex", Backfill: r.Header.Get("Authorization") == "Bearer operator"}
		},
	}
	p := newPlace(t, o, "usps", "ups", "17track", "slowpost")
	long := strings.Repeat(" ", limit+1)
	sign := hash(body + "/" + longKey)
	for _, c := range []struct {
		name    string
		carrier string
		body    string
		headers []string
		code    int
		outcome string
		what    string
	}{
		{"plain", "usps", body, nil, 200, accepted, ""},
		{"the longest", "usps", long[:limit], nil, 200, accepted, ""},
		{"gzip", "usps", zipped(body), []string{"Content-Encoding", "gzip"}, 200, accepted, ""},
		{"gzip of the longest", "usps", zipped(long[:limit]), []string{"Content-Encoding", "GZIP"}, 200, accepted, ""},
		{"JSON as a form, as curl -d does", "usps", body, []string{"Content-Type", "application/x-www-form-urlencoded"}, 200, accepted, ""},
		{"signed", "17track", body, []string{"sign", sign}, 200, accepted, ""},
		{"signed gzip: the signature is of what is in it", "17track", zipped(body), []string{"sign", sign, "Content-Encoding", "gzip"}, 200, accepted, ""},
		{"history from an operator", "usps", body, []string{"Authorization", "Bearer operator", schemas.BackfillHeader, "1"}, 200, accepted, ""},
		{"ping", "usps", "", nil, 200, empty, ""},
		{"token", "slowpost", body, []string{"Authorization", "Bearer " + longKey}, 200, accepted, ""},

		{"more than the rate", "slowpost", body, []string{"Authorization", "Bearer " + longKey}, 429, limited, "more requests a second"},
		{"not signed, though the caller may", "17track", body, nil, 401, unverified, "sign, which holds the signature, is missing"},
		{"signed wrongly", "17track", body + " ", []string{"sign", sign}, 401, unverified, "does not fit"},
		{"ping of somebody", "17track", "", nil, 401, unverified, "is missing"},
		{"wrong token", "ups", body, []string{"credential", otherKey}, 401, unverified, "is wrong"},
		{"no right", "fedex", body, nil, 401, unverified, "nothing shows"},
		{"history from a carrier", "usps", body, []string{schemas.BackfillHeader, "1"}, 403, forbidden, "operator"},
		{"unknown carrier", "nordpak", body, nil, 404, unknown, "no carrier"},
		{"hostile carrier", "%3Cscript%3E", body, nil, 404, unknown, "no carrier"},
		{"no topic", "dhl", body, nil, 404, unknown, "no topic scans.raw.dhl"},
		{"too long", "usps", long, nil, 413, tooLarge, "20000 bytes"},
		{"too long once unpacked", "usps", zipped(long), []string{"Content-Encoding", "gzip"}, 413, tooLarge, "20000 bytes"},
		{"a bomb", "usps", zipped(strings.Repeat("a", 4<<20)), []string{"Content-Encoding", "gzip"}, 413, tooLarge, "20000 bytes"},
		{"unknown encoding", "usps", body, []string{"Content-Encoding", "zstd"}, 415, unsupported, "Content-Encoding"},
		{"a form", "usps", "content=%7B%7D", []string{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}, 415, unsupported, "form"},
		{"a form with files", "usps", body, []string{"Content-Type", "multipart/form-data; boundary=x"}, 415, unsupported, "form"},
		{"no gzip", "usps", body, []string{"Content-Encoding", "gzip"}, 400, unreadable, "not whole"},
		{"half a gzip", "usps", zipped(body)[:30], []string{"Content-Encoding", "gzip"}, 400, unreadable, "not whole"},
	} {
		label := c.carrier
		if p.carriers[label] == nil {
			label = "other"
		}
		before := count(t, p.metrics.Requests.WithLabelValues(label, c.outcome))
		got := p.send(c.carrier, strings.NewReader(c.body), c.headers...)
		if got.code != c.code || !strings.Contains(got.what, c.what) || (got.what == "") != (c.code == 200) || got.id == "" || c.code != 200 && got.remedy == "" {
			t.Errorf("%s: %+v", c.name, got)
		}
		if (c.code == 429 || c.code == 503) != (got.retryAfterSeconds > 0) {
			t.Errorf("%s: Retry-After %d", c.name, got.retryAfterSeconds)
		}
		if n := count(t, p.metrics.Requests.WithLabelValues(label, c.outcome)); n != before+1 {
			t.Errorf("%s: not counted as %s of %s", c.name, c.outcome, label)
		}
	}
	if got := p.all.left.Load(); got != p.o.MaxInFlight {
		t.Errorf("%d bytes are held for good", p.o.MaxInFlight-got)
	}
	flagged := 0
	for _, r := range p.records(9) {
		if v := string(r.Value); v != body && v != long[:limit] {
			t.Errorf("a record reads %.100q", v)
		}
		for _, h := range r.Headers {
			if h.Key == schemas.BackfillHeader {
				flagged++
			}
		}
	}
	if flagged != 1 {
		t.Errorf("%d records are flagged as history", flagged)
	}
}

func zipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s)) //nolint:errcheck // in memory
	w.Close()          //nolint:errcheck // in memory
	return b.String()
}

func TestOnlyPOST(t *testing.T) {
	p := newPlace(t, Options{Known: []string{"usps"}, Rights: everybody}, "usps")
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		req, _ := http.NewRequestWithContext(t.Context(), method, p.url+"usps", nil)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close() //nolint:errcheck // not read
		if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, res.StatusCode, res.Header.Get("Allow"))
		}
	}
}

// TestKafkaRefuses: what Kafka answers becomes what the sender is told.
func TestKafkaRefuses(t *testing.T) {
	p := newPlace(t, Options{Known: []string{"usps"}, Rights: everybody, AckTimeout: 300 * time.Millisecond, RatePerSecond: 1_000_000}, "usps")
	var says atomic.Pointer[kerr.Error]
	p.cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		p.cluster.KeepControl()
		res := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range req.(*kmsg.ProduceRequest).Topics {
			answered := kmsg.ProduceResponseTopic{Topic: topic.Topic, TopicID: topic.TopicID}
			for _, partition := range topic.Partitions {
				answered.Partitions = append(answered.Partitions, kmsg.ProduceResponseTopicPartition{Partition: partition.Partition, ErrorCode: says.Load().Code})
			}
			res.Topics = append(res.Topics, answered)
		}
		return res, nil, true
	})
	for _, c := range []struct {
		says    *kerr.Error
		code    int
		outcome string
	}{
		{kerr.MessageTooLarge, 413, tooLarge},
		{kerr.TopicAuthorizationFailed, 503, failed},
		{kerr.NotEnoughReplicas, 429, slow}, // tried again by the client, in vain
	} {
		says.Store(c.says)
		got := p.send("usps", strings.NewReader(body))
		if got.code != c.code || (got.retryAfterSeconds > 0) != (c.code != 413) {
			t.Errorf("%s: %+v", c.says.Message, got)
		}
		if n := count(t, p.metrics.Requests.WithLabelValues("usps", c.outcome)); n != 1 {
			t.Errorf("%s: not counted as %s", c.says.Message, c.outcome)
		}
	}
}

// TestTopics: one that is made later is found, and made by the receiver where the
// configuration says so.
func TestTopics(t *testing.T) {
	p := newPlace(t, Options{Known: []string{"usps"}, Rights: everybody, RatePerSecond: 1_000_000}, "ups")
	if got := p.send("usps", strings.NewReader(body)); got.code != http.StatusNotFound {
		t.Fatalf("%+v", got)
	}
	if _, err := p.admin.CreateTopic(t.Context(), 1, 1, nil, "scans.raw.usps"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		got := p.send("usps", strings.NewReader(body))
		if got.code == http.StatusOK {
			break
		}
		if got.code != http.StatusNotFound || time.Now().After(deadline) {
			t.Fatalf("%+v", got)
		}
	}
	making := newPlace(t, Options{Known: []string{"usps", "ups"}, Rights: everybody, CreateTopics: true})
	for _, carrier := range []string{"usps", "usps", "ups"} {
		if got := making.send(carrier, strings.NewReader(body)); got.code != http.StatusOK {
			t.Fatalf("%+v", got)
		}
	}
	if got := making.send("dhl", strings.NewReader(body)); got.code != http.StatusNotFound {
		t.Errorf("of a carrier that nobody knows: %+v", got)
	}
	making.records(3)
}

// TestWebhooksAreRead: what 17TRACK and AfterShip push, one parcel or many, goes
// through as one record, which their mappings read.
func TestWebhooksAreRead(t *testing.T) {
	p := newPlace(t, Options{Carriers: []Carrier{
		{Name: "17track", Verify: Verify17TRACK, Secrets: []string{longKey}},
		{Name: "aftership", Verify: VerifyHMAC, Header: "aftership-hmac-sha256", Encoding: "hex", Secrets: []string{longKey}},
	}}, "17track", "aftership")
	registry, err := carriers.Load(schemas.Carriers, "")
	if err != nil {
		t.Fatal(err)
	}
	decoder := registry.NewDecoder(carriers.Limits{})
	for carrier, file := range map[string]string{"17track": "return_legs.json", "aftership": "trackings.json"} {
		raw, err := os.ReadFile(filepath.Join("..", "carriers", "testdata", carrier, file))
		if err != nil {
			t.Fatal(err)
		}
		got := p.send(carrier, bytes.NewReader(raw), "sign", hash(string(raw)+"/"+longKey), "aftership-hmac-sha256", hex.EncodeToString(mac(longKey, string(raw))))
		if got.code != http.StatusOK {
			t.Fatalf("%s: %+v", carrier, got)
		}
	}
	for _, r := range p.records(2) {
		carrier := strings.TrimPrefix(r.Topic, schemas.RawTopicPrefix)
		res := decoder.Decode(carrier, r.Value, carriers.Source{Topic: r.Topic})
		if len(res.Events) < 2 || len(res.Rejected) > 0 {
			t.Errorf("%s: %d events, %v", carrier, len(res.Events), res.Rejected)
		}
	}
}

func TestRequestIDs(t *testing.T) {
	for given, kept := range map[string]bool{"a-B_9.": true, "": false, "a b": false, "a\"b": false, "ü": false, strings.Repeat("a", 65): false, strings.Repeat("a", 64): true} {
		if got := requestID(http.Header{"X-Request-Id": {given}}); (got == given) != kept || got == "" || len(got) > 64 {
			t.Errorf("%q became %q", given, got)
		}
	}
}

func TestBucket(t *testing.T) {
	b, at := newBucket(10), time.Unix(1_800_000_000, 0)
	passed := 0
	for range 25 {
		if b.take(at) == 0 {
			passed++
		}
	}
	if wait := b.take(at); passed != 10 || wait <= 0 || wait > 100*time.Millisecond {
		t.Errorf("%d passed at once, then %s", passed, wait)
	}
	for i := range 100 { // ten a second
		if b.take(at.Add(time.Duration(i+1)*50*time.Millisecond)) == 0 {
			passed++
		}
	}
	if passed != 60 {
		t.Errorf("%d passed within 5 s, want 10 and 50", passed)
	}
	if b.take(at.Add(-time.Hour)) == 0 {
		t.Error("a clock that is set back refills it")
	}
}
