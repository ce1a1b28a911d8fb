// Package schemas holds every shape that crosses a boundary of Scantrail: the
// canonical event and the other records of the log, the JSON on the public
// topics, the rows of ClickHouse, the policies and the carriers' mappings.
// The stages ingest, detector and sink know these types and not each other.
package schemas

import (
	"encoding/hex"
	"fmt"

	"github.com/zeebo/xxh3"
)

// ID is a 128-bit hash that names a parcel, a fact or an alert. It is the same
// on every machine and in every run.
type ID [16]byte

// String returns the ID in the form of a UUID, as ClickHouse prints it.
func (id ID) String() string {
	var b [36]byte
	hex.Encode(b[:8], id[:4])
	b[8] = '-'
	hex.Encode(b[9:13], id[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], id[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], id[8:10])
	b[23] = '-'
	hex.Encode(b[24:], id[10:])
	return string(b[:])
}

// MarshalText makes an ID print as a UUID in JSON.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the form that String writes.
func (id *ID) UnmarshalText(b []byte) error {
	if len(b) != 36 || b[8] != '-' || b[13] != '-' || b[18] != '-' || b[23] != '-' {
		return fmt.Errorf("id %.40q is not a UUID", b)
	}
	var h [32]byte
	n := copy(h[:], b[:8])
	n += copy(h[n:], b[9:13])
	n += copy(h[n:], b[14:18])
	n += copy(h[n:], b[19:23])
	copy(h[n:], b[24:])
	_, err := hex.Decode(id[:], h[:])
	return err
}

// Hash returns the ID of a byte string. It is not meant to resist a forger:
// whoever may write a carrier's topic can say anything about its parcels.
func Hash(b []byte) ID { return ID(xxh3.Hash128(b).Bytes()) }

// ParcelID returns the ID of the parcel with this canonical tracking number.
// The number alone decides, since carriers and aggregators name one parcel
// differently.
func ParcelID(trackingNumber string) ID { return ID(xxh3.HashString128(trackingNumber).Bytes()) }

// MaxNumber and MinNumber bound the length of a canonical tracking number.
const (
	MinNumber = 6
	MaxNumber = 40
)

// AppendNumber appends the canonical form of a tracking number as printed
// ([A-Z0-9], upper case, without spaces, dashes or dots) and reports whether it
// is one: 6 to 40 characters, no others than those.
func AppendNumber(dst []byte, printed string) ([]byte, bool) {
	start := len(dst)
	for i := 0; i < len(printed); i++ {
		switch c := printed[i]; {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z':
			dst = append(dst, c)
		case c >= 'a' && c <= 'z':
			dst = append(dst, c-'a'+'A')
		case c == ' ' || c == '-' || c == '.' || c == '\t' || c == '\r' || c == '\n' || c == '/' || c == '_':
		default:
			return dst[:start], false
		}
		if len(dst)-start > MaxNumber {
			return dst[:start], false
		}
	}
	return dst, len(dst)-start >= MinNumber
}

// Direction says which border a customs event belongs to.
type Direction uint8

const (
	NoDirection Direction = iota
	Export
	Import
)

// DirectionSource says what decided the direction.
type DirectionSource uint8

const (
	DirectionNone DirectionSource = iota
	DirectionCode
	DirectionCountry
	DirectionText
	DirectionSequence
)

// TZSource says how the zone of a time was found.
type TZSource uint8

const (
	TZUnknown        TZSource = iota // read as UTC; uncertain by up to 14 h
	TZExplicitUTC                    // the time itself says UTC
	TZExplicitOffset                 // the time, or a field beside it, names the offset
	TZCarrierRule                    // the carrier's mapping fixes the zone
	TZLocation                       // the zone of the event's place
)

// Fault says who caused an exception.
type Fault uint8

const (
	FaultUnknown Fault = iota
	FaultCarrier
	FaultConsignee
	FaultSeller
	FaultCustoms
	FaultNature
)

