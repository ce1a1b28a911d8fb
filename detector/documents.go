package detector

import (
	"strings"

	"scantrail/schemas"
)

// Documents parses policy documents, each of them once, for all machines that
// share it: every partition has a copy of every control record, and every snapshot
// has another. The zero value is ready.
type Documents struct {
	Guard  Locker                    // held while a document is looked up; needed where several goroutines share
	parsed map[string]parsedDocument // by text
}

// Locker is sync.Locker. Machines know nothing of goroutines; whoever shares does.
type Locker interface {
	Lock()
	Unlock()
}

type parsedDocument struct {
	text   string // the one copy that all machines keep
	parsed *schemas.Policies
}

// maxDocuments bounds what is kept of documents that nobody uses any more.
const maxDocuments = 64

// parse returns what a document says, which nobody may change, and its text. Those
// who ask for the same document meanwhile wait for the first.
func (d *Documents) parse(text string) (string, *schemas.Policies, error) {
	if d.Guard != nil {
		d.Guard.Lock()
		defer d.Guard.Unlock()
	}
	if known, ok := d.parsed[text]; ok {
		return known.text, known.parsed, nil
	}
	policies, err := schemas.ParsePolicies([]byte(text))
	if err != nil {
		return text, nil, err
	}
	if d.parsed == nil || len(d.parsed) == maxDocuments {
		d.parsed = map[string]parsedDocument{}
	}
	text = strings.Clone(text) // of a record, which is much larger
	d.parsed[text] = parsedDocument{text, policies}
	return text, policies, nil
}

// Option is a choice of NewMachine.
type Option func(*Machine)

// WithDocuments has a machine share parsed policy documents with others. Without
// it, or with nil, a machine parses its own.
func WithDocuments(d *Documents) Option { return func(m *Machine) { m.documents = d } }
