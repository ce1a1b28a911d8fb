package deadletters

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// TestFind: the letters of a record may lie in any partition, twice, or be forged.
func TestFind(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, schemas.DeadLettersTopic))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	kafka := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	client, err := kgo.NewClient(append(kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	at := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	letter := func(partition int32, value string, d schemas.DeadLetter, more ...kgo.RecordHeader) {
		d.TopicID, d.ReceivedAt = schemas.Hash([]byte(d.Topic)), at.UnixMilli()
		r := &kgo.Record{Topic: schemas.DeadLettersTopic, Partition: partition, Headers: more}
		if value != "" {
			r.Value = []byte(value)
		}
		for _, h := range d.Headers() {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	const usps, scan = schemas.RawTopicPrefix + "usps", `{"scantrail_scan":{"tracking_number":"9400100000000000000017","occurred_at":"2026-09-03T09:10:00Z","text":"Delivered"}}`
	bad := schemas.DeadLetter{Topic: usps, Carrier: "usps", Reason: "bad_time", Offset: 1}
	second := bad
	second.Index, second.Reason = 1, "no_number"
	letter(0, scan, bad)
	letter(1, "", second) // the reason that is asked for; the bytes lie elsewhere
	letter(0, scan, bad)  // ingest crashed before its commit
	same := bad
	same.Offset = 2
	letter(2, scan, same) // the same bytes again
	cut := bad
	cut.Offset = 3
	letter(2, scan, cut, kgo.RecordHeader{Key: schemas.CutHeader, Value: []byte("20000000")})
	named := bad
	named.Offset, named.Topic, named.Carrier = 4, schemas.RawTopicPrefix+"hub", "usps"
	letter(0, strings.Replace(scan, "17", "24", 1), named)
	forged := bad
	forged.Topic = schemas.EventsTopic
	letter(0, scan, forged)
	letter(0, `{"shop_id":"s","order_id":"1","kind":"created","at":"2026-09-01T09:30:00Z"}`, schemas.DeadLetter{Topic: schemas.OrdersTopic, Reason: "unknown_field"})
	letter(0, `{}`, schemas.DeadLetter{Topic: schemas.OrdersTopic, Reason: "unknown_field", Offset: 1})
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: schemas.DeadLettersTopic, Partition: 1, Value: []byte("no letter")}).FirstErr(); err != nil {
		t.Fatal(err)
	}

	registry, err := carriers.Load(schemas.Carriers, "")
	if err != nil {
		t.Fatal(err)
	}
	find := func(o Options) (found []string, groups string) {
		o.Kafka, o.Registry = kafka, registry
		list, err := Find(t.Context(), o, func(r *Record) error {
			k := r.KafkaRecord(true)
			line := k.Topic
			for _, h := range k.Headers {
				line += " " + h.Key + "=" + string(h.Value)
			}
			found = append(found, line)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range list {
			groups += fmt.Sprintf("%s %s %d: %d mended, %d refused, %d repeated, %d cut; ", g.Carrier, g.Reason, g.Records, g.Mended, g.Refused, g.Repeated, g.Cut)
		}
		return found, groups
	}
	found, groups := find(Options{Carrier: "usps", Reason: "no_number"})
	if got := strings.Join(found, ", "); got != usps+" scantrail-replay-of="+usps+"/0/1" || groups != "usps no_number 1: 1 mended, 0 refused, 0 repeated, 0 cut; " {
		t.Errorf("by reason: %s\n%s", got, groups)
	}
	found, groups = find(Options{Carrier: "usps", Reason: "bad_time"})
	if len(found) != 2 || groups != "usps bad_time 4: 2 mended, 0 refused, 1 repeated, 1 cut; " {
		t.Errorf("of the carrier: %q\n%s", found, groups)
	}
	if !strings.Contains(strings.Join(found, ","), "scans.raw.hub scantrail-replay-of=scans.raw.hub/0/4 carrier=usps") {
		t.Errorf("of a carrier that a header named: %q", found)
	}
	if found, groups = find(Options{Reason: "unknown_field"}); len(found) != 1 || groups != " unknown_field 2: 1 mended, 1 refused, 0 repeated, 0 cut; " {
		t.Errorf("orders: %q\n%s", found, groups)
	}
	if found, groups = find(Options{Orders: true}); len(found) != 1 || groups != " unknown_field 2: 1 mended, 1 refused, 0 repeated, 0 cut; " {
		t.Errorf("orders alone: %q\n%s", found, groups)
	}
	if found, groups = find(Options{Since: at.Add(time.Hour)}); len(found) != 0 || groups != "" {
		t.Errorf("since later: %q\n%s", found, groups)
	}
	record := (&Record{Topic: usps, Carrier: "usps"}).KafkaRecord(false)
	if h := record.Headers[len(record.Headers)-1]; h.Key != schemas.BackfillHeader || string(h.Value) != "1" {
		t.Errorf("not live: %v", record.Headers)
	}
}
