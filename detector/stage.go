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

// stageBits returns the stages that a milestone shows.
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

// timeBits returns the times of the row that a milestone sets.
func timeBits(m schemas.Milestone) uint16 {
	switch m {
	case schemas.LabelCreated:
		return 1 << atLabel
	case schemas.Accepted:
		return 1 << atAccepted
	case schemas.ExportCleared:
		return 1 << atExportCleared
	case schemas.DepartedOrigin:
		return 1 << atDeparted
	case schemas.ArrivedDestination, schemas.ImportCustomsStarted, schemas.ImportCustomsHeld, schemas.ImportRejected:
		return 1 << atArrived
	case schemas.ImportCleared:
		return 1<<atArrived | 1<<atImportCleared
	case schemas.OutForDelivery:
		return 1 << atOutForDelivery
	case schemas.Delivered:
		return 1 << atDelivered
	case schemas.Returned:
		return 1 << atReturned
	}
	return 0
}
