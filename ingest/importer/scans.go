package importer

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/segmentio/encoding/json"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// scanTable turns rows of a table into raw records, one scan in each.
type scanTable struct {
	*table
	clock   *carriers.Clock
	carrier string
	reader  *reader
	topic   string
	value   []byte
}

func newScanTable(t *table, clock *carriers.Clock, carrier string, r *reader) (*scanTable, error) {
	s := &scanTable{table: t, clock: clock, carrier: carrier, reader: r}
	if carrier == "" && !t.has(scanCarrier) {
		return nil, Problem{t.file, 1, "carrier", "no such column", "name the carrier of all rows: --carrier NAME (scantrail carrier list)"}
	}
	for _, f := range []int{scanNumber, scanAt} {
		if !t.has(f) {
			return nil, Problem{t.file, 1, t.fields[f].name, "no such column", fmt.Sprintf("name it: --map %s=\"HEADER\"; the header has: %s", t.fields[f].name, t.names())}
		}
	}
	if !t.has(scanCode) && !t.has(scanText) {
		return nil, Problem{t.file, 1, "", "neither a column code nor a column text", "name one: --map text=\"HEADER\"; the header has: " + t.names()}
	}
	return s, nil
}

func (s *scanTable) next(r *Row) error {
	if err := s.table.next(r); err != nil {
		return err
	}
	if len(r.Problems) == 0 {
		s.read(r)
	}
	if len(r.Problems) > 0 {
		r.Raw = s.rawRow(s.cells)
	}
	return nil
}

func (s *scanTable) read(r *Row) {
	problem := func(f int, what, remedy string) {
		r.problem(Problem{s.file, r.Line, s.column(f), what, remedy})
	}
	carrier := s.carrier
	if carrier == "" {
		carrier = strings.ToLower(s.get(scanCarrier))
		if !schemas.IsCarrierName([]byte(carrier)) {
			problem(scanCarrier, shown(carrier)+" is no carrier's name", "write a name of scantrail carrier list, or the end of the raw topic's name")
			return
		}
	}
	ms, offset, day, err := s.clock.Read(s.get(scanAt))
	if day {
		err = carriers.ErrNoTime
	}
	switch {
	case s.get(scanNumber) == "":
		problem(scanNumber, "empty", "name the parcel")
		return
	case s.get(scanAt) == "":
		problem(scanAt, "empty", "say when it happened")
		return
	case err != nil:
		what, remedy := timeProblem(s.get(scanAt), err, s.clock)
		problem(scanAt, what, remedy)
		return
	case s.get(scanCode) == "" && s.get(scanText) == "":
		problem(scanText, "empty, as is the code", "say what happened")
		return
	}
	s.write(ms, offset)
	if len(s.topic) != len(schemas.RawTopicPrefix)+len(carrier) || s.topic[len(schemas.RawTopicPrefix):] != carrier {
		s.topic = schemas.RawTopicPrefix + carrier
	}
	r.Records = append(r.Records, Record{Topic: s.topic, What: s.topic[len(schemas.RawTopicPrefix):], Value: s.value})
	if s.reader == nil {
		return
	}
	if refused := s.reader.read(r, carrier, s.value); refused != nil {
		problem(scanColumn(refused), fmt.Sprintf("%s: %s", refused.Reason, refused.Detail), "correct the value")
	}
}

// write makes the raw record. Times keep the offset of their zone, so that the
// hour on the clock there is not lost.
func (s *scanTable) write(ms, offset int64) {
	b := append(s.value[:0], `{"`+carriers.RowKey+`":{`...)
	for f, name := range carriers.RowFields {
		v := s.get(f)
		if v == "" {
			continue
		}
		b = append(append(append(b, '"'), name...), `":`...)
		if f == scanAt {
			at := time.UnixMilli(ms).In(time.FixedZone("", int(offset)))
			b = append(at.AppendFormat(append(b, '"'), "2006-01-02T15:04:05.999Z07:00"), `",`...)
			continue
		}
		b = append(json.AppendEscape(b, v, 0), ',')
	}
	b[len(b)-1] = '}'
	s.value = append(b, '}')
}

// scanColumn returns the column that a refusal is about.
func scanColumn(refused *carriers.Rejection) int {
	if strings.Contains(string(refused.Reason), "time") {
		return scanAt
	}
	return scanNumber
}

// reader reads raw records as ingest will.
type reader struct {
	decoder *carriers.Decoder
	now     int64 // Unix milliseconds
}

// read notes what a raw record holds, and returns the first refusal of one that
// holds nothing readable.
func (d *reader) read(r *Row, carrier string, value []byte) *carriers.Rejection {
	res := d.decoder.Decode(carrier, value, carriers.Source{ReceivedAt: d.now})
	r.Events += len(res.Events)
	for i := range res.Events {
		r.happened(res.Events[i].OccurredAt)
		if res.Events[i].Milestone == schemas.Unmapped {
			r.Unmapped++
		}
	}
	if len(res.Rejected) > 0 && len(res.Events)+len(res.Aliases)+len(res.Voids) == 0 {
		return &res.Rejected[0]
	}
	r.Rejected += len(res.Rejected)
	return nil
}

// wholeFile is a file that is one raw record, in whatever format.
type wholeFile struct {
	file, carrier string
	from          io.Reader
	limit         int
	reader        *reader
	done          bool
}

func (w *wholeFile) next(r *Row) error {
	if w.done {
		return io.EOF
	}
	w.done = true
	value, err := io.ReadAll(io.LimitReader(w.from, int64(w.limit)+1))
	if err != nil {
		return err
	}
	r.Line = 1
	if len(value) > w.limit {
		r.problem(Problem{w.file, 0, "", fmt.Sprintf("longer than %d bytes", w.limit), "a raw record is one message of the carrier; its limit is ingest.max_record_bytes"})
		return nil
	}
	r.Records = append(r.Records, Record{Topic: schemas.RawTopicPrefix + w.carrier, What: w.carrier, Value: value})
	if w.reader == nil {
		return nil
	}
	if x := w.reader.read(r, w.carrier, value); x != nil {
		r.problem(Problem{w.file, 0, x.Field, fmt.Sprintf("%s: %s", x.Reason, x.Detail), "see: scantrail normalize --carrier " + w.carrier})
	}
	return nil
}
