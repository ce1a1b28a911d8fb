// Package importer turns files of orders and scans, CSV or JSON lines, into the
// records that a producer would have written to Kafka: order facts for the topic
// orders, raw records for a carrier's raw topic. The ordinary pipeline reads them.
//
// A file is read twice: Check reads it whole and says what is wrong with each row
// before anything is sent, Send reads it again and sends. Both hold one row in
// memory, and the ids of the records seen, up to a limit. What a file says is the
// same facts each time that it is sent.
package importer

import (
	"fmt"
	"strconv"
	"strings"

	"scantrail/ingest/carriers"
)

// Limits of a file.
const (
	MaxRowBytes = 1 << 20 // of a CSV row; of a JSON line the limit is that of raw records
	MaxColumns  = 512
	maxShown    = 60 // characters of a value in a message
)

// Kind says what a file holds.
type Kind uint8

const (
	Orders Kind = iota + 1
	Scans
)

// Config says how files are read.
type Config struct {
	Kind     Kind
	Registry *carriers.Registry // countries; for scans, the mappings that ingest has
	Limits   carriers.Limits    // of a raw record, as ingest has them

	Carrier     string            // scans: whose they are; "" where a column says it
	Columns     map[string]string // field -> header, where the header is no known name
	Values      map[string]string // field -> value of every row
	Delimiter   byte              // 0: found out from the header
	Zone        string            // IANA name, for times without a zone; "": they are refused
	TimeLayouts []string          // as in mappings; nil: the year comes first
	Whole       bool              // scans: each file is one raw record
}

// Record is one record for Kafka. Key and Value are valid until the next row.
type Record struct {
	Topic string
	What  string // kind of the order fact, or the carrier
	Key   []byte
	Value []byte
}

// Problem is one thing that is wrong with a row, and what to do about it.
type Problem struct {
	File   string
	Line   int // 1-based; 0: the whole file
	Column string
	What   string
	Remedy string
}

func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Column != "" {
		b.WriteString(p.Column + ": ")
	}
	b.WriteString(p.What)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// Error makes a Problem of a whole file an error.
func (p Problem) Error() string { return p.String() }

// Row is one row of a file, or one raw record: what it becomes, or what is wrong
// with it. It is valid until the next one.
type Row struct {
	Line     int
	Records  []Record
	Problems []Problem
	Raw      []byte // as it stood in the file
	From, To int64  // Unix milliseconds: earliest and latest time in it; 0 when not known
	Events   int    // scans: what the mappings of today make of it
	Unmapped int    // of these, events without a milestone
	Rejected int    // parts of a readable record that will be dead letters
}

// happened notes a time of the row.
func (r *Row) happened(ms int64) {
	if r.From == 0 || ms < r.From {
		r.From = ms
	}
	r.To = max(r.To, ms)
}

func (r *Row) problem(p Problem) {
	for i := range r.Problems {
		if r.Problems[i].Column == p.Column {
			return
		}
	}
	r.Problems = append(r.Problems, p)
}

// shown returns a hostile value fit for a message.
func shown(s string) string {
	if r := []rune(s); len(r) > maxShown {
		s = string(r[:maxShown]) + "…"
	}
	return strconv.QuoteToGraphic(s)
}
