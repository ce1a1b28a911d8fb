package schemas

// AdviceCase is one line of Advice as a table: it answers where each of Rule,
// Detail and Cause that is not empty is the alert's.
type AdviceCase struct{ Rule, Detail, Cause, Advice string }

// AdviceCases is Advice as a table, of which the first line that fits counts:
// for places, such as SQL, that cannot call it.
func AdviceCases() []AdviceCase {
	cases := []AdviceCase{
		{Rule: RuleGap72h, Cause: CauseSilentAfterPickup},
		{Rule: RuleShippedLate, Cause: CauseShopLate},
		{Rule: RulePickupLate, Cause: CauseShopLate},
		{Rule: RuleLabelLate},
		{Rule: RuleConfirmLate},
		{Rule: RuleCarrierPickupLate, Cause: CauseNoScanSinceLabel},
		{Rule: RuleStatusMismatch, Detail: "not_marked_delivered"},
	}
	for _, cause := range Causes() {
		cases = append(cases, AdviceCase{Cause: cause})
	}
	for i := range cases {
		c := &cases[i]
		c.Advice = Advice(c.Rule, c.Detail, c.Cause)
	}
	return cases
}

// Causes are all that alerts may carry.
func Causes() []string {
	return []string{
		CauseNoScanSinceLabel, CauseMissedPickupScan, CausePickupFailed, CausePickedUpLate,
		CauseSilentAfterPickup, CauseSilentExportCustoms, CauseSilentLinehaul, CauseSilentAfterArrival,
		CauseSilentImportCustoms, CauseSilentLastMile, CauseSilentReturn, CauseStuckOrigin,
		CauseStuckExportCustoms, CauseStuckLinehaul, CauseStuckArrival, CauseStuckImportCustoms,
		CauseStuckLastMile, CauseStuckReturn, CauseNotCollected, CauseAttemptFailed,
		CauseCustomsHold, CauseAddressIssue, CauseHeld, CauseDelayed,
		CauseMisrouted, CauseLostOrDamaged, CauseReturning, CauseStopped,
		CauseMilestoneNotReported, CauseMilestoneOverdue, CauseUploadedLate, CauseNoOriginLeg,
		CauseStartsAbroad, CauseNumberFormat, CauseNumberReused, CauseScansBeforeOrder,
		CauseOtherDestination, CauseOtherPostcode, CauseChannelNotApproved, CauseLabelBySeller,
		CauseShopLate, CauseCarrierLate, CauseMarkedWithoutScan, CauseDeliveryNotSeen,
		CauseOrderStatusBehind, CauseCancelUnanswered, CauseFeedSilent, CauseFeedLate,
		CauseKeyExpiring, CauseLaneDisrupted, CauseShopTrails, CauseShopScore,
		CauseShopPickups, CauseShopConfirms,
	}
}
