package carriers

import (
	"strconv"
	"strings"

	"scantrail/schemas"
)

// Source says where a raw record comes from. Times are Unix milliseconds.
type Source struct {
	Topic      string
	TopicID    schemas.ID
	Partition  int32
	Offset     int64
	Key        []byte // of the raw record; what $key in a mapping stands for
	ReceivedAt int64
	Backfill   bool
}

// Result is what one raw record says. It is valid until the next Decode of the
// same Decoder; its strings may share memory with the record. A record without
// events and rejections is valid and empty: it held number mappings (Aliases),
// or parcels without scans, or only statuses that the mapping skips.
type Result struct {
	Events []schemas.Event
	// Aliases holds each pair of numbers twice, with the same FactID: one copy
	// for the home of either number.
	Aliases []schemas.Alias
	// Voids withdraw events that the carrier has declared wrong.
	Voids    []schemas.Void
	Rejected []Rejection
}

// Rejection is one thing of a record that did not become an event.
type Rejection struct {
	// EventIndex is the place of the event among the events of its record, or
	// -1 for the whole record or a whole parcel in it.
	EventIndex int
	Reason     Reason
	Field      string // path or part of the mapping
	Detail     string // for humans: what stands there and what helps
}

// Reason says why something was rejected. The set is closed.
type Reason string

const (
	EmptyRecord      Reason = "empty_record"
	BadSyntax        Reason = "bad_syntax"   // neither JSON nor XML, or broken
	BadEncoding      Reason = "bad_encoding" // not UTF-8, or NUL
	TooLarge         Reason = "too_large"    // bytes, values, members, string, events
	TooDeep          Reason = "too_deep"
	DuplicateKey     Reason = "duplicate_key"
	UnreadableLayout Reason = "unreadable_layout" // no layout of the mapping fits
	NoParcel         Reason = "no_parcel"         // a layout fits, but no parcel stands in it
	CarrierError     Reason = "carrier_error"     // the carrier answered with an error
	NotFound         Reason = "not_found"         // the carrier does not know the number (yet)
	NoNumber         Reason = "no_number"
	BadNumber        Reason = "bad_number" // masked or impossible
	BadAlias         Reason = "bad_alias"
	NoTime           Reason = "no_time"
	BadTime          Reason = "bad_time"
	TimeOutOfRange   Reason = "time_out_of_range" // year outside 2000..2100
)

// Reasons returns all reasons, for metrics and documentation.
func Reasons() []Reason {
	return []Reason{EmptyRecord, BadSyntax, BadEncoding, TooLarge, TooDeep, DuplicateKey,
		UnreadableLayout, NoParcel, CarrierError, NotFound, NoNumber, BadNumber, BadAlias,
		NoTime, BadTime, TimeOutOfRange}
}

// Limits bound what one record may cost. Zero values mean the defaults.
type Limits struct {
	Bytes  int // of a record; 1 MiB
	Depth  int // of nesting; 32
	Fields int // of one object; 512
	String int // bytes of one string or XML text; 16 KiB
	Values int // objects, arrays and scalars in a record; 131,072
	Events int // events, parcels or aliases in a record; 10,000
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, d, most int) {
		if *v <= 0 {
			*v = d
		}
		*v = min(*v, most)
	}
	set(&l.Bytes, 1<<20, 1<<30)
	set(&l.Depth, 32, 1000)
	set(&l.Fields, 512, 1000) // keySet has 1,024 slots
	set(&l.String, 16<<10, 1<<16-1)
	set(&l.Values, 1<<17, 1<<24)
	set(&l.Events, 10_000, 1<<20)
	return l
}

// maxQuoted bounds what a message repeats of a record, in bytes.
const maxQuoted = 80

// quote returns a hostile string fit for a message: cut, escaped, quoted.
func quote(s string) string {
	if len(s) > maxQuoted {
		s = strings.ToValidUTF8(s[:maxQuoted], "") + "…"
	}
	return strconv.QuoteToGraphic(s)
}
