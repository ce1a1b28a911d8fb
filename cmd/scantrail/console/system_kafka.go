package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/detector/shell"
	"scantrail/schemas"
)

// kafka asks the brokers for the page System.
type kafka struct {
	options []kgo.Opt
	admin   *kadm.Client
	log     *slog.Logger
}

var errNoKafka = errors.New("this process has no brokers to ask")

// withKafka asks with a client of its own, which is closed afterwards.
func withKafka[T any](ctx context.Context, c *console, ask func(context.Context, *kafka) (T, error)) (result T, err error) {
	if len(c.Kafka) == 0 {
		return result, errNoKafka
	}
	client, err := kgo.NewClient(c.Kafka...)
	if err != nil {
		return result, err
	}
	defer client.Close()
	if result, err = ask(ctx, &kafka{c.Kafka, kadm.NewClient(client), c.log}); err != nil {
		err = fmt.Errorf("from Kafka: %w", err)
	}
	return result, err
}

// logState is what the brokers know of a partition of parcel.events.
type logState struct {
	ID             int32
	Start, End     int64
	Owner          string    // member of the detector's group
	DetectorLag    int64     // -1: no commit
	SinkLag        int64     // the same of the sink
	CommittedClock time.Time // of the detector; F is the earliest of all
}

// groupState is a consumer group and who is in it.
type groupState struct {
	Name, State string
	Members     []string
	Lag         int64
}

type kafkaLog struct {
	Partitions []logState
	Groups     []groupState
	Forwarded  time.Time // F, as of the detector's commits
}

// groups of the service, in the order of the flow.
func groups() []string {
	return []string{schemas.IngestGroup, schemas.DetectorGroup, schemas.SinkGroup}
}

func readLog(ctx context.Context, k *kafka) (kafkaLog, error) {
	var out kafkaLog
	starts, err := k.admin.ListStartOffsets(ctx, schemas.EventsTopic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return out, err
	}
	ends, err := k.admin.ListEndOffsets(ctx, schemas.EventsTopic)
	if err != nil {
		return out, err
	}
	described, err := k.admin.DescribeGroups(ctx, groups()...)
	if err != nil {
		return out, err
	}
	detector, err := commits(ctx, k, schemas.DetectorGroup)
	if err != nil {
		return out, err
	}
	sink, err := commits(ctx, k, schemas.SinkGroup)
	if err != nil {
		return out, err
	}
	owners := ownersOf(described[schemas.DetectorGroup])
	for id := range int32(len(ends[schemas.EventsTopic])) {
		start, _ := starts.Lookup(schemas.EventsTopic, id)
		end, _ := ends.Lookup(schemas.EventsTopic, id)
		p := logState{ID: id, Start: start.Offset, End: end.Offset, Owner: owners[id], DetectorLag: lagOf(detector, end), SinkLag: lagOf(sink, end)}
		if commit, ok := detector.Lookup(schemas.EventsTopic, id); ok {
			if ms, ok := schemas.ParseDetectorMetadata(commit.Metadata); ok {
				p.CommittedClock = time.UnixMilli(ms)
			}
		}
		if !p.CommittedClock.IsZero() && (out.Forwarded.IsZero() || p.CommittedClock.Before(out.Forwarded)) {
			out.Forwarded = p.CommittedClock
		}
		out.Partitions = append(out.Partitions, p)
	}
	for _, name := range groups() {
		out.Groups = append(out.Groups, groupOf(name, described[name]))
	}
	return out, nil
}

func commits(ctx context.Context, k *kafka, group string) (kadm.OffsetResponses, error) {
	all, err := k.admin.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("commits of %s: %w", group, err)
	}
	return all, nil
}

// lagOf is how many records lie behind a commit; -1 without one.
func lagOf(commits kadm.OffsetResponses, end kadm.ListedOffset) int64 {
	c, ok := commits.Lookup(end.Topic, end.Partition)
	if !ok || c.At < 0 {
		return -1
	}
	return max(end.Offset-c.At, 0)
}

func memberName(m *kadm.DescribedGroupMember) string {
	return Cut(80, cmp.Or(m.ClientID, m.MemberID)+" "+strings.TrimPrefix(m.ClientHost, "/"))
}

