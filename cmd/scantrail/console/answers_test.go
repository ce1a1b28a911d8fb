package console

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// question answers with how often it was asked, once it may.
type question struct {
	n    int
	may  chan struct{} // nil: at once
	err  error
	time time.Time
}

func (q *question) now() time.Time { return q.time }

func (q *question) pass(d time.Duration) { q.time = q.time.Add(d) }

func (q *question) ask(context.Context) (any, error) {
	q.n++
	n, err := q.n, q.err
	if q.may != nil {
		<-q.may
	}
	return n, err
}

func TestAnswersAreKept(t *testing.T) {
	q := &question{may: make(chan struct{})}
	s := newAnswers(freshAnswer, q.now)
	first, second := s.of(t.Context(), "a", q.ask), s.of(t.Context(), "a", q.ask)
	q.may <- struct{}{}
	<-first.done
	if first != second || first.value != 1 {
		t.Errorf("two who ask at once get %v and %v", first, second)
	}
	q.pass(freshAnswer - time.Second)
	if a := s.of(t.Context(), "a", q.ask); a != first {
		t.Error("a fresh answer is asked for again")
	}
	q.pass(time.Second)
	third := asked[int]{s.of(t.Context(), "a", q.ask)}
	if third.over() || third.Value() != 1 {
		t.Errorf("while a new answer is computed the old one is %d, want 1", third.Value())
	}
	q.may <- struct{}{}
	if <-third.done; third.Value() != 2 {
		t.Errorf("the new answer is %d, want 2", third.Value())
	}
	q.pass(oldAnswer)
	fourth := s.of(t.Context(), "a", q.ask)
	if fourth.old != nil {
		t.Error("an answer is shown that is older than oldAnswer")
	}
	q.pass(freshAnswer / 4) // so long it takes
	q.may <- struct{}{}
	<-fourth.done
	q.pass(2*freshAnswer - time.Second)
	if a := s.of(t.Context(), "a", q.ask); a != fourth {
		t.Error("what takes long is asked for as often as the rest")
	}
	q.pass(time.Second)
	fifth := s.of(t.Context(), "a", q.ask)
	if q.may <- struct{}{}; fifth == fourth {
		t.Error("what takes long is never asked for again")
	}
	<-fifth.done
}

// An error is told to those who wait, and not kept.
func TestAnswersForgetErrors(t *testing.T) {
	q := &question{err: errors.New("no")}
	s := newAnswers(freshAnswer, q.now)
	a := s.of(t.Context(), "a", q.ask)
	<-a.done
	if b := s.of(t.Context(), "a", q.ask); b != a {
		t.Error("who comes a moment later asks again")
	}
	q.pass(keptError)
	q.err = nil
	b := s.of(t.Context(), "a", q.ask)
	if <-b.done; b.err != nil || b.value != 2 {
		t.Errorf("after an error: %v, %v", b.value, b.err)
	}
	q.pass(freshAnswer)
	q.err = errors.New("no")
	c := asked[int]{s.of(t.Context(), "a", q.ask)}
	if <-c.done; c.Value() != 2 {
		t.Errorf("a failed question has the old answer %d, want 2", c.Value())
	}
}

func TestAnswersAreBounded(t *testing.T) {
	q := &question{}
	s := newAnswers(freshAnswer, q.now)
	for i := range 3 * keptAnswers {
		<-s.of(t.Context(), fmt.Sprint(i), q.ask).done
		q.pass(time.Millisecond)
	}
	if len(s.kept) > keptAnswers {
		t.Errorf("%d answers are kept, want %d at most", len(s.kept), keptAnswers)
	}
	if s.kept["0"] != nil || s.kept[fmt.Sprint(3*keptAnswers-1)] == nil {
		t.Error("not the oldest went")
	}
}
