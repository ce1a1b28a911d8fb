package main

import (
	"time"

	"scantrail/schemas"
)

// codes is how YunExpress says the milestones of the world. What it has no code
// for takes the one that no rule tells from it: the next station, or an exception
// of no further meaning.
var codes = map[schemas.Milestone][2]string{
	schemas.LabelCreated:               {"PRE_INFO", "Shipment information received"},
	schemas.Accepted:                   {"PICKED_UP", "Parcel picked up"},
	schemas.OriginFacilityArrived:      {"FIRST_MILE_ARRIVE", "Arrived at first mile facility"},
	schemas.OriginFacilityDeparted:     {"FIRST_MILE_DEPART", "Departed from first mile facility"},
	schemas.ExportCustomsStarted:       {"ARRIVE_ORIN_CUSTOMS", "Arrived at export customs"},
	schemas.ExportCleared:              {"EXPORT_CUSTOMS_COMPLETE", "Export customs clearance completed"},
	schemas.HandedToLinehaul:           {"MAIN_LINE_DEPART", "Handed over to airline"},
	schemas.DepartedOrigin:             {"MAIN_LINE_DEPART", "International flight has departed"},
	schemas.InTransit:                  {"IN_TRANSIT", "In transit"},
	schemas.ArrivedDestination:         {"MAIN_LINE_ARRIVE", "International flight has arrived"},
	schemas.ImportCustomsStarted:       {"CUSTOMS_PROCESSING", "Import customs clearance in progress"},
	schemas.ImportCustomsHeld:          {"CUSTOMS_HOLD", "Held by import customs"},
	schemas.ImportCleared:              {"CUSTOMS_COMPLETE", "Import customs clearance completed"},
	schemas.HandedToLastMile:           {"TRANSITHUB_ARRIVE", "Handed over to the last mile carrier"},
	schemas.DestinationFacilityArrived: {"CARRIER_PICKUP", "Arrived at carrier facility"},
	// The three differ from one another in their texts alone.
	schemas.DestinationFacilityDeparted: {"CARRIER_PICKUP", "Departed carrier facility"},
	schemas.DeliveryFacilityArrived:     {"CARRIER_PICKUP", "Arrived at delivery facility"},
	schemas.OutForDelivery:              {"OUT_FOR_DELIVERY", "Out for delivery"},
	schemas.DeliveryAttempted:           {"DELIVERY_FAILURE", "Delivery failed, recipient absent"},
	schemas.AvailableForPickup:          {"READY_FOR_PICKUP", "Ready for pickup by the recipient"},
	schemas.Delivered:                   {"DELIVERED", "Delivered"},
	schemas.AddressIssue:                {"PACKAGE_EXCEPTION", "Package exception"},
	schemas.Misrouted:                   {"PACKAGE_EXCEPTION", "Package exception"},
	schemas.Lost:                        {"PACKAGE_LOST", "Parcel lost"},
	schemas.ReturnStarted:               {"RETURNED_BACK", "Returning to sender"},
	schemas.Returned:                    {"RETURNED", "Returned to sender"},
	schemas.Info:                        {"EDD", "Estimated delivery date"},
	schemas.Unmapped:                    {"ZQ7", "Ref 7Q"},
}

// lane is what the carrier knows of a parcel besides its scans.
type lane struct{ origin, destination, order string }

// appendPush appends the push of one scan, as YunExpress sends it. Nothing in the
// world needs escaping in JSON.
func appendPush(b []byte, number string, l lane, code [2]string, at time.Time, country, city string) []byte {
	add := func(parts ...string) {
		for _, p := range parts {
			b = append(b, p...)
		}
	}
	add(`{"waybill_number":"`, number, `","tracking_number":"","customer_order_number":"`, l.order,
		`","product_code":"THPHR","origin_country_code":"`, l.origin, `","country_code":"`, l.destination,
		`","package_status":"T","track_events":[{"process_time":"`)
	b = at.AppendFormat(b, "2006-01-02T15:04:05")
	add(`","time_zone":"UTC`)
	b = at.AppendFormat(b, "-07:00")
	add(`","track_node_code":"`, code[0], `","process_content":"`, code[1], `","process_location":"`, city,
		`","process_country":"`, country, `","process_city":"`, city, `"}]}`)
	return b
}
