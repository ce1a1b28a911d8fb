package schemas

import (
	"fmt"
	"regexp"
	"time"
)

// FeedKeyTerm says how long a key lasts: the authorisation with which a carrier's
// feed is fetched or sent. The key itself is no policy and stands nowhere in it.
// Times are Unix milliseconds.
type FeedKeyTerm struct {
	Carrier string `yaml:"carrier"` // whose feed, as in FeedKey
	Issued  int64  `yaml:"issued"`  // 0: not stated
	Expires int64  `yaml:"expires"` // KeyLasts after Issued unless stated
}

// KeyLasts is how long a key lasts that does not say so: 90 days (trade articles on
// marketplaces' interfaces).
const KeyLasts = 90 * 24 * time.Hour

// maxKeyLasts bounds how long a key may last: what is longer is a typing error.
const maxKeyLasts = 10 * 365 * 24 * time.Hour

// FillIn sets when the key ends, where that need not be stated.
func (k *FeedKeyTerm) FillIn() {
	if k.Expires == 0 && k.Issued != 0 {
		k.Expires = k.Issued + KeyLasts.Milliseconds()
	}
}

// feedName is what a raw topic's name may end in.
var feedName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,239}$`)

// Problems returns what is wrong with the term.
func (k *FeedKeyTerm) Problems() []PolicyProblem {
	var c policyCheck
	switch {
	case k.Carrier == "":
		c.bad("carrier", "the carrier whose feed it opens, as its raw topic names it", "is missing")
	case !feedName.MatchString(k.Carrier):
		c.bad("carrier", "a name as in scans.raw.NAME: letters, digits, . _ and -", "is %.80q", k.Carrier)
	}
	switch {
	case k.Expires == 0:
		c.bad("issued", "when it was issued, such as 2026-09-01, from which it lasts 90 days; or expires", "is missing")
	case k.Expires < 1000 || k.Expires > MaxClock:
		c.bad("expires", "a time between 1970 and 2106", "is %s", FormatTime(k.Expires))
	case k.Issued != 0 && k.Expires <= k.Issued:
		c.bad("expires", "a time after "+FormatTime(k.Issued), "is %s", FormatTime(k.Expires))
	case k.Issued != 0 && k.Expires-k.Issued > maxKeyLasts.Milliseconds():
		c.bad("expires", "at most ten years after "+FormatTime(k.Issued), "is %s", FormatTime(k.Expires))
	}
	return c.found
}

// checkKeys fills in when keys end and reports what is wrong with them.
func (d *policyDecoder) checkKeys(list []FeedKeyTerm) {
	for i := range list {
		k := &list[i]
		k.FillIn()
		for _, p := range k.Problems() {
			d.problem(fmt.Sprintf("keys[%d].%s", i, p.Field), p.What, p.Want)
		}
	}
}
