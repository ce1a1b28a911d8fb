package detector

import (
	"testing"

	"scantrail/schemas"
)

// TestEveryCauseHasAdvice goes through every alert that can be called for, in
// every place.
func TestEveryCauseHasAdvice(t *testing.T) {
	milestones := schemas.Milestones()
	seen := map[string]bool{}
	for f := range family(255) {
		if f.name() == "" {
			continue
		}
		for _, status := range []schemas.AlertStatus{schemas.AlertAtRisk, schemas.AlertOpen, schemas.AlertEscalated, schemas.AlertResolved, schemas.AlertWithdrawn} {
			for _, stage := range milestones {
				for _, last := range milestones {
					for flags := range 4 {
						o := occasion{stage: stage, at: last, furthest: stage, last: last, order: flags&1 != 0, held: flags&2 != 0}
						w := wanted{family: f, status: status, level: uint8(min(status, 2))}
						c := causeOf(&w, &o)
						rule, detail := f.rule(w.level)
						if c == "" || schemas.Advice(rule, detail, c) == "" {
							t.Fatalf("%s %s at %s, last %s: cause %q has no advice", f.name(), status, stage, last, c)
						}
						seen[c] = true
					}
				}
			}
		}
	}
	if len(seen) < 45 {
		t.Errorf("%d causes are ever named", len(seen))
	}
}

func TestCause(t *testing.T) {
	const resolved, open = schemas.AlertResolved, schemas.AlertOpen
	for _, c := range []struct {
		family family
		status schemas.AlertStatus
		o      occasion
		want   string
	}{
		{gapFamily, open, occasion{stage: 30, at: 30}, schemas.CauseSilentAfterPickup},
		{gapFamily, open, occasion{stage: 42, at: 42}, schemas.CauseSilentExportCustoms},
		{gapFamily, open, occasion{stage: 51, at: 57}, schemas.CauseSilentLinehaul},
		{gapFamily, open, occasion{stage: 71, at: 71}, schemas.CauseCustomsHold},
		{gapFamily, open, occasion{stage: 90, at: 121}, schemas.CauseSilentReturn},
		{gapFamily, open, occasion{stage: 90, at: 57, back: true}, schemas.CauseSilentReturn},
		{gapFamily, open, occasion{stage: 90, at: 101, back: true}, schemas.CauseHeld},
		{gapFamily, open, occasion{at: 12}, schemas.CausePickupFailed},
		{gapFamily, open, occasion{stage: 51, at: 51, held: true}, schemas.CauseFeedSilent},
		{gapFamily, resolved, occasion{stage: 51, at: 51, held: true}, schemas.CauseSilentLinehaul},
		{family(42), open, occasion{furthest: 51}, schemas.CauseMilestoneNotReported},
		{family(42), open, occasion{furthest: 31}, schemas.CauseMilestoneOverdue},
		{family(42), open, occasion{furthest: 57}, schemas.CauseMilestoneOverdue},
		{stageStalled, open, occasion{stage: 70, at: 70, last: 70}, schemas.CauseStuckImportCustoms},
		{undeliverable, open, occasion{stage: 91, at: 91}, schemas.CauseAttemptFailed},
		{exceptional, open, occasion{stage: 51, at: 105}, schemas.CauseLostOrDamaged},
		{pickupLate, open, occasion{order: true}, schemas.CauseShopLate},
		{pickupLate, open, occasion{}, schemas.CauseNoScanSinceLabel},
		{pickupLate, open, occasion{furthest: 42, last: 42}, schemas.CauseMissedPickupScan},
		{pickupLate, open, occasion{last: 12}, schemas.CausePickupFailed},
		{pickupLate, resolved, occasion{furthest: 20, last: 20}, schemas.CausePickedUpLate},
		{deliveredLate, open, occasion{furthest: 60, last: 60}, schemas.CauseCarrierLate},
		{deliveredLate, open, occasion{furthest: 91, last: 91}, schemas.CauseAttemptFailed},
		{deliveredLate, open, occasion{}, schemas.CauseNoScanSinceLabel},
		{mismatchNotScanned, open, occasion{}, schemas.CauseMarkedWithoutScan},
		{labelLate, open, occasion{order: true}, schemas.CauseShopLate},
	} {
		if got := causeOf(&wanted{family: c.family, status: c.status}, &c.o); got != c.want {
			t.Errorf("%s %s %+v: %s, want %s", c.family.name(), c.status, c.o, got, c.want)
		}
	}
}
