package schemas

// Topics that Scantrail reads and writes. Names are part of its contract.
const (
	RawTopicPrefix   = "scans.raw." // followed by the carrier's name
	OrdersTopic      = "orders"
	EventsTopic      = "parcel.events"
	AlertsTopic      = "parcel.alerts"
	StatusTopic      = "parcel.status"
	SnapshotsTopic   = "parcel.snapshots"
	DeadLettersTopic = "scans.dead-letter"
)

// Consumer groups of the three roles.
const (
	IngestGroup   = "scantrail-ingest"
	DetectorGroup = "scantrail-detector"
	SinkGroup     = "scantrail-sink"
)

// CarrierHeader is the record header that overrides the carrier of a raw topic.
const CarrierHeader = "carrier"

// RangeSpan is the number of offsets that one row of the ledgers `blocks` and
// `ranges` accounts for: rows are keyed by multiples of it.
const RangeSpan = 65536

// MaxFacts is the number of scans, and of order facts, beyond which an entity is
// no parcel or order but a placeholder number that merges many. It is then
// quarantined: its row says MaxFacts+1 facts and stands in data_gaps.
const MaxFacts = 256

// Kind tells the bodies of a Record apart. The numbers are the field numbers
// of the oneof in event.proto.
type Kind uint8

const (
	KindNone    Kind = 0
	KindEvent   Kind = 1
	KindOrder   Kind = 2
	KindAlias   Kind = 3
	KindTick    Kind = 4
	KindRange   Kind = 5
	KindControl Kind = 6
	KindVoid    Kind = 7
)

// Record is one value of parcel.events. Kind says which body is set. A Record
// is meant to be reused from one decoding to the next; its strings alias the
// decoded buffer.
type Record struct {
	Kind      Kind
	Forwarded bool // a copy that the detector sent from another partition
	Event     Event
	Order     OrderFact
	Alias     Alias
	Tick      Tick
	Range     Range
	Control   Control
	Void      Void
}

// Alias says that two numbers name one parcel.
type Alias struct {
	FactID         ID
	TrackingNumber string // the home of this copy
	OtherNumber    string
	Carrier        string
	ReceivedAt     int64
}

// Tick moves the clock of its partition. At is Unix milliseconds.
type Tick struct {
	At               int64
	ForwardedThrough int64    // lowest tick the detector has committed; 0 when not stated
	Stalled          []string // "topic/partition" that time no longer waits for
}

// Range accounts for the raw records of one source partition from First, a
// multiple of RangeSpan, up to and including Last.
type Range struct {
	Topic       string
	TopicID     ID
	Partition   int32
	First, Last int64
	Records     int64
	Events      int64
	DeadLetters int64
	Empty       int64 // readable records that hold no event
}

// Control switches the policy in its partition.
type Control struct {
	Number uint32 // rises; a number not above the last is ignored
	Policy string // whole policy file, YAML
}

// Void withdraws an event that the carrier has declared wrong. Which one is said
// twice: a declaration repeats the raw fields of the event, so that they give
// its FactID again, and may name it as the carrier does. Times are Unix
// milliseconds.
type Void struct {
	ParcelID       ID
	FactID         ID     // of the declaration itself
	EventFactID    ID     // Event.FactID of the event that is withdrawn
	EventID        string // Event.EventID of it; "" when the carrier gives none
	TrackingNumber string
	Carrier        string
	At             int64 // when it was declared; 0 when not stated
	ReceivedAt     int64
}

// Version packs what makes a row newer than another of the same key: the
// generation (12 bits), the offset in parcel.events that caused it (44 bits)
// and its ordinal among the rows that the offset caused in one entity (8 bits).
func Version(generation uint16, offset int64, ordinal uint8) uint64 {
	return uint64(generation)<<52 | uint64(offset)&(1<<44-1)<<8 | uint64(ordinal)
}
