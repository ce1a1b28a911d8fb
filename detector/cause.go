package detector

import "scantrail/schemas"

// occasion is what the likely cause of an alert depends on, beside its rule:
// where the parcel was when the anchor happened, and where it is now. Milestones
// are 0 where there is none.
type occasion struct {
	stage    schemas.Milestone // furthest forward progress up to the anchor
	at       schemas.Milestone // of the last progress up to the anchor
	furthest schemas.Milestone // furthest forward progress altogether
	last     schemas.Milestone // of the last progress altogether
	back     bool              // the way back had begun by the anchor
	order    bool              // the alert is on an order, which has no parcel yet
	held     bool              // the carrier's feed stands still
}

// causeOf names the likely cause of an alert at one of its transitions, out of
// the closed set of schemas.Cause....
func causeOf(w *wanted, o *occasion) string {
	lasts := w.status != schemas.AlertResolved
	if o.held && lasts && (w.family == gapFamily || w.family == stageStalled) {
		return schemas.CauseFeedSilent
	}
	switch f := w.family; {
	case f == gapFamily:
		return silentIn(o)
	case f < firstRuleFamily:
		if m := o.furthest; m > f.missing() && m != schemas.InTransit {
			return schemas.CauseMilestoneNotReported
		}
		return schemas.CauseMilestoneOverdue
	case f == stageStalled:
		return stuckIn(o)
	case f == undeliverable || f == exceptional:
		if c := troubleOf(o.at); c != "" {
			return c
		}
		return schemas.CauseStopped
	case f >= pickupLate && f <= mismatchNotDelivered:
		return lateBy(f, lasts, o)
	}
	return fixedCause(w.family)
}

// fixedCause is the cause of rules that say it all.
func fixedCause(f family) string {
	switch f {
	case firstScanUploadLate:
		return schemas.CauseUploadedLate
	case virtualNoOrigin:
		return schemas.CauseNoOriginLeg
	case virtualAbroad:
		return schemas.CauseStartsAbroad
	case numberCheck:
		return schemas.CauseNumberFormat
	case numberReused:
		return schemas.CauseNumberReused
	case numberBeforeOrder:
		return schemas.CauseScansBeforeOrder
	case numberDestination:
		return schemas.CauseOtherDestination
	case numberPostcode:
		return schemas.CauseOtherPostcode
	case channelNotCompliant:
		return schemas.CauseChannelNotApproved
	case labelNotPlatform:
		return schemas.CauseLabelBySeller
	case mismatchNotMarkedShipped, mismatchNotMarkedDelivered:
		return schemas.CauseOrderStatusBehind
	case cancelUnhandled:
		return schemas.CauseCancelUnanswered
	case feedStale:
		return schemas.CauseFeedSilent
	case feedLate:
		return schemas.CauseFeedLate
	case feedKeyExpiring:
		return schemas.CauseKeyExpiring
	}
	return schemas.CauseShopLate // confirm_late, label_late
}

// troubleOf is what a milestone says is wrong, "" for one that is well.
func troubleOf(m schemas.Milestone) string {
	switch m {
	case schemas.PickupFailed:
		return schemas.CausePickupFailed
	case schemas.ExportCustomsHeld, schemas.ExportRejected, schemas.ImportCustomsHeld, schemas.ImportRejected, schemas.Seized:
		return schemas.CauseCustomsHold
	case schemas.DeliveryAttempted:
		return schemas.CauseAttemptFailed
	case schemas.AvailableForPickup:
		return schemas.CauseNotCollected
	case schemas.AddressIssue:
		return schemas.CauseAddressIssue
	case schemas.Held:
		return schemas.CauseHeld
	case schemas.Delayed:
		return schemas.CauseDelayed
	case schemas.Misrouted:
		return schemas.CauseMisrouted
	case schemas.Damaged, schemas.Lost, schemas.Destroyed:
		return schemas.CauseLostOrDamaged
	case schemas.ReturnStarted:
		return schemas.CauseReturning
	}
	return ""
}

// silentIn names the silence that began at the anchor.
func silentIn(o *occasion) string {
	if o.at == schemas.ReturnStarted || o.at == schemas.ReturnInTransit {
		return schemas.CauseSilentReturn
	}
	if c := troubleOf(o.at); c != "" {
		return c
	}
	if o.back {
		return schemas.CauseSilentReturn
	}
	switch o.stage.Stage() {
	case schemas.StageOrigin:
		return schemas.CauseSilentAfterPickup
	case schemas.StageExport:
		return schemas.CauseSilentExportCustoms
	case schemas.StageLinehaul:
		return schemas.CauseSilentLinehaul
	case schemas.StageArrival:
		return schemas.CauseSilentAfterArrival
	case schemas.StageImport:
		return schemas.CauseSilentImportCustoms
	case schemas.StageDestination, schemas.StageDelivery:
		return schemas.CauseSilentLastMile
	}
	return schemas.CauseMissedPickupScan // updates, but no station yet
}

// stuckIn names the stay in a stage in spite of updates.
func stuckIn(o *occasion) string {
	if o.at == schemas.ReturnStarted || o.at == schemas.ReturnInTransit {
		return schemas.CauseStuckReturn
	}
	if c := troubleOf(o.last); c != "" {
		return c
	}
	switch o.stage.Stage() {
	case schemas.StageExport:
		return schemas.CauseStuckExportCustoms
	case schemas.StageLinehaul:
		return schemas.CauseStuckLinehaul
	case schemas.StageArrival:
		return schemas.CauseStuckArrival
	case schemas.StageImport:
		return schemas.CauseStuckImportCustoms
	case schemas.StageDestination, schemas.StageDelivery:
		return schemas.CauseStuckLastMile
	}
	return schemas.CauseStuckOrigin
}

// lateBy names who is late: the shop until there is a number, then whoever did
// not scan the parcel, then the carrier that has it.
func lateBy(f family, lasts bool, o *occasion) string {
	switch {
	case o.order && f == mismatchNotScanned:
		return schemas.CauseMarkedWithoutScan
	case o.order:
		return schemas.CauseShopLate
	case f == mismatchNotDelivered:
		return schemas.CauseDeliveryNotSeen
	case f == deliveredLate && o.furthest != 0:
		if c := troubleOf(o.last); c != "" && lasts {
			return c
		}
		return schemas.CauseCarrierLate
	case !lasts && o.furthest != 0:
		return schemas.CausePickedUpLate
	case o.last == schemas.PickupFailed:
		return schemas.CausePickupFailed
	case o.furthest != 0:
		return schemas.CauseMissedPickupScan
	case f == mismatchNotScanned:
		return schemas.CauseMarkedWithoutScan
	}
	return schemas.CauseNoScanSinceLabel
}
