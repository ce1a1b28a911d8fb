package importer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// maxBad bounds the bad rows of a file that are left out: a file with more is not
// what it is taken for.
const maxBad = 1_000_000

// Account is what an import came to.
type Account struct {
	Rows       int64            // with something in them
	Bad        int64            // of these
	Records    int64            // order facts or raw records of good rows
	Duplicates int64            // of these, equal to one before; they are not sent again
	Sent       int64            // that Kafka has acknowledged
	Full       bool             // too many records to tell all duplicates
	Events     int64            // scans: what the mappings of today make of them
	Unmapped   int64            // events without a milestone
	Rejected   int64            // parts of readable records that will be dead letters
	What       map[string]int64 // records by kind of the order fact, or by carrier
	From, To   time.Time        // earliest and latest time; zero when none is known
	Topics     []string         // sorted
}

// Job imports files.
type Job struct {
	Importer *Importer
	Files    []string
	Problem  func(Problem)                             // called with each problem of a row
	Bad      func(file string, r *Row) error           // called with each bad row; nil: nothing
	Progress func(file string, done, size, rows int64) // called now and then

	seen    seen
	checked []checkedFile
}

// checkedFile is what Check remembers of a file for Send.
type checkedFile struct {
	size     int64
	modified time.Time
	bad      []int64 // ordinals of its bad rows
}

// Check reads all files and tells what is wrong with them. Nothing is sent.
func (j *Job) Check(ctx context.Context) (Account, error) {
	a := Account{What: map[string]int64{}}
	j.seen, j.checked = seen{}, nil
	for _, file := range j.Files {
		st, err := os.Stat(file)
		if err != nil {
			return a, err
		}
		c := checkedFile{size: st.Size(), modified: st.ModTime()}
		n := int64(0)
		err = j.Importer.Read(ctx, file, true, func(r *Row, done int64) error {
			j.progress(file, done, c.size, a.Rows)
			n++
			if len(r.Problems) == 0 {
				j.good(&a, r)
				return nil
			}
			a.Rows++
			a.Bad++
			c.bad = append(c.bad, n)
			return j.bad(file, r, len(c.bad))
		})
		if err != nil {
			return a, err
		}
		j.checked = append(j.checked, c)
	}
	a.Full = j.seen.full
	slices.Sort(a.Topics)
	return a, nil
}

func (j *Job) bad(file string, r *Row, n int) error {
	for _, p := range r.Problems {
		j.Problem(p)
	}
	if n > maxBad {
		return Problem{File: file, What: fmt.Sprintf("more than %d bad rows", maxBad), Remedy: "mend the file, or what --map, --set and --zone say about it"}
	}
	if j.Bad == nil {
		return nil
	}
	return j.Bad(file, r)
}

func (j *Job) progress(file string, done, size, rows int64) {
	if rows%4096 == 0 && j.Progress != nil {
		j.Progress(file, done, size, rows)
	}
}

// good counts a good row.
func (j *Job) good(a *Account, r *Row) {
	a.Rows++
	a.Events, a.Unmapped, a.Rejected = a.Events+int64(r.Events), a.Unmapped+int64(r.Unmapped), a.Rejected+int64(r.Rejected)
	if r.From != 0 {
		if from := time.UnixMilli(r.From).UTC(); a.From.IsZero() || from.Before(a.From) {
			a.From = from
		}
		if to := time.UnixMilli(r.To).UTC(); to.After(a.To) {
			a.To = to
		}
	}
	for i := range r.Records {
		rec := &r.Records[i]
		a.Records++
		if j.seen.add(idOf(rec)) {
			a.Duplicates++
			continue
		}
		a.What[rec.What]++
		if !slices.Contains(a.Topics, rec.Topic) {
			a.Topics = append(a.Topics, rec.Topic)
		}
	}
}

// idOf tells records apart: two of the same bytes for the same topic are one.
func idOf(r *Record) schemas.ID {
	id := schemas.Hash(r.Value)
	if r.Topic != schemas.OrdersTopic {
		for i := range min(len(r.What), len(id)) {
			id[i] ^= r.What[i]
		}
	}
	return id
}

// ErrChanged says that a file is not the one that was checked.
var ErrChanged = errors.New("the file changed while it was imported; run the import again: what was sent already counts once")

// Send reads the checked files again and produces the records of their good rows,
// with these headers. It returns how many records Kafka has acknowledged, also
// beside an error.
func (j *Job) Send(ctx context.Context, client *kgo.Client, headers []kgo.RecordHeader) (sent int64, err error) {
	j.seen = seen{}
	p := &sending{client: client, headers: headers}
	for i, file := range j.Files {
		if err = j.sendFile(ctx, p, file, &j.checked[i]); err != nil {
			break
		}
	}
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	err = errors.Join(err, p.client.Flush(flush), p.error())
	return p.sent.Load(), err
}

func (j *Job) sendFile(ctx context.Context, p *sending, file string, c *checkedFile) error {
	same := func() error {
		st, err := os.Stat(file)
		if err == nil && (st.Size() != c.size || !st.ModTime().Equal(c.modified)) {
			err = fmt.Errorf("%s: %w", file, ErrChanged)
		}
		return err
	}
	if err := same(); err != nil {
		return err
	}
	n, skip := int64(0), c.bad
	err := j.Importer.Read(ctx, file, false, func(r *Row, done int64) error {
		j.progress(file, done, c.size, n)
		n++
		if len(skip) > 0 && skip[0] == n {
			skip = skip[1:]
			return nil
		}
		if len(r.Problems) > 0 {
			return fmt.Errorf("%s:%d: %w", file, r.Line, ErrChanged)
		}
		for i := range r.Records {
			if !j.seen.add(idOf(&r.Records[i])) {
				p.send(ctx, &r.Records[i])
			}
		}
		return p.error()
	})
	if err != nil {
		return err
	}
	return same()
}

// sending produces records, whose bytes it copies into chunks: the client keeps
// them until it has an acknowledgement.
type sending struct {
	client  *kgo.Client
	headers []kgo.RecordHeader
	arena   []byte
	records []kgo.Record
	sent    atomic.Int64
	failed  atomic.Pointer[error]
}

const arenaBytes = 256 << 10

func (p *sending) send(ctx context.Context, r *Record) {
	if need := len(r.Key) + len(r.Value); len(p.arena)+need > cap(p.arena) {
		p.arena = make([]byte, 0, max(arenaBytes, need))
	}
	if len(p.records) == cap(p.records) {
		p.records = make([]kgo.Record, 0, 512)
	}
	p.records = append(p.records, kgo.Record{Topic: r.Topic, Headers: p.headers, Value: p.copy(r.Value)})
	rec := &p.records[len(p.records)-1]
	if r.Key != nil {
		rec.Key = p.copy(r.Key)
	}
	p.client.Produce(ctx, rec, p.acknowledged)
}

func (p *sending) copy(b []byte) []byte {
	start := len(p.arena)
	p.arena = append(p.arena, b...)
	return p.arena[start:len(p.arena):len(p.arena)]
}

func (p *sending) acknowledged(_ *kgo.Record, err error) {
	if err != nil {
		p.failed.CompareAndSwap(nil, &err)
		return
	}
	p.sent.Add(1)
}

func (p *sending) error() error {
	if err := p.failed.Load(); err != nil {
		return *err
	}
	return nil
}
