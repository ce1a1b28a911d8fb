package detector

import "scantrail/schemas"

// Stages that parcel.status reports, in the order of the way.
const (
	shipped = iota
	inTransit
	arrived
	outForDelivery
	delivered
	returned
	exception
	numStages
)

var stageNames = [numStages]string{
	"shipped", "in_transit", "arrived_in_destination", "out_for_delivery", "delivered", "returned", "exception",
}

// reach books the stages that a fact shows to be reached. An announcement
// shows none.
func (v *verdict) reach(f *fact, m schemas.Milestone) {
	if f.flags&(factPhysical|factProgress) == 0 {
		return
	}
	bits := stageOf[m]
	if f.flags&factPhysical != 0 && m != schemas.PickupFailed {
		bits |= 1 << shipped
	}
	if bits &^= v.reached; bits != 0 {
		v.reached |= bits
		setTimes(v.reachedAt[:], uint16(bits), f.sec)
	}
}

// stageOf holds the stages that each milestone shows.
var stageOf = func() (t [256]uint8) {
	for _, m := range schemas.Milestones() {
		t[m] = stageBits(m)
	}
	return t
}()

func stageBits(m schemas.Milestone) uint8 {
	switch {
	case m == schemas.Accepted:
		return 1 << shipped
	case m >= schemas.DepartedOrigin && m <= schemas.InTransit:
		return 1 << inTransit
	case m >= schemas.ArrivedDestination && m <= schemas.DeliveryFacilityArrived:
		if isException(m) {
			return 1<<arrived | 1<<exception
		}
		return 1 << arrived
	case m == schemas.OutForDelivery:
		return 1 << outForDelivery
	case m == schemas.Delivered:
		return 1 << delivered
	case m == schemas.Returned:
		return 1 << returned
	case isException(m):
		return 1 << exception
	}
	return 0
}

// isException reports whether m says that something went wrong: a customs hold
// or rejection, a failed pickup or attempt, and all of 100-129.
func isException(m schemas.Milestone) bool {
	switch m {
	case schemas.PickupFailed, schemas.ExportCustomsHeld, schemas.ExportRejected,
		schemas.ImportCustomsHeld, schemas.ImportRejected, schemas.DeliveryAttempted:
		return true
	}
	return m >= schemas.Delayed && m <= schemas.Seized || m >= schemas.ReturnStarted && m <= schemas.Returned
}

// timesOf holds the times of the row that each milestone sets.
var timesOf = func() (t [256]uint16) {
	for _, entry := range []schemas.Milestone{
		schemas.ArrivedDestination, schemas.ImportCustomsStarted, schemas.ImportCustomsHeld,
		schemas.ImportCleared, schemas.ImportRejected,
	} {
		t[entry] = 1 << atArrived
	}
	t[schemas.LabelCreated] = 1 << atLabel
	t[schemas.Accepted] = 1 << atAccepted
	t[schemas.ExportCleared] = 1 << atExportCleared
	t[schemas.DepartedOrigin] = 1 << atDeparted
	t[schemas.ImportCleared] |= 1 << atImportCleared
	t[schemas.OutForDelivery] = 1 << atOutForDelivery
	t[schemas.Delivered] = 1 << atDelivered
	t[schemas.Returned] = 1 << atReturned
	return t
}()
