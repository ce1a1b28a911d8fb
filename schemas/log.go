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

// Consumer groups of the roles.
const (
	IngestGroup   = "scantrail-ingest"
	DetectorGroup = "scantrail-detector"
	SinkGroup     = "scantrail-sink"
	RawGroup      = "scantrail-raw" // only where raw records are copied to ClickHouse
)

// CarrierHeader is the record header that overrides the carrier of a raw topic.
const CarrierHeader = "carrier"

// BackfillHeader on a record of a raw topic or of orders, with the value "1", says
// that it is history: its facts count as all others, but what is known from them
// alone is recorded and not paged, and tells nothing of how late the carrier
// reports, nor that its feed is alive. Whoever may write to the topic can set it,
// for records of their own: a copy of a fact without it takes the flag away.
// Ingest believes it unless it is told not to.
const BackfillHeader = "scantrail-backfill"

// ReplayHeader on a raw record names the record, as topic/partition/offset, whose
// dead letter was sent again.
const ReplayHeader = "scantrail-replay-of"

// ReceivedViaHeader on a raw record says how it came when no carrier wrote it to
// Kafka itself; its value is "push" for one that came over HTTP. RequestIDHeader
// then names the request, as its sender was told.
const (
	ReceivedViaHeader = "scantrail-received-via"
	RequestIDHeader   = "scantrail-request-id"
)

// SimulatedHeader is on every record of a simulated world; its value is the seed.
const SimulatedHeader = "scantrail-simulated"

// IsCarrierName reports whether the value of a CarrierHeader is fit to be a
// carrier's name: 1 to 64 of a-z, 0-9, underscore and dash. Another value is not
// believed.
func IsCarrierName(b []byte) bool {
	for _, c := range b {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return len(b) > 0 && len(b) <= 64
}

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
	KindNone     Kind = 0
	KindEvent    Kind = 1
	KindOrder    Kind = 2
	KindAlias    Kind = 3
	KindTick     Kind = 4
	KindRange    Kind = 5
	KindControl  Kind = 6
	KindVoid     Kind = 7
	KindHandover Kind = 8
	KindRebuild  Kind = 9
	KindFeed     Kind = 10
)

// Record is one value of parcel.events. Kind says which body is set. A Record
// is meant to be reused from one decoding to the next; its strings alias the
// decoded buffer.
type Record struct {
	Kind      Kind
	Forwarded bool   // a copy that the detector sent from another partition
	Home      string // on copies: the number of the parcel that this copy is for; the body keeps its own number
	Event     Event
	Order     OrderFact
	Alias     Alias
	Tick      Tick
	Range     Range
	Control   Control
	Void      Void
	Handover  Handover
	Rebuild   Rebuild
	Feed      Feed
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
	History          bool     // what lay in a raw topic when that was first seen is still being read
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

// Control switches the policies, and what else all owners of a partition must
// switch at the same offset.
type Control struct {
	Number     uint32 // rises; a number not above the last is ignored
	Policy     string // whole policy document, YAML
	Generation uint32 // row versions are of at least this generation from here on; 0: as before
	Detector   uint32 // version of the detector's rules that the partition needs; an older program stops there
}

// Handover carries what was published about a parcel to its new home, after its
// facts: the numbers were found to name one parcel.
type Handover struct {
	TrackingNumber string // of the old home
	Stages         uint8  // of parcel.status, published already
	BadNumber      bool   // a scan's number failed its check
	Alerts         []HandedAlert
}

// HandedAlert is the state of one alert at a hand-over. Times are Unix seconds.
type HandedAlert struct {
	Family         uint8
	Status         AlertStatus
	Level          uint8
	Backfill       bool
	TrackingNumber string // in the alert's id
	Anchor         uint32
	Ended          uint32
	Opened         uint32
}

// Rebuild answers a parcel or order that had been evicted and was heard of again: State
// is what ClickHouse keeps of it, empty when it knows nothing.
type Rebuild struct {
	EntityID ID
	Ask      int64 // offset of the record that asked
	State    []byte
}

// Feed says that events of a carrier came in: one record for each minute, source
// topic and ingest process. Times are Unix milliseconds.
type Feed struct {
	Carrier string
	Topic   string
	First   int64 // receptions in this minute
	Last    int64
	Events  int64
	MaxLag  int64 // longest time between an event and its reception, milliseconds
	// LagHours is the median, over the raw records, of the time between the newest
	// progress event of a record and the record itself, in hours begun: 1 to 255.
	// History, and what is stated more than an hour ahead, does not count; 0: nothing
	// counted.
	LagHours uint8
}

// FeedKey is the Kafka key of a carrier's Feed records in parcel.events, and
// stands for its number in alerts. It cannot collide with a tracking number,
// which has no colon, nor with an order's key.
func FeedKey(carrier string) string { return "feed:" + carrier }

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

// DetectorVersion is the version of what this program makes of facts and policies.
// Control records carry it: a program of an older version stops at them.
const DetectorVersion = 2

// MaxGeneration is the highest generation that a version has room for.
const MaxGeneration = 1<<12 - 1

// Version packs what makes a row newer than another of the same key: the
// generation (12 bits), the offset in parcel.events that caused it (44 bits)
// and its ordinal among the rows that the offset caused in one entity (8 bits).
func Version(generation uint16, offset int64, ordinal uint8) uint64 {
	return uint64(generation)<<52 | uint64(offset)&(1<<44-1)<<8 | uint64(ordinal)
}
