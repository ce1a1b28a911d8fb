package detector

// life is one use of a tracking number, from its beginning to its end: what
// evaluate judges.
type life struct {
	facts     []fact      // in order, without those that are void
	main      []orderFact // of the order that it belongs to, in order
	orders    []orderFact // of all orders under the number, in order; with the last life only
	last      bool        // no later life is known
	badNumber bool        // a number failed the check of its carrier's format; with the last life that has scans
	places    []place     // that the facts name
	texts     []string    // that the order facts name

	hasLane bool
	label   lane // that its order states
	lane    lane // the same, completed by what the scans state
}

// findLane sets the lanes, once.
func (l *life) findLane() {
	if l.hasLane {
		return
	}
	l.hasLane = true
	if len(l.main) > 0 {
		l.label = mainLane(l.main)
	}
	l.lane = l.label.complete(l.facts)
}
