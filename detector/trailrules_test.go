package detector

import "testing"

func TestGapOverrides(t *testing.T) {
	runCases(t, `
gap:
  at_risk: 36h
  open: 48h
  escalate: 72h
  overrides:
    - {stages: [linehaul, export], lanes: [CN-*], at_risk: 200h, open: 240h, escalate: 480h}
    - {stages: [linehaul], at_risk: 90h, open: 96h, escalate: 120h}
    - {stages: [origin], at_risk: 10h, open: 12h, escalate: 24h}
`, []ruleCase{
		{"at the limit of the stage", "scan 0h accepted\nscan 12h departed_origin", "13h", "gap resolved 0h 12h\nwake 102h"},
		{"before it", "scan 0h accepted\nscan 11h59m59s departed_origin", "13h", "wake 101h59m59s"},
		{"escalated in its stage", "scan 0h accepted", "24h", "gap escalated 0h"},
		{"no stage yet: the three of the rule", "scan 0h pickup_failed\nscan 47h59m59s accepted", "48h", "wake 57h59m59s"},
		{"second override", "scan 0h departed_origin", "96h", "gap open 0h\nwake 120h"},
		{"first override by the lane", "scan 0h departed_origin lane=CN-GB", "96h", "wake 200h"},
		{"lane known from a later fact, ignored or not", "scan 0h departed_origin\nscan 100h delivered\nscan 101h info lane=CN-GB", "102h", ""},
		{"lane of the order goes first", "scan 0h departed_origin lane=CN-GB\norder 0h label_created lane=DE-GB", "96h", "gap open 0h\nwake 120h"},
		{"stage at the second itself", "scan 0h accepted\nscan 0h departed_origin\nscan 12h in_transit", "13h", "wake 102h"},
	})
}

func TestGapClockPhysical(t *testing.T) {
	runCases(t, `
gap:
  clock: physical
  at_risk: 36h
  open: 48h
  escalate: 72h
  overrides:
    - {stages: [export], at_risk: 1h, open: 2h, escalate: 3h}
`, []ruleCase{
		{"customs do not end the silence", "scan 0h accepted\nscan 24h export_cleared\nscan 50h departed_origin", "51h", "gap resolved 0h 50h\nwake 86h"},
		{"nor does it take their stage", "scan 0h accepted\nscan 24h export_cleared", "37h", "gap at_risk 0h\nwake 48h"},
		{"the end does, physical or not", "scan 0h accepted\nscan 49h cancelled", "51h", "gap resolved 0h 49h"},
		{"no physical scan, no gap", "scan 0h export_cleared\nscan 90h import_cleared", "500h", ""},
		{"number of the physical scan", "scan 0h held num=2\nscan 0h misrouted num=1", "48h", "gap open 0h#1\nwake 72h"},
	})
}

func TestGapNumber(t *testing.T) {
	runCases(t, "gap: {at_risk: 36h, open: 48h, escalate: 72h}", []ruleCase{
		{"first of the second", "scan 0h accepted num=3\nscan 0h in_transit num=1\nscan 48h in_transit", "49h", "gap resolved 0h#3 48h\nwake 84h"},
		{"after a return", "scan 0h accepted\nscan 1h delivered num=2\nscan 1h return_started num=1", "49h", "gap open 1h#2\nwake 73h"},
	})
}

