package console

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"scantrail/ingest/deadletters"
)

// Operations is what the console lets an operator do, and see of the service
// itself. What is nil is not there: the page then says so.
type Operations struct {
	ReadLetter func(topic, carrier string, raw []byte) Reading // with the mappings of this process
	Replay     func(context.Context, ReplayRequest) (ReplayResult, error)
	Audit      func(ctx context.Context, progress func(line string)) (*Audit, error)
	Metrics    prometheus.Gatherer // of this process
	Version    string              // of this program
	Generation uint16              // of the detector's machines
	Zone       *time.Location      // of "tomorrow 9:00" and of times typed in; default: the machine's
}

// Reading is what the mappings of today make of a record.
type Reading struct {
	Facts    []ReadFact
	Links    int // between numbers, and voids
	Rejected []string
}

// ReadFact is a scan or an order fact of a record.
type ReadFact struct {
	Number    string // tracking number, or order
	Milestone string
	At        time.Time
	Rule      string // that decided the milestone
}

// ReplayRequest says which dead letters are meant, and whether to send them again.
type ReplayRequest struct {
	Carrier  string
	Orders   bool
	Reason   string
	Send     bool
	Live     bool // what was refused is fresh: it may page
	Progress func(done, total int64)
}

// ReplayResult is what there was, what would become of it, and how much was sent.
type ReplayResult struct {
	Request ReplayRequest
	Groups  []deadletters.Group
	Sent    int64
}

// Total adds up the groups.
func (r ReplayResult) Total() (g deadletters.Group) {
	for _, x := range r.Groups {
		g.Records += x.Records
		g.Mended += x.Mended
		g.Events += x.Events
		g.Refused += x.Refused
		g.Repeated += x.Repeated
		g.Cut += x.Cut
	}
	return g
}

// Audit is the report of an audit.
type Audit struct {
	Started    time.Time
	Took       time.Duration
	Holds      bool
	Violated   int
	Failed     int // checks that could not be made
	Notes      []string
	Checks     []AuditCheck
	Violations []AuditViolation // listed; each check lists some
}

// AuditCheck is one check of a guarantee, P1 to P5.
type AuditCheck struct {
	Guarantee, Name string
	Compared        int64
	Unit            string
	LeftOut         int
	Notes           []string
	Violations      int
	Error           string // why it could not be made
	Skipped         bool
	Took            time.Duration
}

// AuditViolation says in sentences where a guarantee does not hold.
type AuditViolation struct{ Guarantee, Check, What, Where, Means, Do string }
