package schemas

import (
	"math"
	"testing"
)

func TestDetectorMetadata(t *testing.T) {
	for _, clock := range []int64{1, 1_790_000_000_123, math.MaxInt64} {
		if got, ok := ParseDetectorMetadata(DetectorMetadata(clock)); !ok || got != clock {
			t.Errorf("%q reads as %d, %v", DetectorMetadata(clock), got, ok)
		}
	}
	for _, foreign := range []string{"", "v1 c=", "v1 c=0", "v1 c=-5", "v1 c=12x", "v1 c=12 d=3", "v2 c=12", "v1 t=1 b=2", "12", "v1 c=9223372036854775808"} {
		if clock, ok := ParseDetectorMetadata(foreign); ok {
			t.Errorf("metadata %q was accepted as %d", foreign, clock)
		}
	}
}
