package schemas

// Likely causes that alerts carry: what an operator would conclude from the rule
// and from where the parcel was. The set is closed; Advice explains each.
const (
	CauseNoScanSinceLabel     = "no_scan_since_label"
	CauseMissedPickupScan     = "missed_pickup_scan"
	CausePickupFailed         = "pickup_failed"
	CausePickedUpLate         = "picked_up_late"
	CauseSilentAfterPickup    = "silent_after_pickup"
	CauseSilentExportCustoms  = "silent_in_export_customs"
	CauseSilentLinehaul       = "silent_in_linehaul"
	CauseSilentAfterArrival   = "silent_after_arrival"
	CauseSilentImportCustoms  = "silent_in_import_customs"
	CauseSilentLastMile       = "silent_in_last_mile"
	CauseSilentReturn         = "silent_on_return"
	CauseStuckOrigin          = "stuck_at_origin"
	CauseStuckExportCustoms   = "stuck_in_export_customs"
	CauseStuckLinehaul        = "stuck_in_linehaul"
	CauseStuckArrival         = "stuck_after_arrival"
	CauseStuckImportCustoms   = "stuck_in_import_customs"
	CauseStuckLastMile        = "stuck_in_last_mile"
	CauseStuckReturn          = "stuck_on_return"
	CauseNotCollected         = "not_collected"
	CauseAttemptFailed        = "attempt_failed"
	CauseCustomsHold          = "customs_hold"
	CauseAddressIssue         = "address_issue"
	CauseHeld                 = "held_by_carrier"
	CauseDelayed              = "delayed_by_carrier"
	CauseMisrouted            = "misrouted"
	CauseLostOrDamaged        = "lost_or_damaged"
	CauseReturning            = "return_started"
	CauseStopped              = "stopped_by_carrier"
	CauseMilestoneNotReported = "milestone_not_reported"
	CauseMilestoneOverdue     = "milestone_overdue"
	CauseUploadedLate         = "scan_uploaded_late"
	CauseNoOriginLeg          = "no_origin_leg"
	CauseStartsAbroad         = "trail_starts_abroad"
	CauseNumberFormat         = "number_format_wrong"
	CauseNumberReused         = "number_reused"
	CauseScansBeforeOrder     = "scans_before_order"
	CauseOtherDestination     = "other_destination"
	CauseOtherPostcode        = "other_postcode"
	CauseChannelNotApproved   = "channel_not_approved"
	CauseLabelBySeller        = "label_by_seller"
	CauseShopLate             = "shop_late"
	CauseCarrierLate          = "carrier_late"
	CauseMarkedWithoutScan    = "marked_without_scan"
	CauseDeliveryNotSeen      = "delivery_not_seen"
	CauseOrderStatusBehind    = "order_status_behind"
	CauseCancelUnanswered     = "cancel_unanswered"
	CauseFeedSilent           = "carrier_feed_silent"
	CauseFeedLate             = "carrier_uploads_late"
	CauseKeyExpiring          = "key_expiring"
	CauseLaneDisrupted        = "lane_disrupted"
	CauseShopTrails           = "shop_trails_incomplete"
	CauseShopScore            = "shop_score_low"
	CauseShopPickups          = "shop_pickups_late"
	CauseShopConfirms         = "shop_confirms_late"
)

// Advice says in one or two English sentences what to do about an alert, "" for
// a rule that is none. The cause decides; where a rule demands something else
// for the same cause, the rule does. What the rules cost is in the documentation.
func Advice(rule, detail, cause string) string {
	if s := ruleAdvice(rule, detail, cause); s != "" {
		return s
	}
	if s := trailAdvice(cause); s != "" {
		return s
	}
	return orderAdvice(cause)
}

