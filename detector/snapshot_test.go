package detector

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"scantrail/schemas"
)

func snapshotOf(t testing.TB, m *Machine, chunk int) (chunks [][]byte) {
	if err := m.WriteSnapshot(chunk, func(b []byte) error {
		chunks = append(chunks, bytes.Clone(b))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return chunks
}

func restored(t testing.TB, partition int32, generation uint16, chunks [][]byte) *Machine {
	m := NewMachine(partition, generation)
	for _, c := range chunks {
		if err := m.ReadChunk(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.FinishRestore(); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestSnapshotEverywhere restores a random log's machine at every offset and
// expects it to behave like the one that was never stopped, outputs, rows and
// state to the byte.
func TestSnapshotEverywhere(t *testing.T) {
	*seedsFlag = min(*seedsFlag, 12)
	seeds(t, func(t *testing.T, rng *rand.Rand) {
		w := newWorld(rng)
		log := w.log(90, true)
		for i := 0; i < len(log); i += 20 { // policies come and go
			log[i] = policyRecord(uint32(2+i), strings.Replace(plainPolicy, "open: 48h", fmt.Sprintf("open: %dh", 40+i/20), 1))
		}
		var machines []*Machine
		main := NewMachine(5, 2)
		for i := range log {
			r := &log[i]
			want := applyAll(t, main, i, r)
			for k, m := range machines {
				if got := applyAll(t, m, i, r); !reflect.DeepEqual(got, want) {
					t.Errorf("offset %d, restored after %d: have %+v, want %+v", i, k, got, want)
					return
				}
			}
			if rng.IntN(4) == 0 { // some rows get written
				rows := main.DirtyParcels(2, nil)
				main.MarkParcelsWritten(rows)
				for _, m := range machines {
					m.MarkParcelsWritten(rows)
				}
			}
			machines = append(machines, restored(t, 5, 2, snapshotOf(t, main, 40+rng.IntN(3000))))
		}
		want := snapshotOf(t, main, 1<<20)
		for k, m := range machines {
			if !reflect.DeepEqual(snapshotOf(t, m, 1<<20), want) {
				t.Errorf("restored after %d: the state differs at the end", k)
				return
			}
		}
	})
}

func applyAll(t *testing.T, m *Machine, i int, r *schemas.Record) Output {
	var out Output
	if err := m.Apply(int64(i), r, &out); err != nil {
		t.Fatal(err)
	}
	out.text = text{}
	return out
}
