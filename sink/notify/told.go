package notify

import "scantrail/schemas"

// A detector that was killed does its work again from its last snapshot on, and so
// publishes again what it published since: the same transitions in the same
// versions. Who was told of them must not be told twice, least of all a chat, which
// knows no key of idempotency.

// rememberLast is how many transitions of a partition that a receiver wants are
// remembered at least, and how many records are read again after a start to remember
// them: far more than come between two snapshots.
const rememberLast = 5000

// transition is what one message is about.
type transition struct {
	alert   schemas.ID
	version uint64
}

// told remembers the last transitions of one partition that a receiver wanted.
type told struct {
	recent, before map[transition]struct{}
}

// again reports whether m's transition was read before, and remembers it.
func (t *told) again(m *message) bool {
	k := transition{m.key, m.version}
	if _, ok := t.recent[k]; ok {
		return true
	}
	_, ok := t.before[k]
	if len(t.recent) >= rememberLast {
		t.before, t.recent = t.recent, nil
	}
	if t.recent == nil {
		t.recent = map[transition]struct{}{}
	}
	t.recent[k] = struct{}{}
	return ok
}
