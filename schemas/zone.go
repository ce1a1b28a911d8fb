package schemas

import (
	"fmt"
	"time"
	_ "time/tzdata" // where the machine has no zone files
)

// Zone returns the time zone of an IANA name, such as Europe/London. Deadlines in
// working days depend on it: all members of a cluster should have the same zone
// files, or none, as in the container image; the binary then uses its own.
func Zone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is no IANA time zone: want a name such as Europe/London", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is no IANA time zone: want a name such as Europe/London", name)
	}
	return loc, nil
}
