package notify

import (
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestPositionsChain: whatever one owner finishes, in any order and however
// often the owner changes, every record is finished once, as long as the list of
// what is left fits.
func TestPositionsChain(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		total := int64(rng.IntN(300))
		finished := map[int64]int{}
		at := position{}
		for range 20 {
			p := newPart(0, at.offset, at.metadata)
			for end := p.next + rng.Int64N(total-p.next+1); p.next < end; {
				p.read(&kgo.Record{Offset: p.next})
				for o := range p.undone {
					if rng.IntN(4) == 0 {
						finished[o]++
						delete(p.undone, o)
					}
				}
			}
			at = p.position()
		}
		p := newPart(0, at.offset, at.metadata)
		for p.next < total {
			if o := p.next; !p.read(&kgo.Record{Offset: o}) {
				finished[o]++
				delete(p.undone, o)
			}
		}
		if got := p.position(); got != (position{offset: total}) {
			t.Fatalf("ends at %+v, want %d", got, total)
		}
		for o := range total {
			if finished[o] != 1 {
				t.Fatalf("record %d of %d was finished %d times", o, total, finished[o])
			}
		}
	}
}

// TestMetadataIsBounded: what does not fit is read again, never lost.
func TestMetadataIsBounded(t *testing.T) {
	p := newPart(0, 1000, "")
	for p.next < 500_000 {
		p.read(&kgo.Record{Offset: p.next})
		if o := p.next - 1; o%100 != 0 {
			delete(p.undone, o)
		}
	}
	at := p.position()
	if len(at.metadata) > maxMetadata || at.offset != 1000 {
		t.Fatalf("%d bytes at %d", len(at.metadata), at.offset)
	}
	next := newPart(0, at.offset, at.metadata)
	if next.before.upto < 200_000 || next.before.upto >= 500_000 {
		t.Errorf("covers up to %d", next.before.upto)
	}
	for next.next < 500_000 {
		o := next.next
		if done := next.read(&kgo.Record{Offset: o}); done && o%100 == 0 {
			t.Fatalf("record %d is lost", o)
		}
	}
}

// TestWhereToBegin: what the topic has lost is counted, not an endless error.
func TestWhereToBegin(t *testing.T) {
	g := &membership{log: quiet()}
	for name, c := range map[string]struct {
		committed, start, end int64
		want                  change
	}{
		"where it stopped": {7, 3, 9, change{id: 2, at: 7, metadata: "m"}},
		"at the end":       {9, 3, 9, change{id: 2, at: 9, metadata: "m"}},
		"deleted":          {1, 3, 9, change{id: 2, at: 3, lost: 2}},
		"topic made anew":  {7, 0, 2, change{id: 2, at: 0}},
	} {
		if got := g.begin(2, c.committed, "m", c.start, c.end); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add(formatMetadata([]int64{5, 7, 300}, 1000), int64(5))
	f.Add("w1:", int64(0))
	f.Add("w1:AQ", int64(1<<62))
	f.Fuzz(func(t *testing.T, s string, at int64) {
		d, err := parseMetadata(s, at)
		if err != nil {
			if d.upto != 0 {
				t.Fatalf("error %v with %+v", err, d)
			}
			return
		}
		for o := range d.undone {
			if o < at || o > d.upto {
				t.Fatalf("%d is outside of %d to %d", o, at, d.upto)
			}
		}
	})
}
