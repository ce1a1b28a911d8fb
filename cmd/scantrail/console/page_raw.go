package console

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/cmd/scantrail/query"
	"scantrail/schemas"
)

const (
	rawShown   = 64 << 10         // bytes of a record that a page shows; all of it can be downloaded
	rawWait    = 5 * time.Second  // for Kafka
	rawFetched = int32(100 << 20) // bytes that one fetch may bring: the largest record that is read
)

var errNotKept = errors.New("the record is not in Kafka any more")

// rawData is what the page of a raw record shows.
type rawData struct {
	Topic     string
	Partition int32
	Offset    int64
	Kept      bool
	Copied    bool // it is the copy in ClickHouse, which may be cut
	At        time.Time
	Key       string
	Headers   []rawHeader
	Text      string
	Pretty    bool
	Bytes     int  // length of what there is
	Whole     int  // length of the record: more than Bytes where the copy was cut
	Shortened bool // the page shows less than there is
	Problem   string
}

type rawHeader struct{ Key, Value string }

// rawRecord is a record as the carrier sent it.
type rawRecord struct {
	at      time.Time
	key     []byte
	value   []byte
	headers []kgo.RecordHeader
	whole   int
	copied  bool
}

// rawPage shows one record of a raw topic, escaped and in a readable form.
func (c *console) rawPage(r *request) error {
	d := &rawData{Topic: r.PathValue("topic")}
	partition, err := strconv.ParseInt(r.PathValue("partition"), 10, 32)
	offset, err2 := strconv.ParseInt(r.PathValue("offset"), 10, 64)
	if err != nil || err2 != nil || partition < 0 || offset < 0 || !rawTopic(d.Topic) {
		return query.ErrNone
	}
	d.Partition, d.Offset = int32(partition), offset
	record, err := c.rawRecord(r.Context(), d.Topic, r.param("id"), d.Partition, offset)
	switch {
	case errors.Is(err, errNotKept):
	case err != nil:
		c.log.Warn("a raw record could not be read", "topic", d.Topic, "partition", d.Partition, "offset", offset, "error", err)
		d.Problem = Cut(300, err.Error())
	case r.param("download") == "1":
		return download(r, d, record)
	default:
		d.show(record)
	}
	return r.render(r.Get("raw.title"), d)
}

// rawTopic reports whether a topic holds what others sent: no other is shown.
func rawTopic(topic string) bool {
	return strings.HasPrefix(topic, schemas.RawTopicPrefix) || topic == schemas.OrdersTopic || topic == schemas.DeadLettersTopic
}

func download(r *request, d *rawData, record *rawRecord) error {
	h := r.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", fmt.Sprintf("%s-%d-%d.txt", d.Topic, d.Partition, d.Offset)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	r.w.WriteHeader(http.StatusOK)
	r.w.Write(record.value) //nolint:errcheck // whoever asked may have gone away
	return nil
}

func (d *rawData) show(record *rawRecord) {
	d.Kept, d.Copied, d.At, d.Key = true, record.copied, record.at, Cut(200, string(record.key))
	d.Bytes, d.Whole = len(record.value), record.whole
	for _, h := range record.headers[:min(len(record.headers), 50)] {
		d.Headers = append(d.Headers, rawHeader{Cut(100, h.Key), Cut(300, strings.ToValidUTF8(string(h.Value), "\uFFFD"))})
	}
	d.Text, d.Pretty = pretty(record.value)
	if len(d.Text) > rawShown {
		end := rawShown
		for end > 0 && !utf8.RuneStart(d.Text[end]) {
			end--
		}
		d.Text, d.Shortened = d.Text[:end], true
	}
}

// rawRecord reads a record from Kafka, or where that has none, its copy in
// ClickHouse.
func (c *console) rawRecord(ctx context.Context, topic, topicID string, partition int32, offset int64) (*rawRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, rawWait)
	defer cancel()
	record, err := c.kafkaRecord(ctx, topic, topicID, partition, offset)
	if err == nil {
		return record, nil
	}
	// The table is there on most installations and empty, or closed to the console.
	if row, failed := c.queries.RawCopy(context.WithoutCancel(ctx), topic, partition, offset); failed == nil {
		return &rawRecord{at: row.ReceivedAt, key: []byte(row.Key), value: []byte(row.Raw), whole: int(row.RawBytes), copied: true}, nil
	}
	return nil, err
}

