package schemas

import "fmt"

// Milestone is one station of a parcel's way from label to delivery. Its
// number is also its order along the way: a later stage implies the earlier.
type Milestone uint8

// The canonical milestones. 10-11 are announcements, 20-95 the way of a
// parcel, 100-108 exceptions, 120-129 the way back, 140-142 messages about
// the trail itself.
const (
	Unmapped                    Milestone = 0
	LabelCreated                Milestone = 10
	PickupScheduled             Milestone = 11
	PickupFailed                Milestone = 12
	Accepted                    Milestone = 20
	OriginFacilityArrived       Milestone = 30
	OriginFacilityDeparted      Milestone = 31
	ExportCustomsStarted        Milestone = 40
	ExportCustomsHeld           Milestone = 41
	ExportCleared               Milestone = 42
	ExportRejected              Milestone = 43
	HandedToLinehaul            Milestone = 50
	DepartedOrigin              Milestone = 51
	TransitHubArrived           Milestone = 55
	TransitHubDeparted          Milestone = 56
	InTransit                   Milestone = 57
	ArrivedDestination          Milestone = 60
	ImportCustomsStarted        Milestone = 70
	ImportCustomsHeld           Milestone = 71
	ImportCleared               Milestone = 72
	ImportRejected              Milestone = 73
	HandedToLastMile            Milestone = 80
	DestinationFacilityArrived  Milestone = 81
	DestinationFacilityDeparted Milestone = 82
	DeliveryFacilityArrived     Milestone = 83
	OutForDelivery              Milestone = 90
	DeliveryAttempted           Milestone = 91
	AvailableForPickup          Milestone = 92
	Delivered                   Milestone = 95
	Delayed                     Milestone = 100
	Held                        Milestone = 101
	AddressIssue                Milestone = 102
	Misrouted                   Milestone = 103
	Damaged                     Milestone = 104
	Lost                        Milestone = 105
	Destroyed                   Milestone = 106
	Cancelled                   Milestone = 107
	Seized                      Milestone = 108
	ReturnStarted               Milestone = 120
	ReturnInTransit             Milestone = 121
	Returned                    Milestone = 129
	NumberChanged               Milestone = 140
	TrackingEnded               Milestone = 141
	Info                        Milestone = 142
)

// milestoneInfo holds what a milestone means unless a mapping says otherwise.
type milestoneInfo struct {
	name     string
	physical bool // the parcel was handled then
	progress bool // counts as a tracking update
	terminal bool // ends the trail
}

