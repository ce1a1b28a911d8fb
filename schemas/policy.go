package schemas

import "time"

// PolicyTopic holds every control record that was ever written, in the order in
// which they were: one partition, kept for good. A control is written here first,
// then into every partition of EventsTopic, whose own copy ends with retention.
// Once it is in all of them, it is followed here by a record of its number with
// the header PolicyApplied.
const (
	PolicyTopic   = "parcel.policies"
	PolicyApplied = "applied"
)

// MaxPolicyBytes bounds a policy document: half of the largest record that a
// broker takes unless told otherwise, since a control record holds the whole.
const MaxPolicyBytes = 512 << 10

// MaxRequired is the number of required milestones that a policy may hold: the
// detector keeps them in a byte of bits.
const MaxRequired = 8

// Policies is a policy document: what the marketplaces demand, as data. A control
// record carries one, so that all owners of a partition switch at the same
// offset.
type Policies struct {
	// List holds the policies; the first whose When matches a parcel or order
	// judges it. The last one matches everything.
	List     []Policy  `yaml:"policies"`
	Holidays []Holiday `yaml:"holidays"`
	// Keys holds the authorisations of carriers' feeds, which end some day.
	Keys []FeedKeyTerm `yaml:"keys"`
}

// Policy is what one kind of parcels is judged by. A rule that is left out is
// off.
type Policy struct {
	Name       string              `yaml:"name"`
	Extends    string              `yaml:"extends"` // another policy of the document, or a built-in one, whose keys these replace
	When       Selector            `yaml:"when"`
	Gap        GapRule             `yaml:"gap"`
	Milestones []RequiredMilestone `yaml:"milestones"`

	StageStalled        StalledRule   `yaml:"stage_stalled"`
	Undeliverable       []Milestone   `yaml:"undeliverable"`
	Exception           []Milestone   `yaml:"exception"`
	FirstScanUploadLate time.Duration `yaml:"first_scan_upload_late"` // 0: off
	VirtualWarehouse    bool          `yaml:"virtual_warehouse"`
	LabelNotPlatform    bool          `yaml:"label_not_platform"`
	ChannelsCompliant   []string      `yaml:"channels"` // approved carriers as labels name them; empty: any
	NumberInvalid       NumberRule    `yaml:"number_invalid"`
	StatusMismatch      MismatchRule  `yaml:"status_mismatch"`
	ConfirmLate         DeadlineRule  `yaml:"confirm_late"`
	LabelLate           DeadlineRule  `yaml:"label_late"`
	CancelUnhandled     DeadlineRule  `yaml:"cancel_unhandled"`
	PickupLate          DeadlineRule  `yaml:"pickup_late"`
	CarrierPickupLate   DeadlineRule  `yaml:"carrier_pickup_late"`
	ShippedLate         DeadlineRule  `yaml:"shipped_late"`
	DeliveredLate       DeadlineRule  `yaml:"delivered_late"` // after the promise
	Promise             []PromiseRule `yaml:"promise"`        // where the order states none
	Calendar            Calendar      `yaml:"calendar"`
	Score               ScoreRule     `yaml:"score"`
}

// Selector says which parcels and orders a policy judges: every list that is
// not empty must hold the parcel's value.
type Selector struct {
	Markets  []string `yaml:"markets"` // ISO 3166-1 alpha-2; the order's market, else the destination
	Shops    []string `yaml:"shops"`
	Lanes    []string `yaml:"lanes"`    // "CN-US"; "*-US" and "CN-*" for any other end
	Carriers []string `yaml:"carriers"` // of the order's label
	Products []string `yaml:"products"` // the carrier's product, as scans state it
}

// Stage is a group of milestones that a parcel passes together.
type Stage uint8

// The stages, in the order of the way.
const (
	StageNone        Stage = 0
	StageAnnounced   Stage = 1 // milestones 10-12
	StageOrigin      Stage = 2 // 20-31
	StageExport      Stage = 3 // 40-43
	StageLinehaul    Stage = 4 // 50-57
	StageArrival     Stage = 5 // 60
	StageImport      Stage = 6 // 70-73
	StageDestination Stage = 7 // 80-83
	StageDelivery    Stage = 8 // 90-92
	StageReturn      Stage = 9 // 120-121
)

// Stage returns the group that m belongs to, StageNone for an end or a message
// about the trail.
func (m Milestone) Stage() Stage {
	switch {
	case m >= 10 && m <= 12:
		return StageAnnounced
	case m >= 20 && m <= 31:
		return StageOrigin
	case m >= 40 && m <= 43:
		return StageExport
	case m >= 50 && m <= 57:
		return StageLinehaul
	case m == 60:
		return StageArrival
	case m >= 70 && m <= 73:
		return StageImport
	case m >= 80 && m <= 83:
		return StageDestination
	case m >= 90 && m <= 92:
		return StageDelivery
	case m == 120 || m == 121:
		return StageReturn
	}
	return StageNone
}

// GapRule holds the limits of silence between two updates.
type GapRule struct {
	Clock     string        `yaml:"clock"`    // progress (default) or physical: which scans end a silence
	AtRisk    time.Duration `yaml:"at_risk"`  // warn before the limit
	Open      time.Duration `yaml:"open"`     // gap_48h
	Escalate  time.Duration `yaml:"escalate"` // gap_72h
	Overrides []GapOverride `yaml:"overrides"`
}

