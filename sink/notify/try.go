package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"scantrail/schemas"
)

// Answer is what a receiver said to a test.
type Answer struct {
	Delivered bool
	Said      string // in its words; empty: nothing
	Reason    string // why it was not delivered
}

// Try sends one message that is marked as a test to a receiver, once, through what
// alerts go through: its format, signature, template and guard. Nothing of it is
// committed or recorded.
func Try(ctx context.Context, c Config, receiver, rule, language string) (Answer, error) {
	if !slices.Contains(schemas.Rules(), rule) {
		return Answer{}, fmt.Errorf("%.40q is no rule; name one as alerts do, such as %s", rule, schemas.RuleGap48h)
	}
	all := slices.Clone(c.Receivers)
	i := slices.IndexFunc(all, func(r Receiver) bool { return r.Name == receiver })
	if i < 0 {
		var names []string
		for _, r := range all {
			names = append(names, r.Name)
		}
		return Answer{}, fmt.Errorf("no receiver is named %.40q; there are %v", receiver, names)
	}
	if language != "" {
		all[i].Language = language
	}
	all, err := checked(all)
	if err != nil {
		return Answer{}, err
	}
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	if c.Now == nil {
		c.Now = time.Now
	}
	to, err := newSender(&c, &all[i])
	if err != nil {
		return Answer{}, err
	}
	defer to.close()
	o := to.send(ctx, []item{{msgs: []*message{sample(rule, c.Now())}}})
	return Answer{Delivered: o.verdict == delivered, Said: o.answer, Reason: o.reason}, nil
}

// Backlog is what Kafka knows of a receiver.
type Backlog struct {
	Known  bool  // it has committed once
	Unread int64 // records of parcel.alerts that it has not read
	Undone int64 // that it has read, and that wait: held, collected, standing or not taken
}

// ReadBacklog reads what a receiver's group has committed.
func ReadBacklog(ctx context.Context, adm *kadm.Client, receiver string) (Backlog, error) {
	var b Backlog
	committed, err := adm.FetchOffsets(ctx, GroupPrefix+receiver)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return b, nil
	}
	if err != nil {
		return b, fmt.Errorf("fetch the offsets of group %s%s: %w", GroupPrefix, receiver, err)
	}
	ends, err := adm.ListEndOffsets(ctx, schemas.AlertsTopic)
	if err != nil {
		return b, fmt.Errorf("list the ends of %s: %w", schemas.AlertsTopic, err)
	}
	ends.Each(func(end kadm.ListedOffset) {
		at, ok := committed.Lookup(schemas.AlertsTopic, end.Partition)
		if !ok || at.Err != nil || at.At < 0 || end.Err != nil {
			return
		}
		b.Known = true
		before, err := parseMetadata(at.Metadata, at.At)
		if err != nil { // everything before it is done
			before.upto = at.At
		}
		b.Undone += int64(len(before.undone))
		b.Unread += max(end.Offset-before.upto, 0)
	})
	return b, nil
}
