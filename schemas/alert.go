package schemas

// AlertStatus is the state of an alert after a transition.
type AlertStatus uint8

const (
	AlertAtRisk    AlertStatus = 1 // the limit is near
	AlertOpen      AlertStatus = 2 // the limit is passed
	AlertEscalated AlertStatus = 3 // the second limit is passed
	AlertResolved  AlertStatus = 4 // it happened, and it is over
	AlertWithdrawn AlertStatus = 5 // a later fact shows that it did not happen
)

var alertStatusNames = [...]string{"none", "at_risk", "open", "escalated", "resolved", "withdrawn"}

func (s AlertStatus) String() string { return name(alertStatusNames[:], uint8(s)) }

// Rules of the detector, by the names that alerts carry.
const (
	RuleGap48h              = "gap_48h"
	RuleGap72h              = "gap_72h"
	RuleMilestoneMissing    = "milestone_missing"
	RuleStageStalled        = "stage_stalled"
	RuleUndeliverable       = "undeliverable"
	RuleException           = "exception"
	RuleFirstScanUploadLate = "first_scan_upload_late"
	RuleVirtualWarehouse    = "virtual_warehouse"
	RuleNumberInvalid       = "number_invalid"
	RuleChannelNotCompliant = "channel_not_compliant"
	RuleLabelNotPlatform    = "label_not_platform"
	RulePickupLate          = "pickup_late"
	RuleCarrierPickupLate   = "carrier_pickup_late"
	RuleShippedLate         = "shipped_late"
	RuleDeliveredLate       = "delivered_late"
	RuleStatusMismatch      = "status_mismatch"
	RuleConfirmLate         = "confirm_late"
	RuleLabelLate           = "label_late"
	RuleCancelUnhandled     = "cancel_unhandled"
	RuleFeedStale           = "feed_stale"
	RuleLaneDisruption      = "lane_disruption"
	RuleCompletenessLow     = "completeness_low"
	RuleLTSLow              = "lts_low"
	RuleShipKPITwoWeeks     = "ship_kpi_two_weeks"
	RuleConfirmLateRate     = "confirm_late_rate"
)

// Rules are all that alerts can have.
func Rules() []string {
	return []string{
		RuleGap48h, RuleGap72h, RuleMilestoneMissing, RuleStageStalled, RuleUndeliverable, RuleException,
		RuleFirstScanUploadLate, RuleVirtualWarehouse, RuleNumberInvalid, RuleChannelNotCompliant, RuleLabelNotPlatform,
		RulePickupLate, RuleCarrierPickupLate, RuleShippedLate, RuleDeliveredLate, RuleStatusMismatch, RuleConfirmLate,
		RuleLabelLate, RuleCancelUnhandled, RuleFeedStale, RuleLaneDisruption, RuleCompletenessLow, RuleLTSLow,
		RuleShipKPITwoWeeks, RuleConfirmLateRate,
	}
}

// Details of RuleFeedStale: a feed that is silent, the first case of the rule, has
// none. Only that one holds the pages of its carrier's alerts.
const (
	DetailUploadLag   = "upload_lag"
	DetailKeyExpiring = "key_expiring"
)

// Alert is one transition of one alert: one message on parcel.alerts, one row
// version in the table alerts. Times are Unix milliseconds in UTC.
type Alert struct {
	AlertID        ID // hash of the rule's family, the number and the anchor
	Home           ID // parcel that holds it; readers take the smallest home
	Version        uint64
	Rule           string // gap_48h becomes gap_72h when it escalates
	Level          uint8  // 0 at risk, 1, 2 escalated
	Status         AlertStatus
	Milestone      Milestone // the missing one; unmapped for other rules
	Stage          Milestone // in which the parcel was, when the anchor happened
	ParcelID       ID
	TrackingNumber string
	Carrier        string // of the last event before the silence
	ShopID         string
	OrderID        string
	Market         string
	Origin         string // ISO 3166-1 alpha-2; empty when not known
	Destination    string
	Facility       string // of the last event before the silence
	Country        string // of the last event before the silence
	AnchorAt       int64  // event time from which the rule counts
	EndedAt        int64  // event time of what resolved it; 0 while open
	OpenedAt       int64  // log clock at its first transition to open
	ChangedAt      int64  // log clock of this transition
	Backfill       bool   // known only from history: recorded, not paged
	Detail         string // which case of the rule, such as reused of number_invalid
	Cause          string // likely cause, from a closed set (Advice explains it)
	SilentSecs     uint32 // from the last update to ended_at, or to this transition; 0: none yet
	Held           bool   // the carrier's feed stands still: recorded, not paged
	Uncertain      bool   // the zone of a time behind it is not known for sure
	Policy         string // name of the policy that called for it
}