// ruleAdvice answers where the cause alone does not say enough.
func ruleAdvice(rule, detail, cause string) string {
	switch {
	case rule == RuleGap72h && cause == CauseSilentAfterPickup:
		return "The buyer may claim a refund now. Compare with the carrier's own site: scans there mean a broken hand-over, none mean that the parcel is stuck where it was picked up."
	case rule == RuleShippedLate && cause == CauseShopLate:
		return "Ship the order today, or agree on a cancellation with the buyer: it counts as shipped late."
	case rule == RulePickupLate && cause == CauseShopLate:
		return "The order has no tracking number yet: make the label and hand the parcel over today."
	case rule == RuleLabelLate:
		return "Make the label and set the order to ready to ship today: it counts as shipped late."
	case rule == RuleConfirmLate:
		return "Confirm the order now: orders that stay unconfirmed are cancelled and cost credit points."
	case rule == RuleCarrierPickupLate && cause == CauseNoScanSinceLabel:
		return "The platform's carrier has not collected the parcel: complain to the logistics provider, with the time since which it is ready to ship."
	case rule == RuleStatusMismatch && detail == "not_marked_delivered":
		return "The carrier has delivered: set the order to delivered, and check the interface that should have done it."
	}
	return ""
}

// trailAdvice answers for causes that lie on the way of the parcel.
func trailAdvice(cause string) string {
	switch cause {
	case CauseNoScanSinceLabel:
		return "There is no scan since the label: ask the carrier whether it has the parcel, since a missed pickup scan looks the same as a parcel that was never handed over."
	case CauseMissedPickupScan:
		return "The parcel moves, but nobody scanned its pickup: ask the carrier to supply the pickup scan."
	case CausePickupFailed:
		return "The carrier came and could not collect the parcel: arrange another pickup and check the address and opening hours of the warehouse."
	case CausePickedUpLate:
		return "The parcel was picked up too late: compare the time of hand-over with the first scan, and complain to whoever was late."
	case CauseSilentAfterPickup:
		return "Picked up, then silent: compare with the carrier's own site. Scans there mean a broken hand-over, none mean that the parcel is stuck at the origin."
	case CauseSilentExportCustoms:
		return "Silent in export customs: ask the carrier for the status of the declaration and whether documents are missing."
	case CauseSilentLinehaul:
		return "Silent on the line-haul: ask the carrier for the flight or vessel and its planned arrival."
	case CauseSilentAfterArrival:
		return "Silent since the arrival: ask the carrier whether the parcel has been unloaded and presented to customs."
	case CauseSilentImportCustoms:
		return "Silent in import customs: ask the broker whether documents, duty or an inspection hold the parcel back."
	case CauseSilentLastMile:
		return "Silent on the last mile: give the last-mile carrier the number and the last scan, and tell the buyer before the buyer asks."
	case CauseSilentReturn:
		return "Silent on the way back: ask the carrier where the return is, and settle the refund with the buyer."
	case CauseStuckOrigin:
		return "There are updates, but the parcel does not leave the origin: ask the carrier why it was not put on a line-haul."
	case CauseStuckExportCustoms:
		return "There are updates, but export is not cleared: ask the carrier what the declaration lacks."
	case CauseStuckLinehaul:
		return "There are updates, but the parcel does not arrive: ask the carrier for the planned arrival, and whether it missed its connection."
	case CauseStuckArrival:
		return "The parcel has arrived, but customs has not begun: ask the broker when it will be presented."
	case CauseStuckImportCustoms:
		return "There are updates, but import is not cleared: ask the broker what is missing, and supply it."
	case CauseStuckLastMile:
		return "There are updates, but no delivery: ask the last-mile carrier for a date, and check the address with the buyer."
	case CauseStuckReturn:
		return "The return does not get on: ask the carrier for its whereabouts."
	case CauseNotCollected:
		return "The parcel waits at a pickup point: remind the buyer before it goes back."
	case CauseFeedSilent:
		return "The carrier's whole feed is silent, so the hand-over failed and not the parcel: check the authorisation and its expiry, then file a tracking sync issue with the numbers attached."
	case CauseFeedLate:
		return "What the carrier sends is older than usual at this hour, so alerts of its parcels may be withdrawn later: ask the carrier what holds up its uploads, and check how often its interface is asked."
	case CauseKeyExpiring:
		return "The key of the carrier's feed ends 14 days after anchor_at, and the feed falls silent then: renew the authorisation, and state the new term with scantrail policy key."
	case CauseLaneDisrupted:
		return "Many parcels of this lane are silent at the same stage: ask the line-haul operator or the customs broker what holds them up and until when, and tell the shops."
	}
	return troubleAdvice(cause)
}

