package world

import "scantrail/schemas"

// feed is a carrier that reports scans.
type feed uint8

const (
	yunexpress feed = iota
	fourpx
	cainiao
	track17
	usps
	royalmail
	canadapost
	dhlExpress
	ups
	fedex
	feeds
	noFeed feed = 255
)

var feedNames = [feeds]string{"yunexpress", "fourpx", "cainiao", "17track", "usps", "royalmail",
	"canadapost", "dhl_express", "ups", "fedex"}

// code is what a carrier calls a milestone. Only codes whose meaning is beyond
// doubt are here: nobody can be blamed for reading them otherwise.
type code struct {
	milestone schemas.Milestone
	code      string
	text      string
	extra     string // a further field that the format has beside the code
}

// codes holds the vocabulary of each feed. Two entries of one milestone are
// two ways to say it.
var codes = [feeds][]code{
	yunexpress: {
		{schemas.LabelCreated, "PRE_INFO", "Shipment information received", "N"},
		{schemas.LabelCreated, "ORDER_CREATION", "Order created", "N"},
		{schemas.Accepted, "PICKED_UP", "Parcel picked up", "T"},
		{schemas.OriginFacilityArrived, "FIRST_MILE_ARRIVE", "Arrived at first mile facility", "T"},
		{schemas.OriginFacilityDeparted, "FIRST_MILE_DEPART", "Departed from first mile facility", "T"},
		{schemas.ExportCleared, "EXPORT_CUSTOMS_COMPLETE", "Export customs clearance completed", "T"},
		{schemas.DepartedOrigin, "MAIN_LINE_DEPART", "International flight has departed", "T"},
		{schemas.ArrivedDestination, "MAIN_LINE_ARRIVE", "International flight has arrived", "T"},
		{schemas.ImportCustomsStarted, "CUSTOMS_PROCESSING", "Import customs clearance in progress", "T"},
		{schemas.ImportCustomsHeld, "CUSTOMS_HOLD", "Held by import customs", "T"},
		{schemas.ImportCleared, "CUSTOMS_COMPLETE", "Import customs clearance completed", "T"},
		{schemas.HandedToLastMile, "TRANSITHUB_ARRIVE", "Handed over to the last mile carrier", "T"},
		{schemas.AvailableForPickup, "READY_FOR_PICKUP", "Ready for pickup by the recipient", "T"},
		{schemas.Delivered, "DELIVERED", "Delivered", "D"},
		{schemas.Lost, "PACKAGE_LOST", "Parcel lost", "E"},
	},
	fourpx: {
		{schemas.LabelCreated, "FPX_L_RPIF", "Parcel information received", "L"},
		{schemas.Accepted, "FPX_C_SPLS", "Shipment picked up", "C"},
		{schemas.Accepted, "FPX_C_SPQS", "Shipment picked up", "C"},
		{schemas.OriginFacilityArrived, "FPX_C_AAF", "Arrived at facility", "C"},
		{schemas.OriginFacilityDeparted, "FPX_C_ADFF", "Departed from facility", "C"},
		{schemas.ExportCustomsStarted, "FPX_Q_ECI", "Export customs clearance in progress", "Q"},
		{schemas.ExportCleared, "FPX_Q_ECC", "Released by export customs", "Q"},
		{schemas.HandedToLinehaul, "FPX_M_HA", "Handed over to airline", "M"},
		{schemas.DepartedOrigin, "FPX_M_DFOA", "Departed from airport of origin", "M"},
		{schemas.ArrivedDestination, "FPX_M_ATA", "Arrived at airport of destination", "M"},
		{schemas.ImportCustomsStarted, "FPX_I_CP", "Import customs clearance in progress", "I"},
		{schemas.ImportCleared, "FPX_I_CPC", "Released by import customs", "I"},
		{schemas.OutForDelivery, "FPX_D_SD", "Out for delivery", "D"},
		{schemas.OutForDelivery, "FPX_D_OFD", "Out for delivery", "D"},
		{schemas.DeliveryAttempted, "FPX_D_FD", "Delivery failed, recipient absent", "D"},
		{schemas.AvailableForPickup, "FPX_D_AP", "Arrived at pickup point", "D"},
		{schemas.Delivered, "FPX_S_OK", "Delivered", "S"},
	},
	cainiao: {
		{schemas.Accepted, "PU_PICKUP_SUCCESS", "Picked up by carrier", "PICKED_UP"},
		{schemas.OriginFacilityArrived, "SC_INBOUND_SUCCESS", "Inbound in sorting center", "TRANSIT"},
		{schemas.OriginFacilityDeparted, "SC_OUTBOUND_SUCCESS", "Outbound in sorting center", "TRANSIT"},
		{schemas.ExportCustomsStarted, "CC_EX_START", "Export customs clearance started", "TRANSIT"},
		{schemas.ExportCleared, "CC_EX_SUCCESS", "Export customs clearance completed", "TRANSIT"},
		{schemas.HandedToLinehaul, "LH_HO_AIRLINE", "Handed over to airline", "TRANSIT"},
		{schemas.DepartedOrigin, "LH_DEPART", "Left from departure country", "TRANSIT"},
		{schemas.ArrivedDestination, "LH_ARRIVE", "Arrived at destination country", "TRANSIT"},
		{schemas.ImportCustomsStarted, "CC_IM_START", "Import customs clearance started", "TRANSIT"},
		{schemas.ImportCleared, "CC_IM_SUCCESS", "Import customs clearance completed", "TRANSIT"},
		{schemas.OutForDelivery, "GTMS_DO_DEPART", "Out for delivery", "DELIVERING"},
		{schemas.AvailableForPickup, "GTMS_WAIT_SELF_PICK", "Waiting for self pickup", "DELIVERING"},
		{schemas.Delivered, "GTMS_SIGNED", "Delivered", "SIGN"},
	},
	track17: {
		{schemas.LabelCreated, "InfoReceived", "Shipment information received", "InfoReceived"},
		{schemas.Accepted, "InTransit_PickedUp", "Picked up by the carrier", "PickedUp"},
		{schemas.OriginFacilityArrived, "InTransit_Arrival", "Arrived at sorting center", "Arrival"},
		{schemas.ExportCustomsStarted, "InTransit_CustomsProcessing", "Export customs clearance started", ""},
		{schemas.ExportCleared, "InTransit_CustomsReleased", "Export customs clearance completed", ""},
		{schemas.DepartedOrigin, "InTransit_Departure", "Departed from country of origin", "Departure"},
		{schemas.ImportCustomsStarted, "InTransit_CustomsProcessing", "Import customs clearance started", ""},
		{schemas.ImportCleared, "InTransit_CustomsReleased", "Import customs clearance completed", ""},
		{schemas.InTransit, "InTransit_Other", "In transit", ""},
		{schemas.OutForDelivery, "OutForDelivery_Other", "Out for delivery", "OutForDelivery"},
		{schemas.DeliveryAttempted, "DeliveryFailure_NoBody", "Delivery attempted, recipient absent", ""},
		{schemas.AvailableForPickup, "AvailableForPickup_Other", "Available for pickup", "AvailableForPickup"},
		{schemas.Delivered, "Delivered_Other", "Delivered", "Delivered"},
		{schemas.Lost, "Exception_Lost", "Parcel lost", ""},
		{schemas.Cancelled, "Exception_Cancel", "Shipment cancelled", ""},
		{schemas.ReturnStarted, "Exception_Returning", "Returning to sender", "Returning"},
		{schemas.Returned, "Exception_Returned", "Returned to sender", "Returned"},
	},
	usps: {
		{schemas.LabelCreated, "GX", "Shipping Label Created, USPS Awaiting Item", ""},
		{schemas.DestinationFacilityArrived, "10", "Arrived at USPS Regional Destination Facility", ""},
		{schemas.DestinationFacilityArrived, "A1", "Arrived at USPS Regional Facility", ""},
		{schemas.DestinationFacilityDeparted, "T1", "Departed USPS Regional Facility", ""},
		{schemas.InTransit, "TL", "In Transit to Next Facility", ""},
		{schemas.DeliveryFacilityArrived, "07", "Arrived at Post Office", ""},
		{schemas.OutForDelivery, "OF", "Out for Delivery", ""},
		{schemas.Delivered, "01", "Delivered, In/At Mailbox", ""},
		{schemas.Delivered, "01", "Delivered, Parcel Locker", ""},
	},
	royalmail: {
		{schemas.Accepted, "EVPPA", "Accepted at Post Office", ""},
		{schemas.InTransit, "EVIMC", "Item in transit", ""},
		{schemas.DeliveryFacilityArrived, "EVDAC", "Arrived at Delivery Office", ""},
		{schemas.Misrouted, "EVNMI", "Forwarded - Mis-sort", ""},
		{schemas.OutForDelivery, "EVGPD", "Out for delivery", ""},
		{schemas.Delivered, "EVKSP", "Delivered", ""},
	},
	canadapost: {
		{schemas.LabelCreated, "3000", "Order information received by Canada Post", ""},
		{schemas.DestinationFacilityArrived, "0100", "Item processed at postal facility", ""},
		{schemas.AddressIssue, "0173", "Customer addressing error found; attempting to correct. Possible delay", ""},
		{schemas.OutForDelivery, "0174", "Item out for delivery", ""},
		{schemas.OutForDelivery, "0500", "Out for delivery", ""},
		{schemas.DeliveryAttempted, "1479", "Attempted delivery. Notice card left indicating where item can be picked up.", ""},
		{schemas.AvailableForPickup, "1701", "Item available for pickup at Post Office", ""},
		{schemas.Delivered, "1496", "Item successfully delivered", ""},
		{schemas.Delivered, "1498", "Item successfully delivered", ""},
		{schemas.Info, "20", "Signature image recorded for Online viewing", ""},
	},
	dhlExpress: {
		{schemas.DestinationFacilityArrived, "AF", "Arrived at DHL facility in ", "place"},
		{schemas.DestinationFacilityDeparted, "DF", "Departed from DHL facility in ", "place"},
		{schemas.DeliveryFacilityArrived, "AR", "Arrived at DHL facility in ", "place"},
		{schemas.OutForDelivery, "WC", "With delivery courier", ""},
		{schemas.DeliveryAttempted, "NH", "Delivery attempted; recipient not home", ""},
		{schemas.Delivered, "OK", "Shipment delivered", ""},
	},
	ups: {
		{schemas.LabelCreated, "MP", "Shipper created a label, UPS has not received the package yet.", "M"},
		{schemas.Accepted, "PU", "Pickup Scan", "P"},
		{schemas.OutForDelivery, "OT", "Out for Delivery", "I"},
		{schemas.InTransit, "DP", "Departed from Facility", "I"},
		{schemas.InTransit, "AR", "Arrived at Facility", "I"},
		{schemas.Delivered, "FS", "Delivered", "D"},
	},
	fedex: {
		{schemas.LabelCreated, "OC", "Shipment information sent to FedEx", "CUSTOMER"},
		{schemas.Accepted, "PU", "Picked up", "PICKUP_LOCATION"},
		{schemas.InTransit, "IT", "On the way", "VEHICLE"},
		{schemas.DeliveryFacilityArrived, "AF", "At local FedEx facility", "FEDEX_FACILITY"},
		{schemas.OutForDelivery, "OD", "On FedEx vehicle for delivery", "VEHICLE"},
		{schemas.AvailableForPickup, "HP", "Ready for recipient pickup", "DESTINATION_FEDEX_FACILITY"},
		{schemas.Delivered, "DL", "Delivered", "DELIVERY_LOCATION"},
		{schemas.Info, "AO", "Shipment arriving On-Time", "PICKUP_LOCATION"},
	},
}

