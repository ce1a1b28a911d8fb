package schemas

import (
	"fmt"
	"strconv"
	"time"
)

// DeadLetter is one record, or one event of a record, that could not be read:
// one record on scans.dead-letter, whose value is the source record's value as
// it came, and whose headers say the rest.
type DeadLetter struct {
	Reason     string // short code from the closed set of ingest
	Field      string // of the carrier's message, where one is to blame
	Detail     string // for a person
	Carrier    string
	EventIndex int32 // place of the bad event in its record; -1 for the whole record or a whole parcel in it
	Index      int32 // place among the dead letters of its record: (topic id, partition, offset, index) names it

	Topic          string // source record
	TopicID        ID
	Partition      int32
	Offset         int64
	ReceivedAt     int64 // Unix milliseconds of ingest's clock
	MappingVersion uint32

	Raw     []byte // value of the source record, cut where it does not fit
	RawSize int    // bytes of that value before the cut
}

// CutHeader says how many bytes the source record had, on a dead letter that
// holds less.
const CutHeader = "cut_from_bytes"

// Header is one header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

// maxDetail bounds the texts in the headers of a dead letter, which may quote
// a carrier's message.
const maxDetail = 1024

// Headers returns the headers of d's record on scans.dead-letter.
func (d *DeadLetter) Headers() []Header {
	num := func(n int64) []byte { return strconv.AppendInt(nil, n, 10) }
	cut := func(s string) []byte { return []byte(s[:min(len(s), maxDetail)]) }
	return []Header{
		{"reason", cut(d.Reason)},
		{"field", cut(d.Field)},
		{"detail", cut(d.Detail)},
		{"carrier", cut(d.Carrier)},
		{"topic", []byte(d.Topic)},
		{"topic_id", []byte(d.TopicID.String())},
		{"partition", num(int64(d.Partition))},
		{"offset", num(d.Offset)},
		{"event_index", num(int64(d.EventIndex))},
		{"index", num(int64(d.Index))},
		{"received_at", time.UnixMilli(d.ReceivedAt).UTC().AppendFormat(nil, jsonTime)},
		{"mapping_version", num(int64(d.MappingVersion))},
	}
}

// ParseDeadLetter reads a record of scans.dead-letter. d.Raw is value itself,
// not a copy. Headers that it does not know, such as those of the source
// record, are skipped. Errors name the header.
func ParseDeadLetter(value []byte, headers []Header, d *DeadLetter) error {
	*d = DeadLetter{Raw: value, RawSize: len(value), Partition: -1, Offset: -1}
	for _, h := range headers {
		if err := d.set(h.Key, string(h.Value)); err != nil {
			return fmt.Errorf("dead letter: header %s: %w", h.Key, err)
		}
	}
	for _, missing := range []struct {
		is     bool
		header string
	}{{d.Reason == "", "reason"}, {d.Topic == "", "topic"}, {d.Partition < 0, "partition"}, {d.Offset < 0, "offset"}} {
		if missing.is {
			return fmt.Errorf("dead letter: header %s is missing", missing.header)
		}
	}
	return nil
}

func (d *DeadLetter) set(key, v string) (err error) {
	var n int64
	switch key {
	case "reason":
		d.Reason = v
	case "field":
		d.Field = v
	case "detail":
		d.Detail = v
	case "carrier":
		d.Carrier = v
	case "topic":
		d.Topic = v
	case "topic_id":
		err = d.TopicID.UnmarshalText([]byte(v))
	case "partition":
		n, err = strconv.ParseInt(v, 10, 32)
		d.Partition = int32(n)
	case "offset":
		d.Offset, err = strconv.ParseInt(v, 10, 64)
	case "event_index":
		n, err = strconv.ParseInt(v, 10, 32)
		d.EventIndex = int32(n)
	case "index":
		n, err = strconv.ParseInt(v, 10, 32)
		d.Index = int32(n)
	case "received_at":
		d.ReceivedAt, err = parseJSONTime(v)
	case CutHeader:
		n, err = strconv.ParseInt(v, 10, 32)
		d.RawSize = max(int(n), len(d.Raw))
	case "mapping_version":
		n, err = strconv.ParseInt(v, 10, 33)
		d.MappingVersion = uint32(n)
	}
	return err
}
