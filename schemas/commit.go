package schemas

import (
	"strconv"
	"strings"
)

// detectorMetadata begins the metadata of the detector's commits. Another
// version of it begins otherwise.
const detectorMetadata = "v1 c="

// DetectorMetadata is the text that goes with an offset that the group
// scantrail-detector commits: clock is the clock of the partition there, in Unix
// milliseconds. Whatever the detector forwarded up to that clock is in the log
// before the commit, which is what Tick.ForwardedThrough rests on.
func DetectorMetadata(clock int64) string {
	return detectorMetadata + strconv.FormatInt(clock, 10)
}

// ParseDetectorMetadata returns the clock that DetectorMetadata put down. ok is
// false for the text of another writer, and where the partition had no clock.
func ParseDetectorMetadata(s string) (clock int64, ok bool) {
	digits, ok := strings.CutPrefix(s, detectorMetadata)
	if !ok {
		return 0, false
	}
	clock, err := strconv.ParseInt(digits, 10, 64)
	return clock, err == nil && clock > 0
}