// GapOverride holds other limits for silences that begin in some stages, such as
// an economy line-haul.
type GapOverride struct {
	Stages   []Stage       `yaml:"stages"`
	Lanes    []string      `yaml:"lanes"` // as in Selector; empty: any
	AtRisk   time.Duration `yaml:"at_risk"`
	Open     time.Duration `yaml:"open"`
	Escalate time.Duration `yaml:"escalate"`
}

// StalledRule bounds the stay in one stage in spite of updates.
type StalledRule struct {
	After     time.Duration     `yaml:"after"` // 0: off
	Overrides []StalledOverride `yaml:"overrides"`
}

// StalledOverride is another limit for some stages.
type StalledOverride struct {
	Stages []Stage       `yaml:"stages"`
	Lanes  []string      `yaml:"lanes"`
	After  time.Duration `yaml:"after"`
}

// Limit is a span of time: hours ("72h") or working days ("3wd"), which end at
// the market's midnight. The zero Limit is none.
type Limit struct {
	Duration    time.Duration
	WorkingDays int
}

// IsZero reports whether no limit is set.
func (l Limit) IsZero() bool { return l == Limit{} }

// DeadlineRule is violated when the clock passes its anchor by more than After.
type DeadlineRule struct {
	After Limit         `yaml:"after"` // zero: off
	Warn  time.Duration `yaml:"warn"`  // at_risk so long before the deadline; 0: never
	Since OrderKind     `yaml:"since"` // the anchor, where the rule leaves a choice: created or confirmed
}

// PromiseRule is the time from the order to the promised delivery.
type PromiseRule struct {
	Markets []string `yaml:"markets"` // empty: any
	Within  Limit    `yaml:"within"`
}

// NumberRule bounds what makes a tracking number invalid.
type NumberRule struct {
	On           bool          `yaml:"on"`
	ReusedWithin time.Duration `yaml:"reused_within"` // between two orders of one number
	BeforeOrder  time.Duration `yaml:"before_order"`  // a scan so much earlier than the order
}

// MismatchRule compares an order's status with its parcel's trail.
type MismatchRule struct {
	Grace   time.Duration `yaml:"grace"`   // 0: off
	Reverse bool          `yaml:"reverse"` // also: the trail is ahead of the order
}

// Calendar says which days are working days.
type Calendar struct {
	Zone     string         `yaml:"zone"`    // IANA name; empty: UTC
	Weekend  []time.Weekday `yaml:"weekend"` // default: Saturday, Sunday
	Holidays []Date         `yaml:"holidays"`
}

// Date is a day of the calendar's zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// Holiday is holiday mode of some shops or markets: shipping deadlines do not
// run. Times are Unix milliseconds.
type Holiday struct {
	Shops   []string `yaml:"shops"`   // empty: any
	Markets []string `yaml:"markets"` // empty: any
	From    int64    `yaml:"from"`
	Until   int64    `yaml:"until"`
}

// RequiredMilestone is one node that must be in the trail.
type RequiredMilestone struct {
	Milestone Milestone `yaml:"milestone"`
	// Lanes on which it is due: "any", or "cross_border" for parcels whose
	// origin and destination countries are known and differ.
	Lanes string `yaml:"lanes"`
	// Any of these in the trail satisfies it.
	SatisfiedBy []Milestone `yaml:"satisfied_by"`
	// Any of these excuses it: it is then not due at all.
	ExcusedBy []Milestone `yaml:"excused_by"`
	// Overdue when not satisfied After the first of Since (earliest time).
	Since []Milestone   `yaml:"since"`
	After time.Duration `yaml:"after"`
}

// ScoreRule holds the weights of completeness and LTS (each sums to 100), when a
// parcel counts and a week is published, and the scores under which a shop loses visibility.
type ScoreRule struct {
	MilestonesWeight     int `yaml:"milestones_weight"`
	SilenceWeight        int `yaml:"silence_weight"`
	OnTimeWeight         int `yaml:"on_time_weight"`
	CompletenessWeight   int `yaml:"completeness_weight"`
	PickupWeight         int `yaml:"pickup_weight"`
	ExceptionFreeWeight  int `yaml:"exception_free_weight"`
	CompletenessRequired int `yaml:"completeness_required"`
	LTSRequired          int `yaml:"lts_required"`

	ExposureLost       int           `yaml:"exposure_lost"`        // per cent of search exposure, below LTSRequired
	ShipKPIRequired    int           `yaml:"ship_kpi_required"`    // per cent of parcels picked up in time
	ConfirmLateAllowed int           `yaml:"confirm_late_allowed"` // per cent of orders
	Smoothing          int           `yaml:"smoothing"`            // weight of the market's mean, in parcels; 0: none
	Maturity           time.Duration `yaml:"maturity"`             // from the earliest scan, where nothing was promised; 0: off
	PublishAfter       time.Duration `yaml:"publish_after"`        // from a week's end, at the latest; 0: once all of it is mature
}
