package detector

import (
	"time"

	"scantrail/schemas"
)

// keyWarning is how long before the end of a key its alert opens.
const keyWarning = uint32(14 * 24 * time.Hour / time.Second)

// keyEnds returns when the last key of each carrier ends.
func keyEnds(keys []schemas.FeedKeyTerm) map[string]uint32 {
	ends := make(map[string]uint32, len(keys))
	for i := range keys {
		k := &keys[i]
		ends[k.Carrier] = max(ends[k.Carrier], seconds(k.Expires))
	}
	return ends
}

// judgeKey publishes that the key of a feed is about to end, by the document in
// force. A later key resolves that; a document that states none, or an earlier one,
// says that the one before was not meant.
func (m *Machine) judgeKey(f *feed, out *Output) {
	end, stated := m.inForce.keys[f.carrier]
	if !stated && f.key.status != schemas.AlertOpen {
		return
	}
	now, anchor := m.now(), max(end, keyWarning+1)-keyWarning
	if k := f.key; k.status == schemas.AlertOpen && (!stated || k.anchor != anchor) {
		k.status = schemas.AlertWithdrawn
		if stated && anchor > k.anchor {
			k.status, k.ended = schemas.AlertResolved, now
		}
		m.setKey(f, k, out)
	}
	if !stated || now < anchor {
		return
	}
	k := f.key
	if k.anchor != anchor {
		k = incident{anchor: anchor, opened: now}
	}
	k.status, k.ended = schemas.AlertOpen, 0
	m.setKey(f, k, out)
}

func (m *Machine) setKey(f *feed, k incident, out *Output) {
	if k != f.key {
		f.key = k
		m.publishFeed(f, feedKeyExpiring, k, 0, out)
	}
}
