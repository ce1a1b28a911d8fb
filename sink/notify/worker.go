package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"scantrail/schemas"
)

const (
	senders       = 4    // attempts of one receiver under way at a time, never two of one alert
	maxPoll       = 1000 // records
	commitTimeout = 5 * time.Second
	leaveTimeout  = 2 * time.Second
)

// sender takes one attempt to its receiver. It is called from several goroutines.
type sender interface {
	send(ctx context.Context, items []item) outcome
	close()
}

// worker delivers to one receiver. One goroutine, loop, owns the book and the
// partitions; one polls, and a few send.
type worker struct {
	name    string
	log     *slog.Logger
	book    *book
	sender  sender
	journal *journal
	members *membership
	metrics *receiverMetrics
	now     func() time.Time
	tick    time.Duration
	every   time.Duration // between commits

	client    *kgo.Client
	stop      context.CancelCauseFunc
	parts     map[int32]*part
	fetchErrs map[int32]string
	committed time.Time
	said      string // of the last attempt
}

// attempt is messages on their way, and then what became of them.
type attempt struct {
	items []item
	outcome
}

// item is what an attempt carries of one alert: one message, or to an Alertmanager
// those that lead from what it was told last to what holds now.
type item struct {
	lane *lane
	msgs []*message
}

// run delivers until ctx ends; then it waits for what is under way and commits.
// It returns an error where only a new start can tell from which offset to go on.
func (w *worker) run(ctx context.Context, kafka []kgo.Opt) error {
	ctx, w.stop = context.WithCancelCause(ctx)
	defer w.stop(nil)
	client, err := kgo.NewClient(append(append(kafka[:len(kafka):len(kafka)],
		kgo.FetchMaxBytes(4<<20)), w.members.options()...)...)
	if err != nil {
		return fmt.Errorf("notify: kafka: %w", err)
	}
	defer client.CloseAllowingRebalance()
	w.client = client
	jobs, results := make(chan *attempt), make(chan *attempt)
	polls, want := make(chan kgo.Fetches), make(chan struct{})
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for a := range jobs {
				// A message that is under way when ctx ends may take its time.
				a.outcome = w.sender.send(context.WithoutCancel(ctx), a.items)
				results <- a
			}
		})
	}
	wg.Go(func() {
		for range want {
			polls <- client.PollRecords(ctx, maxPoll)
		}
	})
	w.loop(ctx, jobs, results, polls, want)
	w.noteState()
	close(jobs)
	close(want)
	wg.Wait()
	w.sender.close()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	w.commit(last)
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	client.AllowRebalance()
	if err := client.LeaveGroupContext(leave); err != nil {
		w.log.Warn("notify: cannot leave the group: its partitions wait for the session timeout", "err", err)
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// loop returns after ctx has ended and nothing is under way.
func (w *worker) loop(ctx context.Context, jobs chan<- *attempt, results <-chan *attempt, polls <-chan kgo.Fetches, want chan<- struct{}) {
	ticker := time.NewTicker(w.tick)
	defer ticker.Stop()
	done, polling := ctx.Done(), false
	for done != nil || w.book.flying > 0 || polling {
		w.applyChanges()
		var ask chan<- struct{}
		if done != nil {
			w.begin(jobs)
			if !polling && !w.book.full() {
				ask = want
			}
		}
		select {
		case <-done:
			done = nil
		case a := <-results:
			w.finish(a)
		case ask <- struct{}{}:
			polling = true
		case fetches := <-polls:
			polling = false
			w.consume(fetches)
			w.client.AllowRebalance()
		case <-ticker.C:
			w.book.tick(w.now())
			w.noteState()
			if now := w.now(); ctx.Err() == nil && now.Sub(w.committed) >= w.every {
				w.committed = now
				w.commit(ctx)
			}
		}
	}
}

// noteState says how the receiver is doing; whoever stands by does not know.
func (w *worker) noteState() {
	if len(w.parts) > 0 {
		w.journal.state(w.book.state())
	}
}

// begin hands out what is to be sent now. A sender is free as long as fewer are
// under way than there are.
func (w *worker) begin(jobs chan<- *attempt) {
	for w.book.attempts < senders {
		a := w.book.begin(w.now())
		if a == nil {
			return
		}
		jobs <- a
	}
}

// applyChanges takes note of partitions that came and went.
func (w *worker) applyChanges() {
	changes := w.members.take()
	for _, c := range changes {
		if p := w.parts[c.id]; p != nil {
			p.gone = true
			delete(w.parts, c.id)
		}
		if !c.gone {
			w.parts[c.id] = newPart(c.id, c.at, c.metadata)
			w.parts[c.id].end = c.end
			w.metrics.lost.Add(float64(c.lost))
		}
	}
	if len(changes) > 0 {
		w.book.forget(w.now())
	}
}

// consume enters what was polled in the book.
func (w *worker) consume(fetches kgo.Fetches) {
	w.applyChanges() // those before the poll
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if f.Err != nil {
			w.fetchError(f.Partition, f.Err)
		}
		p := w.parts[f.Partition]
		if p == nil {
			return // of a poll that ended early
		}
		for _, r := range f.Records {
			if err := w.book.add(w.now(), p, r); err != nil {
				w.metrics.bad.Inc()
				w.log.Warn("notify: a record is no alert and is passed over", "partition", r.Partition, "offset", r.Offset, "err", err)
			}
		}
	})
}

