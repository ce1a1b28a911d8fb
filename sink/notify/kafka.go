package notify

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// kafkaSender writes messages to a topic: the key is the alert, so that its
// transitions stay in order, and the headers name the transition.
type kafkaSender struct {
	topic   string
	client  *kgo.Client
	timeout time.Duration
}

func newKafkaSender(kafka []kgo.Opt, topic string, timeout time.Duration) (*kafkaSender, error) {
	client, err := kgo.NewClient(append(kafka[:len(kafka):len(kafka)],
		kgo.DefaultProduceTopic(topic), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordDeliveryTimeout(timeout))...)
	return &kafkaSender{topic, client, timeout}, err
}

// send writes one message; the producer's own retries double nothing.
func (s *kafkaSender) send(ctx context.Context, items []item) outcome {
	m := items[0].msgs[0]
	ctx, cancel := context.WithTimeout(ctx, 2*s.timeout)
	defer cancel()
	record := &kgo.Record{Key: []byte(m.key.String()), Value: m.body, Headers: []kgo.RecordHeader{
		{Key: "content-type", Value: []byte("application/cloudevents+json")},
		{Key: "idempotency-key", Value: []byte(m.id)},
	}}
	err := s.client.ProduceSync(ctx, record).FirstErr()
	switch {
	case err == nil:
		return outcome{verdict: delivered, answer: "written to " + s.topic}
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.InvalidRecord):
		return outcome{verdict: rejected, reason: err.Error()}
	}
	return outcome{verdict: failed, reason: err.Error()}
}

func (s *kafkaSender) close() { s.client.Close() }
