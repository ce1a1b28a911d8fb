package detector

import "scantrail/schemas"

// family tells the rules of alerts apart: 0 is the gap, the number of a milestone
// says that it is missing, and what lies above all milestones is any other
// rule, or one case of it.
type family uint8

const (
	gapFamily family = 0

	firstRuleFamily family = 200
)

const (
	stageStalled family = firstRuleFamily + iota
	undeliverable
	exceptional
	firstScanUploadLate
	virtualNoOrigin
	virtualAbroad
	numberCheck
	numberReused
	numberBeforeOrder
	numberDestination
	numberPostcode
	channelNotCompliant
	labelNotPlatform
	pickupLate
	carrierPickupLate
	shippedLate
	deliveredLate
	mismatchNotScanned
	mismatchNotDelivered
	mismatchNotMarkedShipped
	mismatchNotMarkedDelivered
	confirmLate
	labelLate
	cancelUnhandled
	feedStale
	feedLate
	feedKeyExpiring
	familiesEnd
)

// ruleFamilies spells the rule and the case of each family from
// firstRuleFamily on.
var ruleFamilies = [...]struct{ rule, detail string }{
	{schemas.RuleStageStalled, ""},
	{schemas.RuleUndeliverable, ""},
	{schemas.RuleException, ""},
	{schemas.RuleFirstScanUploadLate, ""},
	{schemas.RuleVirtualWarehouse, "no_origin"},
	{schemas.RuleVirtualWarehouse, "abroad"},
	{schemas.RuleNumberInvalid, "check"},
	{schemas.RuleNumberInvalid, "reused"},
	{schemas.RuleNumberInvalid, "before_order"},
	{schemas.RuleNumberInvalid, "destination"},
	{schemas.RuleNumberInvalid, "postcode"},
	{schemas.RuleChannelNotCompliant, ""},
	{schemas.RuleLabelNotPlatform, ""},
	{schemas.RulePickupLate, ""},
	{schemas.RuleCarrierPickupLate, ""},
	{schemas.RuleShippedLate, ""},
	{schemas.RuleDeliveredLate, ""},
	{schemas.RuleStatusMismatch, "shipped_not_scanned"},
	{schemas.RuleStatusMismatch, "delivered_not_seen"},
	{schemas.RuleStatusMismatch, "not_marked_shipped"},
	{schemas.RuleStatusMismatch, "not_marked_delivered"},
	{schemas.RuleConfirmLate, ""},
	{schemas.RuleLabelLate, ""},
	{schemas.RuleCancelUnhandled, ""},
	{schemas.RuleFeedStale, ""},
	{schemas.RuleFeedStale, schemas.DetailUploadLag},
	{schemas.RuleFeedStale, schemas.DetailKeyExpiring},
}

// name spells the family in alert ids: "gap", "milestone_missing:NAME", RULE or
// RULE:DETAIL.
func (f family) name() string { return familyNames[f] }

var familyNames = func() (t [256]string) {
	t[gapFamily] = "gap"
	for _, m := range schemas.Milestones() {
		if m != schemas.Unmapped {
			t[m] = schemas.RuleMilestoneMissing + ":" + m.String()
		}
	}
	for i, r := range ruleFamilies {
		t[int(firstRuleFamily)+i] = r.rule
		if r.detail != "" {
			t[int(firstRuleFamily)+i] += ":" + r.detail
		}
	}
	return t
}()

// missing returns the milestone whose absence the family is, unmapped for any
// other rule.
func (f family) missing() schemas.Milestone {
	if f < firstRuleFamily {
		return schemas.Milestone(f)
	}
	return schemas.Unmapped
}

// rule spells the rule that alerts of the family carry at a level.
func (f family) rule(level uint8) (rule, detail string) {
	switch {
	case f >= firstRuleFamily:
		r := ruleFamilies[f-firstRuleFamily]
		return r.rule, r.detail
	case f != gapFamily:
		return schemas.RuleMilestoneMissing, ""
	case level >= 2:
		return schemas.RuleGap72h, ""
	}
	return schemas.RuleGap48h, ""
}