// milestones is indexed by Milestone; an empty name is no milestone.
var milestones = [...]milestoneInfo{
	Unmapped:                    {name: "unmapped"},
	LabelCreated:                {name: "label_created"},
	PickupScheduled:             {name: "pickup_scheduled"},
	PickupFailed:                {name: "pickup_failed", physical: true, progress: true},
	Accepted:                    {name: "accepted", physical: true, progress: true},
	OriginFacilityArrived:       {name: "origin_facility_arrived", physical: true, progress: true},
	OriginFacilityDeparted:      {name: "origin_facility_departed", physical: true, progress: true},
	ExportCustomsStarted:        {name: "export_customs_started", progress: true},
	ExportCustomsHeld:           {name: "export_customs_held", progress: true},
	ExportCleared:               {name: "export_cleared", progress: true},
	ExportRejected:              {name: "export_rejected", progress: true},
	HandedToLinehaul:            {name: "handed_to_linehaul", physical: true, progress: true},
	DepartedOrigin:              {name: "departed_origin", physical: true, progress: true},
	TransitHubArrived:           {name: "transit_hub_arrived", physical: true, progress: true},
	TransitHubDeparted:          {name: "transit_hub_departed", physical: true, progress: true},
	InTransit:                   {name: "in_transit", physical: true, progress: true},
	ArrivedDestination:          {name: "arrived_destination", physical: true, progress: true},
	ImportCustomsStarted:        {name: "import_customs_started", progress: true},
	ImportCustomsHeld:           {name: "import_customs_held", progress: true},
	ImportCleared:               {name: "import_cleared", progress: true},
	ImportRejected:              {name: "import_rejected", progress: true},
	HandedToLastMile:            {name: "handed_to_last_mile", physical: true, progress: true},
	DestinationFacilityArrived:  {name: "destination_facility_arrived", physical: true, progress: true},
	DestinationFacilityDeparted: {name: "destination_facility_departed", physical: true, progress: true},
	DeliveryFacilityArrived:     {name: "delivery_facility_arrived", physical: true, progress: true},
	OutForDelivery:              {name: "out_for_delivery", physical: true, progress: true},
	DeliveryAttempted:           {name: "delivery_attempted", physical: true, progress: true},
	AvailableForPickup:          {name: "available_for_pickup", physical: true, progress: true},
	Delivered:                   {name: "delivered", physical: true, progress: true, terminal: true},
	Delayed:                     {name: "delayed", progress: true},
	Held:                        {name: "held", progress: true},
	AddressIssue:                {name: "address_issue", progress: true},
	Misrouted:                   {name: "misrouted", physical: true, progress: true},
	Damaged:                     {name: "damaged", physical: true, progress: true},
	Lost:                        {name: "lost", progress: true, terminal: true},
	Destroyed:                   {name: "destroyed", physical: true, progress: true, terminal: true},
	Cancelled:                   {name: "cancelled", progress: true, terminal: true},
	Seized:                      {name: "seized", progress: true},
	ReturnStarted:               {name: "return_started", physical: true, progress: true},
	ReturnInTransit:             {name: "return_in_transit", physical: true, progress: true},
	Returned:                    {name: "returned", physical: true, progress: true, terminal: true},
	NumberChanged:               {name: "number_changed"},
	TrackingEnded:               {name: "tracking_ended", terminal: true},
	Info:                        {name: "info"},
}

// String returns the canonical snake_case name, or "milestone(N)" for a
// number that is none.
func (m Milestone) String() string {
	if m.Known() {
		return milestones[m].name
	}
	return fmt.Sprintf("milestone(%d)", uint8(m))
}

// Known reports whether m is one of the canonical milestones.
func (m Milestone) Known() bool { return int(m) < len(milestones) && milestones[m].name != "" }

// Physical reports whether the parcel was handled at m, unless the carrier's
// mapping says otherwise for one of its codes.
func (m Milestone) Physical() bool { return m.Known() && milestones[m].physical }

// Progress reports whether m counts as a tracking update: a physical scan, a
// customs status or an exception, but no announcement, message or unmapped
// code.
func (m Milestone) Progress() bool { return m.Known() && milestones[m].progress }

// WithCustoms reports whether after m the parcel is with customs: they have begun
// and have not cleared it yet.
func (m Milestone) WithCustoms() bool {
	switch m {
	case ExportCustomsStarted, ExportCustomsHeld, ExportRejected, ImportCustomsStarted, ImportCustomsHeld, ImportRejected:
		return true
	}
	return false
}

// Terminal reports whether m ends the trail (delivered, returned, cancelled,
// destroyed, lost, tracking ended).
func (m Milestone) Terminal() bool { return m.Known() && milestones[m].terminal }

// Forward reports whether m is a station on the way to the recipient, so that
// its number can be compared with another station's.
func (m Milestone) Forward() bool { return m >= Accepted && m <= Delivered && m.Known() }

// ParseMilestone returns the milestone of a canonical name.
func ParseMilestone(name string) (Milestone, error) {
	for m := range milestones {
		if milestones[m].name == name && name != "" {
			return Milestone(m), nil
		}
	}
	return 0, fmt.Errorf("milestone %q is not one of the canonical milestones", name)
}

// Milestones returns all canonical milestones in stage order.
func Milestones() []Milestone {
	var all []Milestone
	for m := range milestones {
		if milestones[m].name != "" {
			all = append(all, Milestone(m))
		}
	}
	return all
}
