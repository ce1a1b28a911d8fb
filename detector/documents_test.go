package detector

import (
	"strings"
	"sync"
	"testing"

	"scantrail/schemas"
)

// TestDocumentsAreParsedOnce by machines that share them, also at the same time;
// what a machine counts of its parcels stays its own.
func TestDocumentsAreParsedOnce(t *testing.T) {
	shared := Documents{Guard: new(sync.Mutex)}
	machines := make([]*Machine, 4)
	var group sync.WaitGroup
	for i := range machines {
		machines[i] = NewMachine(int32(i), 1, WithDocuments(&shared))
		group.Go(func() {
			p := policyRecord(1, schemas.DefaultPolicy())
			if err := machines[i].Apply(0, &p, new(Output)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	first := machines[0].inForce.list[0]
	for _, m := range machines[1:] {
		r := m.inForce.list[0]
		if r.policy != first.policy {
			t.Error("the document was parsed again")
		}
		if r == first {
			t.Error("two machines count their parcels in one policy")
		}
	}
	if _, _, err := shared.parse("policies: ["); err == nil {
		t.Error("no error of a broken document")
	}
	for i := range 3 * maxDocuments {
		if _, _, err := shared.parse(schemas.DefaultPolicy() + strings.Repeat("\n", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(shared.parsed); n > maxDocuments {
		t.Errorf("%d documents are kept", n)
	}
}
