package detector

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	"scantrail/schemas"
)

// A feed is all that one carrier sends, whatever the topic. Ingest tells when
// events of it came in; feed_stale is that nothing does any more, although it
// usually would.
//
// All times are whole seconds of ingest's clock, and C is the clock of the log.
// The silence at time x is x minus the last reception before x. The hour of x is
// x / 3600, counted since 1970, and so 168 hours apart are the same hour of the
// week. A feed is stale at C when nothing later than its last reception a is
// known and for some time x, a < x <= C, at least feedYoung after its first
// reception:
//
//	silence(x) > max(feedSilence, feedFactor * usual(hour of x))
//
// usual(H) is the largest of peak(H-168), peak(H-336), peak(H-504) and
// peak(H-672); peak(H) is the longest silence that was reached in hour H, up to
// its end: one of several hours counts in each, with the length that it has at
// the hour's end or that it had at the reception that ended it in that hour. In
// peaks, a reception counts at the start of its minute. Before its first
// reception a feed knows no silence.
//
// That something later is known than C ends a silence too: C waits for us, and
// what came in meanwhile shows that the carrier was not silent, but we were. So
// a silence that was over before a tick found it stale is nobody's incident, and
// which of them were published depends on what was known when; whether a feed is
// stale now does not: it is a function of the set of its receptions and C.
const (
	feedSilence = 2 * 3600
	feedFactor  = 4
	feedYoung   = 7 * 24 * 3600
)

const (
	weekHours  = 168
	usualWeeks = 4
	// feedHours is the window of hours that a feed keeps, back from that of its
	// last reception: as far as any hour of a silence looks back, and a week more.
	feedHours = (usualWeeks + 1) * weekHours
	maxFeeds  = 10_000 // of one partition
	// maxFeedName is the longest name that a Kafka topic may have.
	maxFeedName = 249
)

// feeds holds those of the partition in the order in which they were first
// heard of.
type feeds struct {
	list []*feed
	at   map[string]*feed
	full bool // one more was heard of, and said so
}

// feed is the set of the receptions of one carrier, as far as anything depends
// on them: which facts brought them, in which order and how often, cannot be
// told from it.
type feed struct {
	carrier  string
	first    uint32 // earliest reception
	last     uint32 // latest reception
	before   uint32 // latest reception before the window; 0: none
	hours    []feedHour
	incident incident // the latest silence
	late     incident // the latest run of late hours
	key      incident // the latest key that was about to end
	news     bool     // receptions since it was last judged
	quiet    uint32   // second up to which the silence since last is known not to be stale; saves time only
	lagNews  bool     // what late hours follow from has changed
	lagHour  int64    // hour of the clock in which they were last judged
}

// feedHour holds the receptions of the hour that is its place in the ring.
type feedHour struct {
	minutes     uint64 // bit for each minute with a reception
	first, last uint16 // seconds within the hour; exact, for an incident begins and ends there
	lag         uint8  // of the hour; follows from those of its minutes
	lags        [60]uint8
}

// incident is what was published of a silence, a run of late hours, or a key.
type incident struct {
	status        schemas.AlertStatus // 0 if there never was one
	anchor, ended uint32
	opened        uint32 // clock when it was found stale
}

// applyFeed takes in that events of a carrier were received.
func (m *Machine) applyFeed(r *schemas.Feed, out *Output) {
	const longest = 3600 * 1000 // a record tells of one minute
	if r.First < 1000 || r.Last < r.First || r.Last > maxClock || r.Last-r.First >= longest || r.Carrier == "" || len(r.Carrier) > maxFeedName {
		return
	}
	f := m.feeds.at[r.Carrier]
	if f == nil {
		if len(m.feeds.list) >= maxFeeds {
			m.tooManyFeeds(out)
			return
		}
		f = m.feeds.add(strings.Clone(r.Carrier))
	}
	f.receive(seconds(r.First))
	f.receive(seconds(r.Last))
	f.receiveLag(seconds(r.First), r.LagHours)
}

func (fs *feeds) add(carrier string) *feed {
	f := &feed{carrier: carrier, hours: make([]feedHour, feedHours)}
	if fs.at == nil {
		fs.at = map[string]*feed{}
	}
	fs.at[carrier] = f
	fs.list = append(fs.list, f)
	return f
}

