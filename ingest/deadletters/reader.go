package deadletters

import (
	"errors"
	"time"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// Reader reads single records with the mappings of today, as ingest would. Not safe
// for concurrent use.
type Reader struct {
	decoder *carriers.Decoder
	order   schemas.OrderFact
	now     int64
}

// NewReader returns a reader that takes records for received at now.
func NewReader(registry *carriers.Registry, limits carriers.Limits, now time.Time) *Reader {
	return &Reader{decoder: registry.NewDecoder(limits), now: now.UnixMilli()}
}

// Reading is what became of a record. Its events are valid until the next Read.
type Reading struct {
	Events   []schemas.Event
	Order    *schemas.OrderFact // of a record of the topic orders
	Links    int                // between numbers, and voids
	Rejected []string           // reason: detail
}

// Facts counts what the record holds.
func (r *Reading) Facts() int {
	n := len(r.Events) + r.Links
	if r.Order != nil {
		n++
	}
	return n
}

// Read reads one record of a raw topic or of the orders.
func (r *Reader) Read(topic, carrier string, key, raw []byte) Reading {
	if topic == schemas.OrdersTopic {
		err := schemas.ParseOrderFact(raw, &r.order)
		var bad *schemas.FieldError
		switch {
		case err == nil:
			return Reading{Order: &r.order}
		case errors.As(err, &bad):
			return Reading{Rejected: []string{bad.Reason + ": " + bad.Error()}}
		}
		return Reading{Rejected: []string{err.Error()}}
	}
	res := r.decoder.Decode(carrier, raw, carriers.Source{Topic: topic, Key: key, ReceivedAt: r.now})
	out := Reading{Events: res.Events, Links: len(res.Aliases) + len(res.Voids)}
	for _, x := range res.Rejected {
		out.Rejected = append(out.Rejected, string(x.Reason)+": "+x.Detail)
	}
	return out
}
