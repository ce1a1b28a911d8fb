package push

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	lookTime  = 2 * time.Second // for one question about topics
	lookAgain = time.Second     // after one that Kafka did not answer well
)

// topic is a carrier's raw topic: asked for before the first record, since a
// client that produces to a topic that is not there tries for long.
type topic struct {
	name string

	mu    sync.Mutex
	there bool
	err   error     // of the last question
	until time.Time // that the answer holds, unless it was that the topic is there
}

var errNoTopic = errors.New("there is no such topic")

// ready returns nil when the topic is there, errNoTopic when not, or that Kafka
// does not tell. Whoever asks at the same time shares the answer.
func (t *topic) ready(ctx context.Context, adm *kadm.Client, create bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.there:
		return nil
	case t.err != nil && time.Now().Before(t.until):
		return t.err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	t.err = t.look(ctx, adm)
	if errors.Is(t.err, errNoTopic) && create {
		t.err = t.create(ctx, adm)
	}
	t.there, t.until = t.err == nil, time.Now().Add(lookAgain)
	return t.err
}

func (t *topic) look(ctx context.Context, adm *kadm.Client) error {
	topics, err := adm.ListTopics(ctx, t.name)
	if err != nil {
		return fmt.Errorf("asking Kafka for topic %s: %w", t.name, err)
	}
	switch d := topics[t.name]; {
	case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
		return errNoTopic
	case d.Err != nil:
		return fmt.Errorf("asking Kafka for topic %s: %w", t.name, d.Err)
	}
	return nil
}

// create makes the topic with the brokers' own defaults.
func (t *topic) create(ctx context.Context, adm *kadm.Client) error {
	if _, err := adm.CreateTopic(ctx, -1, -1, nil, t.name); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("creating topic %s: %w", t.name, err)
	}
	return nil
}

// missing notes that Kafka has said so of a record.
func (t *topic) missing() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.there, t.err, t.until = false, nil, time.Time{}
}