func (c *console) kafkaRecord(ctx context.Context, topic, topicID string, partition int32, offset int64) (*rawRecord, error) {
	if len(c.Kafka) == 0 {
		return nil, errNotKept
	}
	opts := append(c.Kafka[:len(c.Kafka):len(c.Kafka)],
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(offset)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxBytes(1<<20), kgo.BrokerMaxReadBytes(rawFetched), kgo.FetchMaxPartitionBytes(1<<20),
		kgo.KeepControlRecords(), kgo.DisableFetchSessions())
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := held(ctx, client, topic, topicID, partition, offset); err != nil {
		return nil, err
	}
	fetches := client.PollRecords(ctx, 1)
	if err := fetches.Err0(); err != nil {
		return nil, fmt.Errorf("read %s: %w", topic, err)
	}
	var found *rawRecord
	fetches.EachError(func(_ string, _ int32, failed error) { err = failed })
	fetches.EachRecord(func(r *kgo.Record) {
		if r.Offset == offset && !r.Attrs.IsControl() {
			found = &rawRecord{at: r.Timestamp, key: r.Key, value: r.Value, headers: r.Headers, whole: len(r.Value)}
		}
	})
	if found == nil && err == nil {
		err = errNotKept // compacted, or a marker of a transaction
	}
	return found, err
}

// held reports errNotKept where Kafka does not have that offset any more, or has
// another topic of the same name.
func held(ctx context.Context, client *kgo.Client, topic, topicID string, partition int32, offset int64) error {
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx, topic)
	if err != nil {
		return err
	}
	t := topics[topic]
	wanted, _ := uuid.Parse(topicID) //nolint:errcheck // without an id any topic of the name will do
	if t.Err != nil || wanted != uuid.Nil && wanted != uuid.UUID(t.ID) {
		return errNotKept
	}
	first, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return err
	}
	end, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	from, ok := first.Lookup(topic, partition)
	until, ok2 := end.Lookup(topic, partition)
	if !ok || !ok2 || from.Err != nil || until.Err != nil || offset < from.Offset || offset >= until.Offset {
		return errNotKept
	}
	return nil
}

// pretty indents JSON and XML; anything else, and what is broken, stays as it is.
func pretty(value []byte) (text string, ok bool) {
	whole := strings.ToValidUTF8(string(value), "\uFFFD")
	if len(value) > 4<<20 {
		return whole, false
	}
	switch first := bytes.TrimSpace(value); {
	case len(first) > 0 && (first[0] == '{' || first[0] == '['):
		var out bytes.Buffer
		if json.Indent(&out, value, "", "  ") == nil {
			return strings.ToValidUTF8(out.String(), "\uFFFD"), true
		}
	case len(first) > 0 && first[0] == '<':
		if out, err := indentXML(value); err == nil {
			return out, true
		}
	}
	return whole, false
}

// indentXML writes a document anew with one element a line. Entities beyond those
// of XML itself are not expanded: the decoder refuses them.
func indentXML(value []byte) (string, error) {
	const deepest = 100
	decoder := xml.NewDecoder(bytes.NewReader(value))
	var out strings.Builder
	depth, text := 0, false
	line := func() {
		if out.Len() > 0 {
			out.WriteString("\n" + strings.Repeat("  ", depth))
		}
	}
	for {
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) && depth == 0 {
			return out.String(), nil
		}
		if err != nil || depth > deepest {
			return "", fmt.Errorf("not XML, or too deep: %w", err)
		}
		switch t := token.(type) {
		case xml.ProcInst:
			line()
			fmt.Fprintf(&out, "<?%s %s?>", t.Target, t.Inst)
		case xml.StartElement:
			line()
			out.WriteString("<" + xmlName(t.Name))
			for _, a := range t.Attr {
				fmt.Fprintf(&out, " %s=\"%s\"", xmlName(a.Name), a.Value)
			}
			out.WriteString(">")
			depth, text = depth+1, true
		case xml.EndElement:
			if depth--; depth < 0 {
				return "", errors.New("not XML: an end too many")
			}
			if !text {
				line()
			}
			out.WriteString("</" + xmlName(t.Name) + ">")
			text = false
		case xml.CharData:
			if s := strings.TrimSpace(string(t)); s != "" {
				out.WriteString(s)
				text = true
			}
		case xml.Comment, xml.Directive:
		}
	}
}

func xmlName(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}