// fetchError logs once for each change, and stops where reading cannot go on.
func (w *worker) fetchError(partition int32, err error) {
	var loss *kgo.ErrDataLoss
	if errors.Is(err, kerr.OffsetOutOfRange) || errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.InconsistentTopicID) || errors.As(err, &loss) {
		w.stop(fmt.Errorf("notify: receiver %s: %s/%d: %w", w.name, schemas.AlertsTopic, partition, err))
		return
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed) || w.fetchErrs[partition] == err.Error() {
		return
	}
	w.fetchErrs[partition] = err.Error()
	w.log.Warn("notify: cannot fetch, trying again", "topic", schemas.AlertsTopic, "partition", partition, "err", err)
}

// finish enters what became of a message, and logs what somebody should know.
func (w *worker) finish(a *attempt) {
	failures, last := w.book.failures, a.items[0].msgs[len(a.items[0].msgs)-1]
	w.book.end(w.now(), a)
	switch {
	case a.verdict == rejected:
		w.log.Error("notify: the receiver rejects a message, which is dropped", "id", last.id, "rule", last.rule, "status", last.status.String(), "reason", a.reason)
	case a.verdict == failed && failures == 0:
		w.log.Warn("notify: the receiver does not take a message; trying again", "id", last.id, "reason", a.reason)
	case a.verdict == delivered && failures > 1:
		w.log.Info("notify: the receiver takes messages again", "failed_attempts", failures)
	}
	if a.verdict == delivered && a.reason != "" && w.said != a.reason {
		w.log.Warn("notify: not every peer takes messages", "reason", a.reason)
	}
	w.said = a.reason
}

// commit commits what is done. A failure is no error: the next commit repeats
// it, and a restart before that only sends messages again.
func (w *worker) commit(ctx context.Context) {
	offsets, positions := map[int32]kgo.EpochOffset{}, map[int32]position{}
	for id, p := range w.parts {
		if at := p.position(); at != p.committed {
			offsets[id], positions[id] = kgo.EpochOffset{Epoch: -1, Offset: at.offset}, at
		}
	}
	if len(offsets) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		for i := range req.Topics {
			for j := range req.Topics[i].Partitions {
				p := &req.Topics[i].Partitions[j]
				text := positions[p.Partition].metadata
				p.Metadata = &text
			}
		}
		return nil
	})
	var failed error
	w.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{schemas.AlertsTopic: offsets},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, res *kmsg.OffsetCommitResponse, err error) {
			failed = commitError(res, err)
		})
	if failed != nil {
		w.log.Warn("notify: cannot commit offsets, trying again", "err", failed)
		return
	}
	for id, at := range positions {
		w.parts[id].committed = at
	}
}

// commitError returns the first error of a commit.
func commitError(res *kmsg.OffsetCommitResponse, err error) error {
	if err != nil {
		return err
	}
	for _, t := range res.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("%s/%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}
