package detector

import (
	"encoding/binary"
	"fmt"
	"slices"

	"scantrail/schemas"
)

// maxPolicies bounds the policies that ended parcels may still be judged by;
// index 0 stands for none.
const maxPolicies = 256

// applyControl switches the policies and judges everything open by them. What
// has ended keeps the policy that it ended under.
func (m *Machine) applyControl(c *schemas.Control, out *Output) error {
	if c.Number <= m.control {
		return nil
	}
	if c.Detector > schemas.DetectorVersion {
		return fmt.Errorf("detector: partition %d: control record %d asks for version %d of the detector, this program has %d: run a newer scantrail",
			m.partition, c.Number, c.Detector, schemas.DetectorVersion)
	}
	set, err := newRuleSet(c.Number, c.Policy, m.documents)
	if err != nil {
		return fmt.Errorf("detector: partition %d: control record %d: %w", m.partition, c.Number, err)
	}
	if c.Generation > uint32(m.generation) {
		m.generation = uint16(min(c.Generation, schemas.MaxGeneration))
		m.version = schemas.Version(m.generation, m.offset, 0)
	}
	m.control = c.Number
	m.inForce = set
	m.evaluateAll(out)
	return nil
}

// placeOf returns the index of a policy, which it takes where there is none yet.
func (m *Machine) placeOf(r *rules) uint8 {
	if r.place != 0 {
		return r.place
	}
	i := m.freePolicy()
	if old := m.policies[i]; old != nil {
		r.parcels = old.parcels
		old.place = 0
	}
	m.keepPolicy(r, i)
	return i
}

// keepPolicy notes the index of a policy.
func (m *Machine) keepPolicy(r *rules, i uint8) {
	m.policies[i], r.place = r, i
}

// freePolicy returns an index whose policy judges nothing. When there is none it
// takes one that is not in force: what ended under that is then judged by the new
// one should another fact of it arrive.
func (m *Machine) freePolicy() uint8 {
	free := func(judged bool) uint8 {
		for i := 1; i < maxPolicies; i++ {
			if r := m.policies[i]; (r == nil || judged || r.parcels == 0) && !(r != nil && r.set == m.inForce) {
				return uint8(i)
			}
		}
		return 0
	}
	if i := free(false); i != 0 {
		return i
	}
	return free(true)
}

// documentOf returns the policies that e is judged by: those in force, or, after
// its end, those of then.
func (m *Machine) documentOf(e *entity) *ruleSet {
	if e.is(entityEnded) && e.policy != 0 {
		return m.policies[e.policy].set
	}
	return m.inForce
}

// choose returns the index of the policy of a document that judges a life of e.
func (m *Machine) choose(set *ruleSet, e *entity, l *life) uint8 {
	if len(set.list) == 1 {
		return m.placeOf(set.list[0])
	}
	product := ""
	if e.is(entityMore) {
		product = m.texts.list[m.moreOf(e).product]
	}
	var o summary
	if len(l.main) > 0 {
		o = summarize(l.main)
	}
	l.findLane()
	i := set.choose(o.market, m.texts.list[o.shop], l.lane, m.texts.list[o.carrier], product)
	return m.placeOf(set.list[i])
}

// writePolicies writes every document of which a policy is in force or judged
// something that ended, with the indexes of its policies: 0 is one that is not
// needed any more.
func (m *Machine) writePolicies(c *chunker) {
	var sets []*ruleSet
	if m.inForce != nil {
		sets = append(sets, m.inForce)
	}
	for _, r := range m.policies {
		if r != nil && r.parcels > 0 && !slices.Contains(sets, r.set) {
			sets = append(sets, r.set)
		}
	}
	for _, set := range sets {
		b := append(c.buf, recordPolicies, asByte(set == m.inForce), uint8(len(set.list)))
		for _, r := range set.list {
			i := slices.Index(m.policies[:], r)
			b = append(b, uint8(max(i, 0)))
		}
		b = binary.LittleEndian.AppendUint32(b, set.number)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(set.text)))
		c.buf = append(b, set.text...)
		c.end()
	}
}

func (m *Machine) readPolicies(r *reader) error {
	inForce, n := r.u8() != 0, int(r.u8())
	slots := slices.Clone(r.long(n))
	number := r.u32()
	text := string(r.long(int(r.u32())))
	if r.bad {
		return nil
	}
	set, err := newRuleSet(number, text, m.documents)
	if err != nil {
		return err
	}
	if len(set.list) != n || inForce && m.inForce != nil {
		return fmt.Errorf("policy document of %d policies, want %d", len(set.list), n)
	}
	for i, slot := range slots {
		if slot == 0 {
			continue
		}
		if m.policies[slot] != nil {
			return fmt.Errorf("policy %d twice", slot)
		}
		m.keepPolicy(set.list[i], slot)
	}
	if inForce {
		m.inForce = set
	}
	return nil
}
