package detector

import (
	"testing"

	"scantrail/schemas"
)

// TestRefused: that a scan says the parcel was refused is kept, over a restart and
// in the copy for another home, whatever its milestone.
func TestRefused(t *testing.T) {
	m := ready(t)
	r := scanOf("LX000000014CN", 1, testBase, schemas.DeliveryAttempted)
	r.Event.Reason = reasonRefused
	apply(t, m, r)
	apply(t, m, scanOf("LX000000014CN", 2, testBase+60_000, schemas.DeliveryAttempted))
	m = restored(t, 0, 1, snapshotOf(t, m, 1000))
	_, e := m.entities.find(new(schemas.ParcelID("LX000000014CN")), nil)
	facts := m.factsOf(e)
	if len(facts) != 2 || !facts[0].refused() || facts[1].refused() {
		t.Fatalf("kept %+v", facts)
	}
	var out Output
	m.forwardFact("LX000000028CN", &facts[0], "LX000000014CN", "", 0, &out)
	var copied schemas.Record
	if err := copied.Decode([]byte(out.Forwards[0].Value)); err != nil {
		t.Fatal(err)
	}
	other := ready(t)
	apply(t, other, copied)
	_, e = other.entities.find(new(schemas.ParcelID("LX000000028CN")), nil)
	if facts := other.factsOf(e); len(facts) != 1 || !facts[0].refused() {
		t.Errorf("the copy became %+v", facts)
	}
}
