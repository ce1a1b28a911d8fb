package console

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// job is work that goes on in the background, one at a time, whoever looks on.
type job[T any] struct {
	mu    sync.Mutex
	state jobState[T]
	stop  context.CancelFunc
}

// jobState is what is known of the last job.
type jobState[T any] struct {
	ID             string // empty: there was none
	By             string
	Running        bool
	Started, Ended time.Time
	Done, Total    int64
	Lines          []string // the last ones of its progress
	Result         T
	Err            error
}

// progress takes what a job says of itself.
type progress interface {
	count(done, total int64)
	say(line string)
}

const jobLines = 5

func (j *job[T]) count(done, total int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state.Done, j.state.Total = done, total
}

func (j *job[T]) say(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.state.Lines = append(j.state.Lines, line); len(j.state.Lines) > jobLines {
		j.state.Lines = j.state.Lines[1:]
	}
}

// now returns the state of the last job.
func (j *job[T]) now() jobState[T] {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.state
	s.Lines = append([]string(nil), s.Lines...)
	return s
}

var errStopped = errors.New("stopped")

// start begins work that may take as long as limit, unless some is going on (false)
// or the last one is not the one that after names ("": whatever it was).
func (j *job[T]) start(by, after string, limit time.Duration, now func() time.Time, work func(context.Context, progress) (T, error)) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.state.Running || after != "" && after != j.state.ID {
		return false
	}
	ctx, stop := context.WithTimeoutCause(context.Background(), limit, fmt.Errorf("it took longer than %s", limit))
	j.stop = stop
	j.state = jobState[T]{ID: newToken(), By: by, Running: true, Started: now()}
	go func() {
		defer stop()
		result, err := guarded(ctx, j, work)
		if err != nil && ctx.Err() != nil {
			if err = context.Cause(ctx); errors.Is(err, context.Canceled) {
				err = errStopped
			}
		}
		j.mu.Lock()
		defer j.mu.Unlock()
		j.state.Result, j.state.Err, j.state.Running, j.state.Ended = result, err, false, now()
	}()
	return true
}

// guarded keeps a panic in the background from ending the service.
func guarded[T any](ctx context.Context, p progress, work func(context.Context, progress) (T, error)) (result T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("a defect: %v", r)
		}
	}()
	return work(ctx, p)
}

// cancel stops what is going on.
func (j *job[T]) cancel() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.state.Running {
		j.stop()
	}
}
