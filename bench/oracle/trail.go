package oracle

import "slices"

const day = int64(24 * 3600)

// life is the facts of one use of a parcel's numbers, and its trail.
type life struct {
	all   []fact // in order
	trail []step
	ended bool
	main  *order // nil: none
	count []*order
}

// step is one fact of a trail. part counts the returns that re-opened it.
type step struct {
	fact
	part   int
	end    bool
	stated uint8 // milestone as it came
}

func hardEnd(m uint8) bool { return m == 95 || m == 106 || m == 107 || m == 129 }
func softEnd(m uint8) bool { return m == 105 || m == 141 }

// walk returns the trail of facts that are one life, and whether it has ended.
func walk(all []fact) (trail []step, ended bool) {
	part, returned, progress := 0, false, -1 // index of the last progress
	for i := range all {
		if all[i].progress {
			progress = i
		}
	}
	for i, f := range all {
		if ended && f.milestone != 120 {
			continue
		}
		if ended {
			ended = false
			part++
		}
		end := hardEnd(f.milestone) || softEnd(f.milestone) && progress <= i
		stated := f.milestone
		if f.milestone == 95 && returned {
			f.milestone = 129
		}
		returned = returned || f.milestone == 120
		trail = append(trail, step{fact: f, part: part, end: end, stated: stated})
		ended = end
	}
	return trail, ended
}

// split parts facts in order into lives.
func split(all []fact) []*life {
	var lives []*life
	begin := 0
	for i, f := range all {
		if i == begin || f.milestone != 10 && f.milestone != 11 && f.milestone != 12 && f.milestone != 20 {
			continue
		}
		before, over := walk(all[begin:i])
		if over && f.at-before[len(before)-1].at >= 30*day || f.at-all[i-1].at >= 120*day {
			lives = append(lives, newLife(all[begin:i]))
			begin = i
		}
	}
	if begin < len(all) {
		lives = append(lives, newLife(all[begin:]))
	}
	return lives
}

func newLife(all []fact) *life {
	l := &life{all: all}
	l.trail, l.ended = walk(all)
	return l
}

// end returns the time at which the trail ended, never while it has not.
func (l *life) end() int64 {
	if !l.ended {
		return never
	}
	return l.trail[len(l.trail)-1].at
}

// assign gives every order to a life, and returns the lives, with one more for
// orders that came after all.
func assign(lives []*life, orders []*order) []*life {
	var extra *life
	for _, o := range orders {
		at := slices.IndexFunc(lives, func(l *life) bool { return !l.ended || l.end() >= o.at })
		switch {
		case at >= 0:
			lives[at].count = append(lives[at].count, o)
		case len(lives) > 0 && o.at < lives[len(lives)-1].end()+30*day:
			lives[len(lives)-1].count = append(lives[len(lives)-1].count, o)
		default:
			if extra == nil {
				extra = &life{}
			}
			extra.count = append(extra.count, o)
		}
	}
	if extra != nil {
		lives = append(lives, extra)
	}
	for _, l := range lives {
		if len(l.count) > 0 {
			l.main = slices.MinFunc(l.count, compareOrders)
		}
	}
	return lives
}

// find returns the first step that a condition holds for, nil when none does.
func (l *life) find(is func(*step) bool) *step {
	for i := range l.trail {
		if is(&l.trail[i]) {
			return &l.trail[i]
		}
	}
	return nil
}

// station returns the highest forward milestone of progress facts up to a time.
func (l *life) station(at int64) (m uint8) {
	for _, s := range l.trail {
		if s.at <= at && s.progress && s.forward() {
			m = max(m, s.milestone)
		}
	}
	return m
}

// lane returns origin and destination, empty where they are not known.
func (l *life) lane() (origin, dest string) {
	if l.main != nil {
		origin, dest = l.main.origin, l.main.dest
	}
	for _, f := range l.all {
		if origin == "" {
			origin = f.origin
		}
		if dest == "" {
			dest = f.dest
		}
	}
	return origin, dest
}

func group(m uint8) uint8 {
	switch {
	case m >= 10 && m <= 12:
		return 1
	case m >= 20 && m <= 31:
		return 2
	case m >= 40 && m <= 43:
		return 3
	case m >= 50 && m <= 57:
		return 4
	case m == 60:
		return 5
	case m >= 70 && m <= 73:
		return 6
	case m >= 80 && m <= 83:
		return 7
	case m >= 90 && m <= 92:
		return 8
	case m == 120 || m == 121:
		return 9
	}
	return 0
}
