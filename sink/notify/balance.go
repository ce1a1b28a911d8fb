package notify

import (
	"hash/fnv"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// oneMember gives all partitions of a receiver's group to one member: its rate, its
// digests and what it is told of an alert are then counted once. The others stand
// by. Which member it is follows from the name of the group, so that receivers
// spread over the members; one that serves already goes on.
type oneMember struct {
	kgo.GroupBalancer // for the format of what members say
	group             string
}

func newOneMember(group string) kgo.GroupBalancer {
	return &oneMember{kgo.CooperativeStickyBalancer(), group}
}

// MemberBalancer implements kgo.GroupBalancer.
func (o *oneMember) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	b, err := kgo.NewConsumerBalancer(o, members)
	if err != nil {
		return nil, nil, err
	}
	return b, b.MemberTopics(), nil
}

// Balance implements kgo.ConsumerBalancerBalance.
func (o *oneMember) Balance(b *kgo.ConsumerBalancer, topics map[string]int32) kgo.IntoSyncAssignment {
	var ids []string
	owner, most := "", 0
	b.EachMember(func(member *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		ids = append(ids, member.MemberID)
		owned := 0
		for _, t := range meta.OwnedPartitions {
			owned += len(t.Partitions)
		}
		if owned > most {
			owner, most = member.MemberID, owned
		}
	})
	slices.Sort(ids)
	if owner == "" {
		h := fnv.New32a()
		h.Write([]byte(o.group))
		owner = ids[int(h.Sum32())%len(ids)]
	}
	plan := b.NewPlan()
	b.EachMember(func(member *kmsg.JoinGroupResponseMember, _ *kmsg.ConsumerMemberMetadata) {
		if member.MemberID != owner {
			return
		}
		for topic, partitions := range topics {
			for p := range partitions {
				plan.AddPartition(member, topic, p)
			}
		}
	})
	plan.AdjustCooperative(b)
	return plan
}