// unknown are codes that no vocabulary has: a mapping must keep them and must
// not guess.
var unknown = code{schemas.Unmapped, "ZQ7", "Ref 7Q", ""}

// advice is what announces a parcel to the last mile, with a place in the
// destination country, before the parcel has left: no scan of the parcel.
var advice = [feeds]code{
	yunexpress: {schemas.LabelCreated, "PRE_ADVICING", "Pre-advice sent to the last mile carrier", "N"},
	fourpx:     {schemas.LabelCreated, "FPX_O_IR", "Order data transmitted", "O"},
	usps:       {schemas.LabelCreated, "GX", "Shipping Label Created, USPS Awaiting Item", ""},
	canadapost: {schemas.LabelCreated, "3000", "Order information received by Canada Post", ""},
}

// Scans name their code by its place in codes, or by one of these.
const (
	codeUnknown = 255
	codeAdvice  = 254
)

func codeOf(f feed, i uint8) *code {
	switch i {
	case codeUnknown:
		return &unknown
	case codeAdvice:
		return &advice[f]
	}
	return &codes[f][i]
}

// span is where a feed's codes for one milestone stand in codes: side by side.
type span struct{ first, n uint8 }

// spans is never changed.
var spans = func() (all [feeds][schemas.Info + 1]span) {
	for f := range codes {
		for i, c := range codes[f] {
			s := &all[f][c.milestone]
			if s.n++; s.n == 1 {
				s.first = uint8(i)
			}
		}
	}
	return all
}()

// pick returns one of the feed's codes for a milestone, and false when the feed
// never reports it.
func pick(f feed, m schemas.Milestone, r *random) (uint8, bool) {
	s := spans[f][m]
	if s.n < 2 {
		return s.first, s.n == 1
	}
	return s.first + uint8(r.below(int(s.n))), true
}