func ownersOf(g kadm.DescribedGroup) map[int32]string {
	owners := map[int32]string{}
	for i := range g.Members {
		if assigned, ok := g.Members[i].Assigned.AsConsumer(); ok {
			for _, t := range assigned.Topics {
				for _, id := range t.Partitions {
					if t.Topic == schemas.EventsTopic {
						owners[id] = memberName(&g.Members[i])
					}
				}
			}
		}
	}
	return owners
}

func groupOf(name string, g kadm.DescribedGroup) groupState {
	s := groupState{Name: name, State: cmp.Or(g.State, "-")}
	for i := range g.Members {
		n := 0
		if assigned, ok := g.Members[i].Assigned.AsConsumer(); ok {
			for _, t := range assigned.Topics {
				n += len(t.Partitions)
			}
		}
		s.Members = append(s.Members, fmt.Sprintf("%s (%d)", memberName(&g.Members[i]), n))
	}
	slices.Sort(s.Members)
	return s
}

// sourceState is a raw partition with records that are not ingested yet.
type sourceState struct {
	Topic     string
	Partition int32
	Lag       int64
}

type sources struct {
	Topics, Partitions int
	Behind             []sourceState // the first 20, the furthest behind first
	BehindAll          int
	Lag                int64
}

func readSources(ctx context.Context, k *kafka) (sources, error) {
	var out sources
	topics, err := k.admin.ListTopics(ctx)
	if err != nil {
		return out, err
	}
	var names []string
	for _, name := range topics.Names() {
		if name == schemas.OrdersTopic || strings.HasPrefix(name, schemas.RawTopicPrefix) {
			names = append(names, name)
		}
	}
	if out.Topics = len(names); out.Topics == 0 {
		return out, nil
	}
	starts, err := k.admin.ListStartOffsets(ctx, names...)
	if err != nil {
		return out, err
	}
	ends, err := k.admin.ListEndOffsets(ctx, names...)
	if err != nil {
		return out, err
	}
	done, err := commits(ctx, k, schemas.IngestGroup)
	if err != nil {
		return out, err
	}
	ends.Each(func(end kadm.ListedOffset) {
		out.Partitions++
		lag := lagOf(done, end)
		if lag < 0 {
			start, _ := starts.Lookup(end.Topic, end.Partition)
			lag = end.Offset - start.Offset
		}
		if lag > 0 {
			out.Lag += lag
			out.Behind = append(out.Behind, sourceState{end.Topic, end.Partition, lag})
		}
	})
	slices.SortFunc(out.Behind, func(a, b sourceState) int {
		return cmp.Or(cmp.Compare(b.Lag, a.Lag), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	out.BehindAll = len(out.Behind)
	out.Behind = out.Behind[:min(20, len(out.Behind))]
	return out, nil
}

// snapshotState is the newest snapshot of a partition.
type snapshotState struct {
	Partition int32
	At        time.Time // when it was complete; zero: there is none, or one is being written
	Bytes     int64     // of its chunks; 0: not known
	Chunks    int
	Offset    int64 // of parcel.events, that it does not cover
	Clock     time.Time
	Behind    int64 // records of the log that a new owner has to read
}

func readSnapshots(ctx context.Context, k *kafka, generation uint16) ([]snapshotState, error) {
	ends, err := k.admin.ListEndOffsets(ctx, schemas.EventsTopic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	ids := make([]int32, 0, len(ends[schemas.EventsTopic]))
	for id := range int32(len(ends[schemas.EventsTopic])) {
		ids = append(ids, id)
	}
	snapshots := shell.Snapshots{Kafka: k.options, Admin: k.admin, Generation: generation, Patience: blockLimit, Log: k.log}
	latest, err := snapshots.Latest(ctx, ids)
	if err != nil {
		return nil, err
	}
	all := make([]snapshotState, len(ids))
	for i, id := range ids {
		all[i].Partition = id
		if m, ok := latest[id]; ok {
			end, _ := ends.Lookup(schemas.EventsTopic, id)
			all[i] = snapshotState{id, m.At, m.Bytes, m.Chunks, m.Offset, time.UnixMilli(m.Clock), max(end.Offset-m.Offset, 0)}
		}
	}
	return all, nil
}

func brokerVersion(ctx context.Context, k *kafka) (string, error) {
	versions, err := k.admin.ApiVersions(ctx)
	if err != nil {
		return "", err
	}
	for _, v := range versions {
		return v.VersionGuess(), v.Err
	}
	return "", errors.New("no broker answered")
}