// StaleFeeds returns how many carriers' feeds have fallen silent against their habit.
func (m *Machine) StaleFeeds() int {
	n := 0
	for _, f := range m.feeds.list {
		if f.incident.status == schemas.AlertOpen {
			n++
		}
	}
	return n
}

// tooManyFeeds says once that some carriers' silence will not be noticed.
func (m *Machine) tooManyFeeds(out *Output) {
	if m.feeds.full {
		return
	}
	m.feeds.full = true
	m.ordinal = 0
	out.Gaps = append(out.Gaps, DataGap{
		Version: m.nextVersion(), At: m.clock,
		Reason: "more than 10,000 carriers' feeds in one partition: the silence of further ones is not noticed; look for topics scans.raw.* that are no carrier's",
	})
}

// receive adds one reception.
func (f *feed) receive(at uint32) {
	f.news, f.quiet = true, 0
	if f.first == 0 || at < f.first {
		f.first = at
	}
	if f.last == 0 {
		f.last = at
	}
	f.lagNews = f.lagNews || hourOf(at) > hourOf(f.last)
	for h := hourOf(f.last) + 1; h <= hourOf(at); h++ {
		if h > hourOf(f.last)+feedHours { // all has left the window
			break
		}
		f.leave(h - feedHours)
	}
	f.last = max(f.last, at)
	if hourOf(at) < f.window() {
		f.before = max(f.before, at)
		return
	}
	h := f.hour(hourOf(at))
	sec := uint16(at % 3600)
	if h.minutes == 0 {
		h.first, h.last = sec, sec
	}
	h.first, h.last = min(h.first, sec), max(h.last, sec)
	h.minutes |= 1 << (sec / 60)
}

// leave forgets the receptions of an hour that leaves the window.
func (f *feed) leave(hour int64) {
	if hour < 0 {
		return
	}
	if h := f.hour(hour); h.minutes != 0 {
		f.before = max(f.before, lastOf(h, hour))
		*h = feedHour{}
	}
}

func hourOf(sec uint32) int64 { return int64(sec) / 3600 }

// window returns the first hour of the window.
func (f *feed) window() int64 { return hourOf(f.last) - feedHours + 1 }

func (f *feed) hour(hour int64) *feedHour { return &f.hours[hour%feedHours] }

func firstOf(h *feedHour, hour int64) uint32 { return uint32(hour)*3600 + uint32(h.first) }
func lastOf(h *feedHour, hour int64) uint32  { return uint32(hour)*3600 + uint32(h.last) }

// lastBefore returns the latest reception before an hour, 0 where there is none.
func (f *feed) lastBefore(hour int64) uint32 {
	if hour > hourOf(f.last) {
		return f.last
	}
	for at := hour - 1; at >= f.window() && at >= 0; at-- {
		if h := f.hour(at); h.minutes != 0 {
			return lastOf(h, at)
		}
	}
	return f.before
}

// next returns the earliest reception after a, the last one of its hour; 0 where
// there is none. Of an a that has left the window it is as far as is known.
func (f *feed) next(a uint32) uint32 {
	switch {
	case f.last <= a:
		return 0
	case hourOf(a) >= f.window():
		if at := lastOf(f.hour(hourOf(a)), hourOf(a)); at > a {
			return at
		}
	case f.before > a:
		return f.before
	}
	for at := max(hourOf(a)+1, f.window()); at <= hourOf(f.last); at++ {
		if h := f.hour(at); h.minutes != 0 {
			return firstOf(h, at)
		}
	}
	return 0
}

// peak returns the longest silence that was reached in an hour.
func (f *feed) peak(hour int64) int64 {
	minutes := uint64(0)
	if hour >= 0 && hour >= f.window() && hour <= hourOf(f.last) {
		minutes = f.hour(hour).minutes
	}
	begin, longest := hour*3600, int64(0)
	since := int64(f.lastBefore(hour)) / 60 * 60
	silent := since != 0
	for ; minutes != 0; minutes &= minutes - 1 {
		at := begin + 60*int64(bits.TrailingZeros64(minutes))
		if silent {
			longest = max(longest, at-since)
		}
		since, silent = at, true
	}
	if silent {
		longest = max(longest, begin+3600-since)
	}
	return longest
}

