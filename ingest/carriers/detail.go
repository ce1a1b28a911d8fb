package carriers

import (
	"strconv"
	"strings"
)

// maxChunk bounds the memory that details are put into at once, in bytes.
const maxChunk = 64 << 10

// unexplained is the detail of rejections after those that may be explained.
const unexplained = "the record holds so many bad events or parcels that only the first of them are explained"

// explain puts a detail together. Details live as long as they are needed, not
// only until the next record. They may take twice the bytes of their record, and
// one chunk: thousands of tiny bad events must not cost many times their size.
func (d *Decoder) explain(parts ...string) string {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	d.quotes = d.quotes[:0]
	if d.explained += n; d.explained > 2*len(d.tree.src)+maxChunk {
		return unexplained
	}
	if cap(d.details)-len(d.details) < n {
		d.details = make([]byte, 0, max(n, min(2*cap(d.details), maxChunk)))
	}
	start := len(d.details)
	for _, p := range parts {
		d.details = append(d.details, p...)
	}
	return text(d.details[start:])
}

// quoted is quote for a part of a detail; it is valid until explain returns.
func (d *Decoder) quoted(s string) string {
	start := len(d.quotes)
	if len(s) <= maxQuoted {
		d.quotes = strconv.AppendQuoteToGraphic(d.quotes, s)
		return text(d.quotes[start:])
	}
	d.quotes = strconv.AppendQuoteToGraphic(d.quotes, strings.ToValidUTF8(s[:maxQuoted], ""))
	d.quotes = append(d.quotes[:len(d.quotes)-1], "…\""...)
	return text(d.quotes[start:])
}
