package webhook

import "scantrail/schemas"

// rules are those that alerts can have: a filter that names another would let
// nothing pass.
func rules() []string {
	return []string{
		schemas.RuleGap48h, schemas.RuleGap72h, schemas.RuleMilestoneMissing, schemas.RuleStageStalled,
		schemas.RuleUndeliverable, schemas.RuleException, schemas.RuleFirstScanUploadLate, schemas.RuleVirtualWarehouse,
		schemas.RuleNumberInvalid, schemas.RuleChannelNotCompliant, schemas.RuleLabelNotPlatform, schemas.RulePickupLate,
		schemas.RuleCarrierPickupLate, schemas.RuleShippedLate, schemas.RuleDeliveredLate, schemas.RuleStatusMismatch,
		schemas.RuleConfirmLate, schemas.RuleLabelLate, schemas.RuleCancelUnhandled, schemas.RuleFeedStale,
		schemas.RuleLaneDisruption, schemas.RuleCompletenessLow, schemas.RuleLTSLow, schemas.RuleShipKPITwoWeeks, schemas.RuleConfirmLateRate,
	}
}