// NumberCheck says whether a tracking number keeps the rules of its carrier's
// format, its check digit above all. It flags a number and never drops one.
type NumberCheck uint8

const (
	NumberUnknown NumberCheck = iota // no format claims a number of this shape
	NumberValid
	NumberInvalid
)

var (
	directionNames       = [...]string{"none", "export", "import"}
	directionSourceNames = [...]string{"none", "code", "country", "text", "sequence"}
	tzSourceNames        = [...]string{"unknown", "explicit_utc", "explicit_offset", "carrier_rule", "location"}
	faultNames           = [...]string{"unknown", "carrier", "consignee", "seller", "customs", "nature"}
	numberCheckNames     = [...]string{"unknown", "valid", "invalid"}
)

func name(names []string, i uint8) string {
	if int(i) < len(names) {
		return names[i]
	}
	return fmt.Sprintf("value(%d)", i)
}

func (d Direction) String() string       { return name(directionNames[:], uint8(d)) }
func (d DirectionSource) String() string { return name(directionSourceNames[:], uint8(d)) }
func (s TZSource) String() string        { return name(tzSourceNames[:], uint8(s)) }
func (f Fault) String() string           { return name(faultNames[:], uint8(f)) }

// ParseNumberCheck returns the check of a name; the empty one is unknown.
func ParseNumberCheck(s string) (NumberCheck, error) {
	for i, n := range numberCheckNames {
		if n == s || s == "" {
			return NumberCheck(i), nil
		}
	}
	return 0, fmt.Errorf("%.40q is none of unknown, valid, invalid", s)
}

func (c NumberCheck) String() string { return name(numberCheckNames[:], uint8(c)) }

// Event is one canonical scan: what one carrier said about one parcel once.
//
// Strings may alias the buffer that the event was read from: they are valid
// until that buffer is reused.
type Event struct {
	ParcelID       ID
	FactID         ID     // hash of the raw fields alone: a re-sent scan is the same fact
	Carrier        string // the mapping's name of the carrier
	TrackingNumber string // canonical: [A-Z0-9]{6,40}
	EventIndex     uint32 // place among the events of its raw record

	OccurredAt      int64 // Unix milliseconds, UTC, as stated by the carrier
	OccurredAtRaw   string
	OffsetMinutes   int32 // of the stated local time from UTC
	TZSource        TZSource
	UncertaintySecs uint32 // the true instant lies within +- this of OccurredAt

	Milestone       Milestone
	Physical        bool // the parcel was handled then
	Progress        bool // counts as a tracking update
	Direction       Direction
	DirectionSource DirectionSource
	Reason          string // carrier's reason for an exception, normalised; one of DeliveryKinds when Delivered
	Fault           Fault
	Leg             uint32 // 1 for the first carrier's leg; 0 when unknown
	Rule            string // what decided the milestone: "code:PU", "text:3", "lexicon:en:...", "none"
	RawCode         string
	RawText         string

	Country     string // ISO 3166-1 alpha-2, upper case
	Region      string
	City        string
	Postcode    string
	Facility    string
	LocationRaw string

	OriginCountry      string // lane, where the carrier states it
	DestinationCountry string
	Product            string // carrier's product or service

	Topic          string // source record
	TopicID        ID     // survives a topic's deletion and re-creation
	Partition      int32
	Offset         int64
	ReceivedAt     int64 // Unix milliseconds of ingest's clock
	Backfill       bool  // history: lay in the topic before Scantrail first saw it, or was imported
	Generic        bool  // read by the generic reader, without a mapping of the carrier
	MappingVersion uint32

	EventID     string // the carrier's own name of the event, where it gives one
	NumberCheck NumberCheck
}

// EffectiveAt returns the time that the trail counts with, in Unix
// milliseconds: the stated time, or the time of reception where the stated one
// lies after it, since a scan cannot be received before it happens.
func (e *Event) EffectiveAt() int64 { return min(e.OccurredAt, e.ReceivedAt) }
