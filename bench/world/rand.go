package world

// random is splitmix64: the whole plan of a parcel comes out of one 64-bit
// seed, so that it can be derived again whenever it is needed.
type random uint64

func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	return mix(uint64(*r))
}

// below returns an even number in [0, n).
func (r *random) below(n int) int { return int((r.next() >> 32) * uint64(n) >> 32) }

// between returns an even number in [lo, hi].
func (r *random) between(lo, hi int64) int64 {
	if hi <= lo {
		return lo
	}
	return lo + int64((r.next()>>32)*uint64(hi-lo+1)>>32)
}

// chance is true in p of all cases.
func (r *random) chance(p float64) bool { return float64(r.next()>>11) < p*(1<<53) }
