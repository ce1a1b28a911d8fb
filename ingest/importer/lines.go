package importer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"scantrail/schemas"
)

// lineFile reads a file of JSON lines: order facts, or raw records as a carrier
// sends them.
type lineFile struct {
	file    string
	text    *bufio.Reader
	meter   *meter
	line    int
	limit   int
	buf     []byte
	carrier string  // of scans; "": order facts
	reader  *reader // of scans, where they are checked
	fact    schemas.OrderFact
	key     []byte
}

func newLineFile(file string, r io.Reader, limit int) (*lineFile, error) {
	text, m, err := newText(file, r, 1<<62)
	if err != nil {
		return nil, err
	}
	return &lineFile{file: file, text: text, meter: m, limit: limit}, nil
}

func (l *lineFile) next(r *Row) error {
	line, err := l.readLine()
	if err != nil {
		return err
	}
	r.Line, r.Raw = l.line, line
	switch {
	case len(line) > l.limit:
		r.problem(Problem{l.file, l.line, "", fmt.Sprintf("a line of more than %d bytes", l.limit), "one line is one record: split it"})
	case l.carrier == "":
		l.order(r, line)
	default:
		r.Records = append(r.Records, Record{Topic: schemas.RawTopicPrefix + l.carrier, What: l.carrier, Value: line})
		if l.reader == nil {
			break
		}
		if x := l.reader.read(r, l.carrier, line); x != nil {
			r.problem(Problem{l.file, l.line, x.Field, fmt.Sprintf("%s: %s", x.Reason, x.Detail), "see: scantrail normalize --carrier " + l.carrier})
		}
	}
	return nil
}

func (l *lineFile) order(r *Row, line []byte) {
	if err := schemas.ParseOrderFact(line, &l.fact); err != nil {
		var bad *schemas.FieldError
		if !errors.As(err, &bad) {
			bad = &schemas.FieldError{Detail: err.Error()}
		}
		r.problem(Problem{l.file, l.line, bad.Field, bad.Detail, "correct the value (schemas/order.schema.json)"})
		return
	}
	l.key = append(append(append(append(l.key[:0], "order:"...), l.fact.ShopID...), ':'), l.fact.OrderID...)
	r.happened(l.fact.At)
	r.Records = append(r.Records, Record{schemas.OrdersTopic, l.fact.Kind.String(), l.key, line})
}

// readLine returns the next line that is not empty. Of one that is too long only
// the begin is kept.
func (l *lineFile) readLine() ([]byte, error) {
	for {
		l.buf = l.buf[:0]
		l.meter.row = 0
		part, err := l.text.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) {
			if len(l.buf) <= l.limit {
				l.buf = append(l.buf, part...)
			}
			part, err = l.text.ReadSlice('\n')
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		if len(l.buf) > 0 {
			l.buf = append(l.buf, part...)
			part = l.buf
		}
		if len(part) == 0 && err == io.EOF {
			return nil, io.EOF
		}
		l.line++
		if line := bytes.TrimSpace(part); len(line) > 0 {
			return line, nil
		}
	}
}
