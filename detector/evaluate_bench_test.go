package detector

import (
	"fmt"
	"testing"

	"scantrail/schemas"
)

// usualFacts is a cross-border parcel of 12 scans, six hours apart.
func usualFacts() []fact {
	facts := make([]fact, len(benchWay))
	for i, m := range benchWay {
		f := fact{id: uint64(i + 1), sec: uint32(testBase/1000) + uint32(i)*6*3600, milestone: m, place: 1}
		if i == 0 {
			f.lane = newLane(packCountry("CN"), packCountry("GB"))
		}
		if m.Physical() {
			f.flags |= factPhysical
		}
		if m.Progress() {
			f.flags |= factProgress
		}
		facts[i] = f
	}
	return facts
}

// BenchmarkEvaluate judges a usual parcel under the built-in policy, without an
// order and with one of five facts.
func BenchmarkEvaluate(b *testing.B) {
	for _, order := range []string{"", usualOrder} {
		b.Run(fmt.Sprintf("order=%t", order != ""), func(b *testing.B) { benchmarkEvaluate(b, order) })
	}
}

func benchmarkEvaluate(b *testing.B, order string) {
	r := testRules(b, schemas.DefaultPolicy())
	var v verdict
	l := newTestLife(b, "scan 0h accepted country=CN\n"+order)
	l.facts = usualFacts()
	now := l.facts[len(l.facts)-1].sec + 3600
	b.ReportAllocs()
	began := cpuTime()
	for b.Loop() {
		v.evaluate(l, r, now)
	}
	b.ReportMetric(float64((cpuTime()-began).Nanoseconds())/float64(b.N)/float64(len(l.facts)), "cpu-ns/fact")
}
