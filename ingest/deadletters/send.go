package deadletters

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Send produces through client the records that Find finds to the topics they came
// from, and returns how many were acknowledged. Unless live, they are flagged as
// history. After an error some may have been sent; sending all again is harmless.
func Send(ctx context.Context, o Options, client *kgo.Client, live bool) (groups []Group, sent int64, err error) {
	topics, err := kadm.NewClient(client).ListTopics(ctx)
	if err != nil {
		return nil, 0, err
	}
	var acknowledged atomic.Int64
	var failed atomic.Pointer[error]
	groups, err = Find(ctx, o, func(r *Record) error {
		if d, ok := topics[r.Topic]; !ok || d.Err != nil {
			return fmt.Errorf("topic %s, from which dead letters came, is not there any more: create it, or choose others by their carrier", r.Topic)
		}
		if e := failed.Load(); e != nil {
			return nil // it is returned below
		}
		client.Produce(ctx, r.KafkaRecord(live), func(_ *kgo.Record, err error) {
			if err != nil {
				failed.CompareAndSwap(nil, &err)
				return
			}
			acknowledged.Add(1)
		})
		return nil
	})
	flushing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	err = errors.Join(err, client.Flush(flushing))
	if e := failed.Load(); e != nil {
		err = errors.Join(err, *e)
	}
	return groups, acknowledged.Load(), err
}