func TestStageStalled(t *testing.T) {
	const policy = `
gap: {at_risk: 36h, open: 48h, escalate: 72h}
stage_stalled:
  after: 48h
  overrides:
    - {stages: [linehaul], lanes: [CN-GB], after: 100h}
`
	runCases(t, policy, []ruleCase{
		{"at the limit", "scan 0h accepted\nscan 24h origin_facility_arrived", "48h", "wake 48h0m1s"},
		{"one second later", "scan 0h accepted num=1\nscan 24h origin_facility_arrived", "48h1s", "stage_stalled open 0h#1\nwake 60h"},
		{"left in time", "scan 0h accepted\nscan 24h held\nscan 48h departed_origin", "49h", "wake 84h"},
		{"left late", "scan 0h accepted\nscan 24h held\nscan 48h1s departed_origin", "49h", "stage_stalled resolved 0h 48h0m1s\nwake 84h0m1s"},
		{"nothing inside", "scan 0h accepted\nscan 47h59m59s departed_origin", "60h", "wake 83h59m59s"},
		{"a gap inside", "scan 0h accepted\nscan 1h held\nscan 49h held\nscan 50h departed_origin", "51h", "gap resolved 1h 49h\nwake 86h"},
		{"a gap that lasts", "scan 0h accepted\nscan 24h held", "72h", "gap open 24h\nwake 96h"},
		{"a silence at risk is no gap", "scan 0h accepted\nscan 24h held", "71h59m59s", "gap at_risk 24h\nstage_stalled open 0h\nwake 72h"},
		{"the end of the trail", "scan 0h accepted\nscan 24h held\nscan 48h1s cancelled", "49h", "stage_stalled resolved 0h 48h0m1s"},
		{"other limit on the lane", "scan 0h departed_origin lane=CN-GB\nscan 40h in_transit\nscan 80h in_transit", "100h", "wake 100h0m1s"},
		{"announcements are no stage", "scan 0h pickup_failed\nscan 40h pickup_failed\nscan 80h pickup_failed", "90h", "wake 116h"},
		{"a lower stage changes nothing", "scan 0h departed_origin\nscan 40h accepted\nscan 80h in_transit", "81h", "stage_stalled open 0h\nwake 116h"},
		{"the way back is a stage", "scan 0h accepted\nscan 1h delivered\nscan 90h return_started\nscan 120h return_in_transit", "138h1s", "stage_stalled open 90h\nwake 156h"},
		{"after the trail goes on only with a higher stage", "scan 0h out_for_delivery\nscan 1h cancelled\nscan 90h return_started still\nscan 91h in_transit\nscan 120h in_transit", "145h", "wake 156h"},
	})
	runCases(t, "gap: {at_risk: 60h, open: 70h, escalate: 80h}\nstage_stalled: {after: 48h}", []ruleCase{
		{"update after the limit", "scan 0h accepted\nscan 50h held", "50h", "wake 50h0m1s"},
		{"now", "scan 0h accepted\nscan 50h held", "50h1s", "stage_stalled open 0h\nwake 110h"},
	})
}

func TestEpisodes(t *testing.T) {
	const policy = longGap + `
undeliverable: [delivery_attempted, address_issue, import_customs_held]
exception: [held, damaged, lost, destroyed, return_started]
`
	runCases(t, policy, []ruleCase{
		{"lasts", "scan 0h out_for_delivery\nscan 1h delivery_attempted num=2", "900h", "undeliverable open 1h#2"},
		{"a station before closes nothing", "scan 0h delivery_attempted\nscan 1h out_for_delivery", "2h", "undeliverable open 0h"},
		{"a later one does", "scan 0h delivery_attempted\nscan 1h available_for_pickup", "2h", "undeliverable resolved 0h 1h"},
		{"in_transit does not", "scan 0h accepted\nscan 1h address_issue\nscan 2h in_transit", "3h", "undeliverable open 1h"},
		{"without progress it does not", "scan 0h accepted\nscan 1h address_issue\nscan 2h departed_origin still", "3h", "undeliverable open 1h"},
		{"the end does", "scan 0h delivery_attempted\nscan 1h delivered", "2h", "undeliverable resolved 0h 1h"},
		{"an announcement of trouble counts", "scan 0h accepted\nscan 1h address_issue still", "3h", "undeliverable open 1h"},
		{"again inside changes nothing", "scan 0h address_issue\nscan 1h address_issue\nscan 2h accepted", "3h", "undeliverable resolved 0h 2h"},
		{"the closing fact opens the next", "scan 0h import_customs_held\nscan 1h delivery_attempted", "2h", "undeliverable resolved 0h 1h\nundeliverable open 1h"},
		{"two rules at once", "scan 0h address_issue\nscan 0h damaged\nscan 1h accepted\nscan 2h held", "3h",
			"undeliverable resolved 0h 1h\nexception resolved 0h 1h\nexception open 2h"},
		{"two in one second: the last", "scan 0h import_customs_held num=1\nscan 0h delivery_attempted num=2\nscan 2h delivered", "3h", "undeliverable resolved 0h#2 2h"},
		{"an end that is trouble itself", "scan 0h accepted\nscan 1h held\nscan 2h destroyed", "3h", "exception resolved 1h 2h\nexception open 2h"},
		{"lost for good", "scan 0h accepted\nscan 2h lost", "3h", "exception open 2h"},
		{"lost and found", "scan 0h accepted\nscan 2h lost\nscan 3h departed_origin", "4h", "exception resolved 2h 3h"},
		{"after the end nothing counts", "scan 0h delivered\nscan 1h held", "4h", ""},
		{"until it goes back", "scan 0h delivered\nscan 1h held\nscan 2h return_started\nscan 9h delivered", "10h", "exception resolved 2h 9h"},
	})
}

