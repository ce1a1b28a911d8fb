package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"scantrail/schemas"
)

// factLine is one line of the input, ready to apply.
type factLine struct {
	at      int64 // received, Unix milliseconds
	records []schemas.Record
}

func oneRecord(at int64, r schemas.Record) factLine { return factLine{at, []schemas.Record{r}} }

// maxFactLine bounds one line of the input.
const maxFactLine = 1 << 20

// readFactLines reads all facts and orders them as they were received.
func readFactLines(in io.Reader) ([]factLine, error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxFactLine)
	var facts []factLine
	for n := 1; lines.Scan(); n++ {
		b := bytes.TrimSpace(lines.Bytes())
		if len(b) == 0 {
			continue
		}
		f, err := readFactLine(bytes.Clone(b))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		facts = append(facts, f)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read facts: %w (lines hold at most %d bytes)", err, maxFactLine)
	}
	slices.SortStableFunc(facts, func(a, b factLine) int { return cmp.Compare(a.at, b.at) })
	return facts, nil
}

func readFactLine(b []byte) (factLine, error) {
	var head struct {
		Kind       string `json:"kind"`
		ReceivedAt string `json:"received_at"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return factLine{}, fmt.Errorf("not a JSON object: %w", err)
	}
	var received int64
	if head.ReceivedAt != "" {
		var err error
		if received, err = parseInstant("received_at", head.ReceivedAt); err != nil {
			return factLine{}, err
		}
	}
	switch head.Kind {
	case "scan", "":
		return readScanLine(b, received)
	case "alias":
		return readAliasLine(b, received)
	case "void":
		return readVoidLine(b, received)
	}
	return readOrderLine(b, head.Kind, received)
}

func parseInstant(field, s string) (int64, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not RFC 3339, such as 2026-10-01T08:00:00Z", field, s)
	}
	return t.UnixMilli(), nil
}

func readScanLine(b []byte, received int64) (factLine, error) {
	var v struct {
		schemas.EventJSON
		Physical *bool `json:"physical"`
		Progress *bool `json:"progress"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return factLine{}, fmt.Errorf("scan: %w", err)
	}
	number, err := canonicalNumber("tracking_number", v.TrackingNumber)
	if err != nil {
		return factLine{}, err
	}
	m, err := schemas.ParseMilestone(v.Milestone)
	if err != nil {
		return factLine{}, fmt.Errorf("milestone: %w", err)
	}
	at, err := parseInstant("occurred_at", v.OccurredAt)
	if err != nil {
		return factLine{}, err
	}
	e := schemas.Event{
		TrackingNumber: number, ParcelID: v.ParcelID, FactID: v.FactID, Carrier: v.Carrier,
		OccurredAt: at, ReceivedAt: cmp.Or(received, at), Milestone: m, Physical: m.Physical(), Progress: m.Progress(),
		Country: v.Country, Facility: v.Facility, OriginCountry: v.OriginCountry, DestinationCountry: v.DestinationCountry,
		Backfill: v.Backfill, MappingVersion: v.MappingVersion, Postcode: v.Postcode, Product: v.Product,
		UncertaintySecs: v.UncertaintySecs,
	}
	if e.NumberCheck, err = schemas.ParseNumberCheck(v.NumberCheck); err != nil {
		return factLine{}, fmt.Errorf("number_check: %w", err)
	}
	if v.Physical != nil {
		e.Physical = *v.Physical
	}
	if v.Progress != nil {
		e.Progress = *v.Progress
	}
	if e.ParcelID == (schemas.ID{}) {
		e.ParcelID = schemas.ParcelID(e.TrackingNumber)
	}
	if e.FactID == (schemas.ID{}) {
		e.FactID = schemas.Hash(fmt.Appendf(nil, "%q %q %d %d %q %q %q %q %q", e.Carrier, e.TrackingNumber, at, v.EventIndex,
			v.Milestone, v.RawCode, v.RawText, v.Facility, v.LocationRaw))
	}
	return oneRecord(e.ReceivedAt, schemas.Record{Kind: schemas.KindEvent, Event: e}), nil
}

// readOrderLine turns the line into the form of the topic orders, which says
// what a fact may hold.
func readOrderLine(b []byte, kind string, received int64) (factLine, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return factLine{}, fmt.Errorf("order: %w", err)
	}
	delete(fields, "received_at")
	if kind == "order" {
		if fields["order_kind"] == nil {
			return factLine{}, errors.New("order_kind: missing; want created, label_created or another kind of the topic orders")
		}
		fields["kind"] = fields["order_kind"]
		delete(fields, "order_kind")
	} else if _, err := schemas.ParseOrderKind(kind); err != nil {
		return factLine{}, fmt.Errorf("kind: %q is none of scan, order, alias, void and no kind of order fact", kind)
	}
	if fields["at"] == nil && fields["occurred_at"] != nil {
		fields["at"] = fields["occurred_at"]
	}
	delete(fields, "occurred_at")
	raw, err := json.Marshal(fields)
	if err != nil {
		return factLine{}, fmt.Errorf("order: %w", err)
	}
	var o schemas.OrderFact
	if err := schemas.ParseOrderFact(raw, &o); err != nil {
		return factLine{}, fmt.Errorf("order: %w", err)
	}
	o.ReceivedAt = cmp.Or(received, o.At)
	return oneRecord(o.ReceivedAt, schemas.Record{Kind: schemas.KindOrder, Order: o}), nil
}

// readAliasLine reads a pair of numbers: each of them hears of the other.
func readAliasLine(b []byte, received int64) (factLine, error) {
	var v aliasJSON
	if err := json.Unmarshal(b, &v); err != nil {
		return factLine{}, fmt.Errorf("alias: %w", err)
	}
	number, err := canonicalNumber("tracking_number", v.TrackingNumber)
	if err != nil {
		return factLine{}, err
	}
	other, err := canonicalNumber("other_number", v.OtherNumber)
	if err != nil {
		return factLine{}, err
	}
	pair := func(home, other string) schemas.Record {
		return schemas.Record{Kind: schemas.KindAlias, Alias: schemas.Alias{FactID: v.FactID, TrackingNumber: home, OtherNumber: other, Carrier: v.Carrier, ReceivedAt: received}}
	}
	return factLine{received, []schemas.Record{pair(number, other), pair(other, number)}}, nil
}

// readVoidLine reads what withdraws a scan, which it names by its fact_id.
func readVoidLine(b []byte, received int64) (factLine, error) {
	var v voidJSON
	if err := json.Unmarshal(b, &v); err != nil {
		return factLine{}, fmt.Errorf("void: %w", err)
	}
	number, err := canonicalNumber("tracking_number", v.TrackingNumber)
	if err != nil {
		return factLine{}, err
	}
	if v.EventFactID == (schemas.ID{}) {
		return factLine{}, errors.New("event_fact_id: missing; want the fact_id of the scan that is withdrawn")
	}
	return oneRecord(received, schemas.Record{Kind: schemas.KindVoid, Void: schemas.Void{
		ParcelID: schemas.ParcelID(number), FactID: v.FactID, EventFactID: v.EventFactID, EventID: v.EventID, TrackingNumber: number, Carrier: v.Carrier, ReceivedAt: received,
	}}), nil
}

func canonicalNumber(field, s string) (string, error) {
	number, ok := schemas.AppendNumber(nil, s)
	if !ok {
		return "", fmt.Errorf("%s: %.60q is no tracking number: want 6 to 40 letters and digits", field, s)
	}
	return string(number), nil
}
