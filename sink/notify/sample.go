package notify

import (
	"bytes"
	"time"

	"scantrail/schemas"
)

// samples are messages that every template must be able to show, and what
// scantrail alerts test sends.
func samples() []*message {
	at := time.Date(2026, 11, 22, 12, 0, 5, 0, time.UTC)
	d := newDigest()
	first, second := sample(schemas.RuleGap48h, at), sample(schemas.RuleGap72h, at)
	d.add(first)
	d.add(second)
	shop := &summary{digest: d, from: d.from, to: d.to, shop: first.shop, open: 3, ended: 1, urgent: []*message{second, first}}
	lane := sample(schemas.RuleLaneDisruption, at)
	ended := sample(schemas.RuleGap48h, at)
	ended.status, ended.alert.Status = schemas.AlertResolved, schemas.AlertResolved
	return []*message{
		first, second, lane, ended,
		{sum: &summary{digest: d, from: d.from, to: d.to}, status: schemas.AlertOpen, changed: at.UnixMilli()},
		{sum: shop, status: schemas.AlertOpen, changed: at.UnixMilli()},
	}
}

// sampleCause is the cause that a sample of a rule has.
func sampleCause(rule string) string {
	switch rule {
	case schemas.RuleFeedStale:
		return schemas.CauseFeedSilent
	case schemas.RuleLaneDisruption:
		return schemas.CauseLaneDisrupted
	case schemas.RuleMilestoneMissing:
		return schemas.CauseMilestoneNotReported
	case schemas.RuleLTSLow, schemas.RuleCompletenessLow:
		return schemas.CauseShopScore
	case schemas.RuleConfirmLate, schemas.RuleShippedLate, schemas.RuleLabelLate:
		return schemas.CauseShopLate
	}
	return schemas.CauseSilentImportCustoms
}

// sample returns a message about an alert of a rule that no parcel has.
func sample(rule string, at time.Time) *message {
	a := schemas.Alert{
		AlertID: schemas.Hash([]byte("sample:" + rule + at.String())), Home: schemas.Hash([]byte("sample")), Version: uint64(at.UnixMilli()),
		Rule: rule, Level: 1, Status: schemas.AlertOpen, Stage: schemas.ImportCustomsStarted,
		TrackingNumber: "LX123456785CN", Carrier: "yunexpress", ShopID: "shop-sample", OrderID: "order-sample", Market: "DE",
		Origin: "CN", Destination: "DE", Facility: "Sample hub", Country: "DE",
		AnchorAt: at.Add(-49 * time.Hour).UnixMilli(), OpenedAt: at.Add(-time.Minute).UnixMilli(), ChangedAt: at.UnixMilli(),
		Cause: sampleCause(rule), SilentSecs: 49 * 3600, Policy: "sample",
	}
	switch rule {
	case schemas.RuleGap72h:
		a.Level, a.Status = 2, schemas.AlertEscalated
		a.AnchorAt, a.SilentSecs = at.Add(-73*time.Hour).UnixMilli(), 73*3600
	case schemas.RuleMilestoneMissing:
		a.Milestone = schemas.ExportCleared
	case schemas.RuleFeedStale, schemas.RuleLaneDisruption: // not of a parcel
		a.TrackingNumber, a.OrderID, a.ShopID, a.Facility, a.Country, a.SilentSecs = "", "", "", "", "", 0
	}
	body := bytes.TrimSuffix(schemas.AppendAlertJSON(nil, &a), []byte("}}"))
	m, err := parse(append(body, `,"test":true}}`...))
	if err != nil {
		panic(err) // our own writer and reader disagree
	}
	m.test = true
	return m
}