func TestFirstScanUploadLate(t *testing.T) {
	runCases(t, longGap+"first_scan_upload_late: 24h", []ruleCase{
		{"at the limit", "scan 0h accepted extra=86400", "900h", ""},
		{"one second later", "scan 0h accepted extra=86401 num=1", "900h", "first_scan_upload_late resolved 0h#1 24h0m1s"},
		{"history", "scan 0h accepted extra=864000 backfill", "900h", ""},
		{"the first counts", "scan 0h accepted extra=60\nscan 1h accepted extra=864000", "900h", ""},
		{"not in the trail", "scan 0h delivered\nscan 1h accepted extra=864000", "900h", ""},
	})
}

func TestVirtualWarehouse(t *testing.T) {
	runCases(t, longGap+"virtual_warehouse: true", []ruleCase{
		{"local trail", "scan 0h destination_facility_arrived country=GB lane=CN-GB num=1\nscan 1h out_for_delivery country=GB", "2h", "virtual_warehouse:no_origin open 0h#1"},
		{"scan in the origin", "scan 0h accepted country=CN lane=CN-GB\nscan 1h out_for_delivery country=GB", "2h", ""},
		{"late, but there", "scan 0h out_for_delivery country=GB lane=CN-GB\nscan 1h accepted country=CN", "2h", ""},
		{"origin milestone without country", "scan 0h accepted lane=CN-GB\nscan 1h out_for_delivery country=GB", "2h", ""},
		{"hub without country", "scan 0h transit_hub_arrived lane=CN-GB\nscan 1h out_for_delivery country=GB", "2h", "virtual_warehouse:no_origin open 1h"},
		{"accepted elsewhere", "scan 0h accepted lane=CN-GB country=GB\nscan 1h out_for_delivery country=GB", "2h", "virtual_warehouse:no_origin open 1h"},
		{"customs are not physical", "scan 0h export_cleared country=CN lane=CN-GB\nscan 1h import_cleared country=GB", "2h", "virtual_warehouse:no_origin open 1h"},
		{"not there yet", "scan 0h in_transit lane=CN-GB country=GB", "2h", ""},
		{"lane not known", "scan 0h out_for_delivery country=GB lane=CN-", "2h", ""},
		{"sold as local", "order 0h label_created lane=GB-GB\nscan 0h accepted country=GB\nscan 1h departed_origin country=CN num=2\nscan 2h delivered country=DE", "3h", "virtual_warehouse:abroad open 1h#2"},
		{"only as carriers state it", "scan 0h accepted country=GB lane=GB-GB\nscan 1h departed_origin country=CN", "3h", ""},
		{"not after the end", "order 0h label_created lane=GB-GB\nscan 0h delivered country=GB\nscan 1h accepted country=CN", "3h", ""},
	})
}
