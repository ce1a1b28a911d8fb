package main

import (
	"context"
	"errors"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"scantrail/schemas"
)

// lag counts the records that some role has not yet committed: raw records and
// order facts by ingest, the log by the detector, the log, alerts and dead
// letters by the sink. Ticks written meanwhile count too. It reaches 0: a topic may
// end in the marker of a transaction, and ingest commits past that.
func lag(ctx context.Context, adm *kadm.Client) (int64, error) {
	topics, err := adm.ListTopics(ctx)
	if err != nil {
		return 0, err
	}
	raw := []string{schemas.OrdersTopic}
	for _, name := range topics.Names() {
		if strings.HasPrefix(name, schemas.RawTopicPrefix) {
			raw = append(raw, name)
		}
	}
	total := int64(0)
	for _, g := range []struct { // in the order of the flow: what one has passed on, the next one is asked about later
		name   string
		topics []string
	}{
		{schemas.IngestGroup, raw},
		{schemas.DetectorGroup, []string{schemas.EventsTopic}},
		{schemas.SinkGroup, []string{schemas.EventsTopic, schemas.AlertsTopic, schemas.DeadLettersTopic}},
	} {
		n, err := groupLag(ctx, adm, g.name, g.topics)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

func groupLag(ctx context.Context, adm *kadm.Client, group string, topics []string) (int64, error) {
	// Ends before commits: what is committed meanwhile may hide new records,
	// which the next look sees.
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return 0, err
	}
	commits, err := adm.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) { // nobody has joined yet
		return 0, err
	}
	total := int64(0)
	ends.Each(func(end kadm.ListedOffset) {
		at := int64(0)
		if c, ok := commits.Lookup(end.Topic, end.Partition); ok {
			at = max(c.At, 0)
		}
		total += max(end.Offset-at, 0)
	})
	return total, nil
}

// settled reports whether nothing waits in memory: no account of raw records,
// no row of a parcel. A batch between two commits is lag.
func (p *pipeline) settled() bool {
	return gauge(p.ingest.RangesPending) == 0 && gauge(p.detect.RowsPending) == 0
}