// Status is one stage that a parcel reached: one message on parcel.status.
type Status struct {
	ParcelID       ID
	TrackingNumber string
	ShopID         string
	OrderID        string
	Version        uint64
	Stage          string // shipped, in_transit, arrived_in_destination, out_for_delivery, delivered, returned, exception
	At             int64  // event time
	ChangedAt      int64  // log clock
}

// ParcelRow is the current row of one life of one parcel in table parcels.
// Times are Unix milliseconds; 0 means not seen. Nothing in it is relative to
// now.
type ParcelRow struct {
	ParcelID       ID
	OpenedAt       int64 // effective time of its first fact
	Life           uint8 // number of this life of the tracking number, from 1
	Version        uint64
	Deleted        bool
	TrackingNumber string
	Carriers       []string // in order of first event
	Product        string   // of the carrier; empty when not known
	ShopID         string
	OrderID        string
	Market         string
	Origin         string
	Destination    string
	LabelSource    string

	Stage           Milestone // furthest forward milestone
	LastMilestone   Milestone // of the latest progress event
	LastCarrier     string
	LastFacility    string
	LastCountry     string
	FirstProgressAt int64
	LastProgressAt  int64
	FirstPhysicalAt int64     // earliest event at which the parcel was handled
	EndMilestone    Milestone // unmapped while open
	EndedAt         int64

	OrderedAt         int64 // order facts
	ConfirmedAt       int64
	ReadyAt           int64
	MarkedShippedAt   int64
	MarkedDeliveredAt int64
	PromiseAt         int64
	CancelledAt       int64

	LabelAt          int64 // milestones: earliest time of each
	AcceptedAt       int64
	ExportClearedAt  int64
	DepartedAt       int64
	ArrivedAt        int64 // entry into the destination country, customs statuses included
	ImportClearedAt  int64
	OutForDeliveryAt int64
	DeliveredAt      int64
	ReturnedAt       int64

	Facts         uint16
	ProgressFacts uint16
	Required      uint8  // bits in the order of the policy's milestones: applies to this lane
	Due           uint8  // of these: at or before the furthest stage reached, or overdue
	Observed      uint8  // of these: in the trail
	SilentSecs    uint32 // sum over closed gaps of (length - 48 h)
	Gaps48h       uint8  // gaps of at least 48 h, the trailing one included
	Gaps72h       uint8
	Exceptions    uint8 // number of exception events (12, 41, 43, 71, 73, 91, 100-108, 120-129)

	FirstScanAt       int64     // of this life, announcements and messages included
	FirstException    Milestone // earliest of them; unmapped without one
	FirstExceptionAt  int64
	SilentCustomsSecs uint32 // of SilentSecs: gaps that began while the parcel was with customs
	SilentFrom        int64  // while open: when the present silence passes the limit of a gap
	PromisedAt        int64  // PromiseAt, else the promise of the policy
	DeliverBy         int64  // last moment of a delivery in time, by delivered_late
	PickupBy          int64  // last moment of a first physical scan in time, by pickup_late
	CollectBy         int64  // the same, by carrier_pickup_late
	MaturesAt         int64  // when it counts in scores at the latest
	ScoredDue         uint8  // Due, without what became overdue after MaturesAt
	ScoredGaps72h     uint8  // Gaps72h, without an open one that passed the limit after MaturesAt
	CohortDay         uint16 // day of its order, else of its earliest scan, in the zone of the policy: days since 1970-01-01

	Policy       string
	PolicyNumber uint32 // of the control record that brought the policy; 0 before the first
	UpdatedAt    int64  // log clock at Version
}

// OrderRow is the current row of one order in table orders. Times as above.
type OrderRow struct {
	EntityID          ID // hash of shop and order; not a column
	OrderID           string
	ShopID            string
	Market            string
	Version           uint64
	Carrier           string
	TrackingNumbers   []string
	LabelSource       string
	Origin            string
	Destination       string
	DestPostcode      string
	CreatedAt         int64
	ConfirmedAt       int64
	ReadyAt           int64
	MarkedShippedAt   int64
	MarkedDeliveredAt int64
	LabelAt           int64
	PromiseAt         int64
	CancelRequestedAt int64
	CancelAnsweredAt  int64
	CancelledAt       int64
	Facts             uint16
	ConfirmBy         int64 // last moment of a confirmation in time, by confirm_late
	PromisedAt        int64 // this and what follows: as in ParcelRow
	DeliverBy         int64
	CohortDay         uint16
	Policy            string
	PolicyNumber      uint32
	UpdatedAt         int64
}
