package detector

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"scantrail/schemas"
)

func (s *scenario) partitions(w []string) error {
	n, err := strconv.Atoi(w[0])
	s.machines = nil
	for p := range n {
		s.machines = append(s.machines, NewMachine(int32(p), 1))
	}
	s.m = s.machines[0]
	return err
}

func (s *scenario) hide(w []string) error {
	for _, what := range w {
		s.hidden[what] = true
	}
	return nil
}

func (s *scenario) show(w []string) error {
	for _, what := range w {
		delete(s.hidden, what)
	}
	return nil
}

// policy writes a control record. That a partition stops at it is printed.
func (s *scenario) policy(w []string) error {
	text := plainPolicy
	s.control++
	c := schemas.Control{Number: uint32(s.control)}
	for i, arg := range w {
		k, v, option := strings.Cut(arg, "=")
		n, err := strconv.Atoi(v)
		switch {
		case i == 0 && !option:
			if n, err = strconv.Atoi(arg); err == nil {
				c.Number = uint32(n)
			} else if text, err = s.policyText(arg); err != nil {
				return err
			}
		case k == "number" && err == nil:
			c.Number = uint32(n)
		case k == "generation" && err == nil:
			c.Generation = uint32(n)
		case k == "detector" && err == nil:
			c.Detector = uint32(n)
		case option:
			k, v = strings.ReplaceAll(k, "_is_", ": "), strings.ReplaceAll(v, "_is_", ": ")
			if !strings.Contains(text, k) {
				return fmt.Errorf("the policy does not say %q", k)
			}
			text = strings.ReplaceAll(text, k, v)
		default:
			return fmt.Errorf("unknown argument %q", arg)
		}
	}
	s.control, c.Policy = int(c.Number), text
	if err := s.applyAll(&schemas.Record{Kind: schemas.KindControl, Control: c}); err != nil {
		fmt.Fprintf(&s.buf, "%s stops: %v\n", sinceBase(s.m.Clock()), err)
	}
	return nil
}

func (s *scenario) policyText(name string) (string, error) {
	if text, ok := s.sections[name]; ok {
		if !strings.Contains(text, "extends:") {
			text += plainPolicy[strings.Index(plainPolicy, "score:"):]
			if !strings.Contains(text, "gap:") {
				text += "gap: {at_risk: 8000h, open: 8100h, escalate: 8200h}\n"
			}
		}
		return text, nil
	}
	text, ok := schemas.BuiltinPolicyText(name)
	if !ok {
		return "", fmt.Errorf("%q is neither a section of the file nor a built-in policy", name)
	}
	return text, nil
}

func (s *scenario) tick(w []string) error {
	t := schemas.Tick{At: s.machines[0].Clock()}
	for _, arg := range w {
		switch k, v, _ := strings.Cut(arg, "="); k {
		case "through":
			t.ForwardedThrough = s.time(v)
		case "stalled":
			t.Stalled = append(t.Stalled, v)
		case "history":
			t.History = true
		default:
			t.At = s.time(arg)
		}
	}
	return s.applyAll(&schemas.Record{Kind: schemas.KindTick, Tick: t})
}

func (s *scenario) run(w []string) error {
	for end := s.time(w[0]); s.machines[0].Clock() < end; {
		at := end
		if c := s.machines[0].Clock(); c != 0 {
			at = min(end, c+schemas.MaxTickStep.Milliseconds())
		}
		tick := append([]string{(time.Duration(at-testBase) * time.Millisecond).String()}, w[1:]...)
		if err := s.tick(tick); err != nil {
			return err
		}
	}
	return nil
}

func (s *scenario) void(w []string) error {
	s.number(w[0])
	return s.apply(&schemas.Record{Kind: schemas.KindVoid, Void: schemas.Void{
		ParcelID: schemas.ParcelID(w[0]), TrackingNumber: w[0], EventFactID: schemas.Hash([]byte(w[1])), ReceivedAt: s.m.Clock()}})
}

func (s *scenario) alias(w []string) error {
	for i, number := range w {
		s.number(number)
		if err := s.apply(&schemas.Record{Kind: schemas.KindAlias, Alias: schemas.Alias{
			TrackingNumber: number, OtherNumber: w[1-i], ReceivedAt: max(s.m.Clock(), testBase)}}); err != nil {
			return err
		}
	}
	return nil
}

func (s *scenario) feed(w []string) error {
	every, err := time.ParseDuration(w[3])
	lag := 0
	if len(w) > 4 && err == nil {
		lag, err = strconv.Atoi(strings.TrimPrefix(w[4], "lag="))
	}
	for at, to := s.time(w[1]), s.time(w[2]); at <= to && err == nil; at += every.Milliseconds() {
		err = s.applyIn(s.home(schemas.FeedKey(w[0])), &schemas.Record{Kind: schemas.KindFeed, Feed: schemas.Feed{
			Carrier: w[0], Topic: schemas.RawTopicPrefix + w[0], First: at, Last: at, Events: 1, LagHours: uint8(lag)}})
	}
	return err
}

func (s *scenario) repeat(w []string) error {
	n, err := strconv.Atoi(w[0])
	if err != nil {
		return err
	}
	every, err := time.ParseDuration(w[1])
	if err != nil {
		return err
	}
	line := append([]string(nil), w[2:]...)
	at := s.time(line[2])
	for range n {
		line[2] = (time.Duration(at-testBase) * time.Millisecond).String()
		if err := s.line(line); err != nil {
			return err
		}
		at += every.Milliseconds()
	}
	return nil
}

func (s *scenario) rows([]string) error {
	if s.m.Clock() != 0 {
		if err := s.tick(nil); err != nil {
			return err
		}
	}
	for p, m := range s.machines {
		s.p = p
		rows := m.DirtyParcels(1000, nil)
		m.MarkParcelsWritten(rows)
		for i := range rows {
			s.row("parcel", reflect.ValueOf(rows[i]))
		}
	}
	return nil
}

func (s *scenario) orders([]string) error {
	for p, m := range s.machines {
		s.p = p
		rows := m.DirtyOrders(1000, nil)
		m.MarkOrdersWritten(rows)
		for i := range rows {
			s.row("order", reflect.ValueOf(rows[i]))
		}
	}
	return nil
}

func (s *scenario) leave([]string) error {
	for p, m := range s.machines {
		s.p, s.m = p, m
		m.MarkParcelsWritten(m.DirtyParcels(1000, nil))
		m.MarkOrdersWritten(m.DirtyOrders(1000, nil))
		rows := m.DirtyArchives(1000, nil)
		m.MarkArchivesWritten(rows)
		for _, r := range rows {
			s.archive[r.EntityID] = append(s.archive[r.EntityID], r)
			fmt.Fprintf(&s.buf, "%s archive %s %s left %s\n", s.clock(), r.Kind, r.Name, sinceBase(r.EvictedAt))
		}
	}
	return nil
}

func (s *scenario) answer([]string) error {
	for p, m := range s.machines {
		for _, q := range m.Asks(1000, nil) {
			rows := append(slices.Clone(s.archive[q.EntityID]), m.Unwritten(q.EntityID)...)
			r := schemas.Rebuild{EntityID: q.EntityID, Ask: q.Offset, State: AppendStates(nil, rows)}
			if err := s.applyIn(p, &schemas.Record{Kind: schemas.KindRebuild, Rebuild: r}); err != nil {
				return err
			}
		}
	}
	return s.deliver()
}