// limit returns the silence beyond which the feed is stale in an hour.
func (f *feed) limit(hour int64) int64 {
	usual := int64(0)
	for week := int64(1); week <= usualWeeks; week++ {
		if h := hour - week*weekHours; h >= hourOf(f.first) {
			usual = max(usual, f.peak(h))
		}
	}
	return max(feedSilence, feedFactor*usual)
}

// stale reports whether the silence since a was beyond the limit at any second
// after from and up to until. Within an hour the limit is one, so that its last
// second decides.
func (f *feed) stale(a, from, until uint32) bool {
	start := max(int64(from), int64(a)+feedSilence, int64(f.first)+feedYoung-1) + 1
	for h := start / 3600; h <= hourOf(until); h++ {
		x := min(int64(until), h*3600+3599)
		if x >= start && x-int64(a) > f.limit(h) {
			return true
		}
	}
	return false
}

// judgeFeeds publishes which feeds have fallen silent or late, which are back, and
// whose key is about to end. Those that we ourselves do not read stay as they are,
// but for their keys.
func (m *Machine) judgeFeeds(out *Output) {
	if !m.ready() {
		return
	}
	for _, f := range m.feeds.list {
		m.ordinal = 0
		if !slices.Contains(m.stalled, f.carrier) {
			m.judgeFeed(f, out)
			m.judgeLag(f, out)
		}
		m.judgeKey(f, out)
	}
}

func (m *Machine) judgeFeed(f *feed, out *Output) {
	now := m.now()
	if f.news {
		f.news = false
		m.setIncident(f, f.settled(now), out)
	}
	k := f.incident
	if now <= f.last || now <= f.quiet || k.anchor == f.last && k.status == schemas.AlertOpen {
		return
	}
	if !f.stale(f.last, f.quiet, now) {
		f.quiet = now
		return
	}
	if k.anchor != f.last {
		k = incident{anchor: f.last, opened: now}
	}
	k.status = schemas.AlertOpen
	m.setIncident(f, k, out)
}

// settled returns what has become of the latest incident by what was received
// since it was judged: it stays, is resolved by the next reception, or is
// withdrawn because that came too early for it. What decides that begins to leave
// the window a week after the silence began; from then on it is only withdrawn
// where no silence would have been too long.
func (f *feed) settled(now uint32) incident {
	k := f.incident
	if k.status != schemas.AlertOpen && k.status != schemas.AlertResolved {
		return k
	}
	end := f.next(k.anchor)
	until := cmp.Or(end, now)
	if k.ended != 0 { // what came between may have left the window
		end = min(end, k.ended)
		until = end
	}
	known := hourOf(f.last)-hourOf(k.anchor) < weekHours
	switch {
	case until-k.anchor <= feedSilence || known && !f.stale(k.anchor, k.anchor, until):
		k.status, k.ended = schemas.AlertWithdrawn, 0
	case end != 0:
		k.status, k.ended = schemas.AlertResolved, end
	}
	return k
}

// setIncident keeps the state of the latest silence, and publishes it if it is
// new.
func (m *Machine) setIncident(f *feed, k incident, out *Output) {
	if k == f.incident {
		return
	}
	f.incident = k
	since, silent := k.anchor, uint32(0)
	if k.status == schemas.AlertWithdrawn {
		since = f.last
	}
	if until := cmp.Or(k.ended, m.now()); until > since {
		silent = until - since
	}
	m.publishFeed(f, feedStale, k, silent, out)
}

// publishFeed publishes the state of an incident of a feed.
func (m *Machine) publishFeed(f *feed, fam family, k incident, silent uint32, out *Output) {
	rule, detail := fam.rule(1)
	a := schemas.Alert{
		Version: m.nextVersion(), Rule: rule, Detail: detail, Level: 1, Status: k.status, Carrier: f.carrier,
		AnchorAt: millis(k.anchor), EndedAt: millis(k.ended), OpenedAt: millis(k.opened), ChangedAt: millis(m.now()),
		Cause: fixedCause(fam), SilentSecs: silent,
	}
	m.naming = append(m.naming[:0], schemas.FeedKey(f.carrier)...)
	a.Home = schemas.Hash(m.naming)
	a.AlertID = alertID(m.buf[:0], fam.name(), m.naming, int64(k.anchor))
	out.Alerts = append(out.Alerts, a)
}