// troubleAdvice answers for what carriers report as going wrong.
func troubleAdvice(cause string) string {
	switch cause {
	case CauseAttemptFailed:
		return "A delivery was attempted and failed: confirm address and date with the buyer, and file a re-delivery ticket."
	case CauseCustomsHold:
		return "Customs holds or rejects the parcel: ask the broker which document or duty is missing, and supply it today."
	case CauseAddressIssue:
		return "The address does not work: confirm it with the buyer, and file a re-delivery ticket with the correction."
	case CauseHeld:
		return "The carrier holds the parcel: ask why, and what it needs to go on."
	case CauseDelayed:
		return "The carrier reports a delay: ask for the new date, and tell the buyer."
	case CauseMisrouted:
		return "The parcel went the wrong way: ask the carrier to route it anew, and for the new date."
	case CauseLostOrDamaged:
		return "The parcel is lost or damaged: open a claim with the carrier, and offer the buyer a replacement or a refund."
	case CauseReturning:
		return "The parcel is on its way back: find out why, and settle with the buyer whether to send it again."
	case CauseStopped:
		return "The carrier reports that the delivery cannot be completed: ask for the reason, and contact the buyer."
	case CauseMilestoneNotReported:
		return "A later station was scanned, so the parcel passed this one: ask the carrier to supply the missing scan, which repairs the trail."
	case CauseMilestoneOverdue:
		return "The parcel should have been here by now: ask the carrier where it is, and when this station will be reached."
	case CauseUploadedLate:
		return "The carrier reported its first scan late: ask it to upload at pickup, and check when the feed was last authorised."
	}
	return ""
}

// orderAdvice answers for causes that lie with the order, its label or number.
func orderAdvice(cause string) string {
	switch cause {
	case CauseNoOriginLeg:
		return "The trail has no scan in the country of origin: ask the carrier to supply the first leg, or correct the origin, since this looks like a virtual warehouse."
	case CauseStartsAbroad:
		return "The order is sold as local stock, but its trail starts abroad: correct the listing's origin, since this looks like a virtual warehouse."
	case CauseNumberFormat:
		return "The number fails the carrier's check: correct number and carrier in the order before it is judged a fake shipment."
	case CauseNumberReused:
		return "The number belongs to another order too: give each order its own, before it is judged a fake shipment."
	case CauseScansBeforeOrder:
		return "The trail begins before the order: the number belongs to another parcel, or was reused. Correct it in the order."
	case CauseOtherDestination:
		return "The trail goes to another country than the order: check whether two numbers were swapped."
	case CauseOtherPostcode:
		return "Delivered at another postcode than the order's: check whether two numbers were swapped, and ask the carrier for the proof of delivery."
	case CauseChannelNotApproved:
		return "The carrier is not among the approved channels: ship with an approved one, or have this one approved."
	case CauseLabelBySeller:
		return "The label was not made by the platform, which is judged a fake shipment: make labels in the platform only."
	case CauseShopLate:
		return "The shop is late: have the order shipped and its status updated today."
	case CauseCarrierLate:
		return "The carrier is late: ask it for the delivery date, and tell the buyer or have the promise extended."
	case CauseMarkedWithoutScan:
		return "The order is marked shipped, but no carrier has the parcel: hand it over, or correct number and status."
	case CauseDeliveryNotSeen:
		return "The order is marked delivered, but the trail is not: ask the carrier for the proof of delivery, or correct the status."
	case CauseOrderStatusBehind:
		return "The carrier has the parcel: set the order to shipped, and check the interface that should have done it."
	case CauseCancelUnanswered:
		return "Answer the buyer's request to cancel now: unanswered ones are cancelled automatically."
	}
	return shopAdvice(cause)
}

// shopAdvice answers for what a whole shop's week of orders leads to.
func shopAdvice(cause string) string {
	switch cause {
	case CauseShopTrails:
		return "The trails of this week's orders are less complete than the marketplace requires: score_explain lists the missing scans by carrier. Have them supplied, since scans that come late restate the week."
	case CauseShopScore:
		return "The logistics score of this week's orders is below the one required, which costs 35 % of the search exposure: score_explain lists what costs the most points, and whose fault it is. Mend that first."
	case CauseShopPickups:
		return "Too few parcels were picked up in time for two weeks running: hand over earlier, and complain about collections that came late. score_explain says whose fault each late pickup is."
	case CauseShopConfirms:
		return "More orders of this week were confirmed late than the marketplace allows: confirm orders the day they come, or have the interface do it, before the shop is restricted."
	}
	return ""
}
