package console

import (
	"context"
	"sync"
	"time"
)

// Some questions take ClickHouse seconds with millions of parcels. Their answers
// are kept for a minute, those of the page that refreshes itself for seconds, and
// asked for once however many people wait. A page waits for patience; after it, it
// shows the answer before (up to oldAnswer), or says that it is being computed and
// loads itself again.
const (
	freshAnswer = time.Minute
	liveAnswer  = 4 * time.Second // of the page that refreshes itself every 5 s: alone, one always sees a new one
	oldAnswer   = 10 * time.Minute
	patience    = 700 * time.Millisecond
	keptAnswers = 64              // of some MB at most
	keptError   = 3 * time.Second // so that who waits for it sees it
	atOnce      = 3               // questions; more would only share the engine's cores and time out together
)

type answers struct {
	mu    sync.Mutex
	kept  map[string]*answer
	fresh time.Duration // for so long, at least, an answer is not asked for again
	now   func() time.Time
	slot  chan struct{}
}

func newAnswers(fresh time.Duration, now func() time.Time) *answers {
	return &answers{kept: map[string]*answer{}, fresh: fresh, now: now, slot: make(chan struct{}, atOnce)}
}

// answer is one question's; done is closed once the others are set.
type answer struct {
	done  chan struct{}
	value any
	err   error
	at    time.Time
	asked time.Time
	old   *answer // shown as long as this one is not done
}

func (a *answer) over() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

// of returns the answer to the question of that key. Where it is not kept, or no
// longer fresh, ask is called in a goroutine, which ends with ask: within the time
// that package query gives a question, and those before it.
func (s *answers) of(ctx context.Context, key string, ask func(context.Context) (any, error)) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	last := s.kept[key]
	if last != nil && (!last.over() || now.Sub(last.at) < s.keep(last)) {
		return last
	}
	a := &answer{done: make(chan struct{}), asked: now}
	if last != nil && last.err == nil && now.Sub(last.at) < oldAnswer {
		a.old = &answer{done: last.done, value: last.value, at: last.at}
	}
	s.drop(now)
	s.kept[key] = a
	// Whoever asked may go away; the others that wait do not.
	ctx = context.WithoutCancel(ctx)
	go func() {
		defer close(a.done)
		s.slot <- struct{}{}
		defer func() { <-s.slot }()
		a.value, a.err = ask(ctx)
		a.at = s.now()
	}()
	return a
}

// keep is for how long an answer is not asked for again: longer if it took long, for
// looking must not be a load.
func (s *answers) keep(a *answer) time.Duration {
	if a.err != nil {
		return keptError
	}
	return max(s.fresh, 8*a.at.Sub(a.asked))
}

// drop removes answers that nobody will be shown, and the oldest if there are
// too many still.
func (s *answers) drop(now time.Time) {
	oldest := ""
	for key, a := range s.kept {
		switch {
		case !a.over():
		case a.err != nil || now.Sub(a.at) >= oldAnswer:
			delete(s.kept, key)
		case oldest == "" || a.asked.Before(s.kept[oldest].asked):
			oldest = key
		}
	}
	if len(s.kept) >= keptAnswers && oldest != "" {
		delete(s.kept, oldest)
	}
}

// asked is an answer of type T that a request waits for.
type asked[T any] struct{ *answer }

// ask starts a question, or joins who asks it already. The key names the question
// and all its parameters.
func ask[T any](r *request, key string, question func(context.Context) (T, error)) asked[T] {
	return askOf(r, r.console.answers, key, question)
}

// askLive is ask for a page that refreshes itself. It does not wait behind the
// questions of the others, which take longer.
func askLive[T any](r *request, key string, question func(context.Context) (T, error)) asked[T] {
	return askOf(r, r.console.liveAnswers, key, question)
}

func askOf[T any](r *request, s *answers, key string, question func(context.Context) (T, error)) asked[T] {
	a := asked[T]{s.of(r.Context(), key, func(ctx context.Context) (any, error) { return question(ctx) })}
	r.asked = append(r.asked, a.answer)
	return a
}

// Value is the answer once await has said that it is there.
func (a asked[T]) Value() T {
	at := a.answer
	if (!at.over() || at.err != nil) && at.old != nil {
		at = at.old
	}
	v, _ := at.value.(T)
	return v
}

// await waits for all that this request has asked, for so long in all since it
// waited first. It reports whether each is there, and how old the oldest is.
func (r *request) await(most time.Duration) (age time.Duration, ready bool, err error) {
	if r.waited.IsZero() {
		r.waited = time.Now()
	}
	timer := time.NewTimer(max(0, time.Until(r.waited.Add(most))))
	defer timer.Stop()
	for _, a := range r.asked {
		select {
		case <-a.done:
		case <-timer.C:
			timer.Reset(0) // nor is there time for the others
		}
	}
	now := r.console.answers.now()
	for _, a := range r.asked {
		switch {
		case a.over() && a.err == nil:
			age = max(age, now.Sub(a.at))
		case a.old != nil:
			age = max(age, now.Sub(a.old.at))
		case a.over():
			return 0, false, a.err
		default:
			return 0, false, nil
		}
	}
	return age, true, nil
}

// always is longer than any question may take.
const always = time.Minute

// settle waits, once the page is sent, for what is still being computed: a
// goroutine does not outlive the request that began it.
func (r *request) settle() {
	for _, a := range r.asked {
		<-a.done
	}
}

// patience is how long the request waits for what it has asked.
func (r *request) patience() time.Duration {
	if r.wantsCSV() {
		return always
	}
	return patience
}

// compute shows what was asked, once it is there, with the age of the figures;
// until then it shows that they are being computed.
func (r *request) compute(title string, show func(age time.Duration) error) error {
	age, ready, err := r.await(r.patience())
	if err != nil {
		return err
	}
	if !ready {
		return r.computing(title)
	}
	r.hurry()
	return show(age)
}

// computing shows that the figures are not there yet, and asks again.
func (r *request) computing(title string) error {
	r.hurry()
	r.w.Header().Set("Refresh", "1")
	return r.render(title, computing{})
}

// hurry lets go of the connection where it would be busy until settle is through.
func (r *request) hurry() {
	for _, a := range r.asked {
		if !a.over() {
			r.w.Header().Set("Connection", "close")
		}
	}
}

// computing is the data of a page whose figures are not there yet.
type computing struct{}

// Computing is true.
func (computing) Computing() bool { return true }

// figures are embedded in the data of pages that show computed ones.
type figures struct{ Age time.Duration }

// Computing is false.
func (figures) Computing() bool { return false }
