package schemas

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Limits of a policy document: far beyond what anybody writes by hand, and small
// enough that a broken generator is noticed.
const (
	MaxPolicies       = 64
	maxPolicyNesting  = 32
	maxPolicyMarks    = 20_000 // colons, pairs of quotes, exclamation marks
	maxPolicyProblems = 100
)

// PolicyProblem is one thing that is wrong with a policy document.
type PolicyProblem struct {
	Line  int    // 0 when not known
	Field string // path such as policies[1].gap.open; empty: the document
	What  string // what was found
	Want  string // what is wanted; may be empty
}

func (p *PolicyProblem) Error() string {
	s := "policy: "
	if p.Line > 0 {
		s += fmt.Sprintf("line %d: ", p.Line)
	}
	if p.Field != "" {
		s += p.Field + ": "
	}
	s += p.What
	if p.Want != "" {
		s += "; want " + p.Want
	}
	return s
}

// ParsePolicies reads a policy document strictly: unknown keys, values of another
// type or out of range are errors, all of them reported at once, joined, each a
// *PolicyProblem. A document without the key policies is one policy for
// everything.
//
// What is returned is whole: what a policy extends is filled in, and so are the
// clock (progress), the weekend (Saturday, Sunday), the zone (UTC), the anchor of
// pickup_late (confirmed), and what satisfies a milestone (itself).
func ParsePolicies(b []byte) (*Policies, error) {
	if len(b) > MaxPolicyBytes {
		return nil, &PolicyProblem{What: fmt.Sprintf("has %d bytes", len(b)), Want: fmt.Sprintf("at most %d", MaxPolicyBytes)}
	}
	if err := tooCostly(b); err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return nil, policySyntax(err)
	}
	d := &policyDecoder{lines: map[string]int{}}
	doc := d.document(file)
	if len(d.problems) > 0 {
		slices.SortStableFunc(d.problems, func(a, b *PolicyProblem) int { return a.Line - b.Line })
		errs := make([]error, min(len(d.problems), maxPolicyProblems))
		for i := range errs {
			errs[i] = d.problems[i]
		}
		return nil, errors.Join(errs...)
	}
	return doc, nil
}

// tooCostly refuses what would take the library long to read: its time grows with
// the square of the depth, of the keys and of the quoted texts. Half a megabyte
// of keys took 39 s.
func tooCostly(b []byte) error {
	count := func(mark string) int { return bytes.Count(b, []byte(mark)) }
	if n := max(count(":"), count(`"`)/2, count("'")/2, count("!")); n > maxPolicyMarks {
		return &PolicyProblem{What: fmt.Sprintf("has %d keys, quoted texts or tags", n), Want: fmt.Sprintf("at most %d", maxPolicyMarks)}
	}
	deep := &PolicyProblem{What: "is nested too deeply", Want: fmt.Sprintf("at most %d levels", maxPolicyNesting)}
	depth := 0
	for line := range bytes.Lines(b) {
		line, _, _ = bytes.Cut(line, []byte("#"))
		margin := line[:len(line)-len(bytes.TrimLeft(line, " -?"))]
		if bytes.Count(margin, []byte("-"))+bytes.Count(margin, []byte("?")) > maxPolicyNesting {
			return deep
		}
		for _, c := range line {
			switch c {
			case '[', '{':
				if depth++; depth > maxPolicyNesting {
					return deep
				}
			case ']', '}':
				depth = max(depth-1, 0)
			}
		}
	}
	return nil
}

func policySyntax(err error) *PolicyProblem {
	p := &PolicyProblem{What: "is not YAML: " + err.Error()}
	var ye yaml.Error
	if errors.As(err, &ye) {
		p.What = "is not YAML: " + ye.GetMessage()
		if t := ye.GetToken(); t != nil && t.Position != nil {
			p.Line = t.Position.Line
		}
	}
	return p
}

// document reads the one document of the file.
func (d *policyDecoder) document(file *ast.File) *Policies {
	doc := &Policies{}
	var body ast.Node
	for _, part := range file.Docs {
		if part.Body == nil {
			continue
		}
		if body != nil {
			d.bad(part.Body, "", "holds more than one YAML document", "one")
			return doc
		}
		body = part.Body
	}
	if body == nil {
		d.problem("", "is empty", "a policy, or the key policies with a list of them")
		return doc
	}
	entries, ok := d.entries(body, "")
	if !ok {
		return doc
	}
	if !slices.ContainsFunc(entries, func(e *ast.MappingValueNode) bool { return keyOf(e) == "policies" }) {
		d.policies(doc, []ast.Node{body}, []string{""})
		return doc
	}
	for _, e := range entries {
		switch key := keyOf(e); key {
		case "policies":
			d.policyList(doc, e.Value)
		case "holidays":
			d.value(e.Value, reflectOf(&doc.Holidays), key)
		case "keys":
			d.value(e.Value, reflectOf(&doc.Keys), key)
		default:
			d.bad(e.Key, key, "is no key of a document", "policies, holidays or keys; what belongs to a policy goes into the list")
		}
	}
	d.checkHolidays(doc.Holidays)
	d.checkKeys(doc.Keys)
	return doc
}

func (d *policyDecoder) policyList(doc *Policies, node ast.Node) {
	seq, ok := node.(*ast.SequenceNode)
	if !ok || len(seq.Values) == 0 {
		d.bad(node, "policies", "is "+nodeKind(node), "a list of policies, each beginning with - name:")
		return
	}
	if len(seq.Values) > MaxPolicies {
		d.bad(node, "policies", fmt.Sprintf("lists %d policies", len(seq.Values)), fmt.Sprintf("at most %d", MaxPolicies))
		return
	}
	paths := make([]string, len(seq.Values))
	for i := range paths {
		paths[i] = fmt.Sprintf("policies[%d]", i)
	}
	d.policies(doc, seq.Values, paths)
}

// policyDraft is a policy of the document while it is read.
type policyDraft struct {
	node, base    ast.Node // base: of extends
	path          string
	name, extends string
	state         uint8 // 0: not read, 1: being read, 2: read
	policy        Policy
	problems      []PolicyProblem // of its values, fields counted from the policy
}

// policies reads all policies of the document; whichever one extends is read
// before it.
func (d *policyDecoder) policies(doc *Policies, nodes []ast.Node, paths []string) {
	drafts := make([]policyDraft, len(nodes))
	for i, n := range nodes {
		drafts[i] = policyDraft{node: n, path: paths[i]}
		_, drafts[i].name = valueAt(n, "name")
		drafts[i].base, drafts[i].extends = valueAt(n, "extends")
	}
	for i := range drafts {
		d.policy(drafts, i)
	}
	for i := range drafts {
		d.checkPlace(drafts, i)
		doc.List = append(doc.List, drafts[i].policy)
	}
}

// policy reads draft i on top of what it extends.
func (d *policyDecoder) policy(drafts []policyDraft, i int) {
	p := &drafts[i]
	if p.state != 0 {
		return
	}
	p.state = 1
	var inherited []PolicyProblem
	if p.extends != "" {
		inherited = d.extend(drafts, p)
	}
	p.policy.Name, p.policy.Extends, p.policy.When = "", "", Selector{}
	d.value(p.node, reflectOf(&p.policy), p.path)
	p.policy.fillIn()
	p.problems = p.policy.problems()
	for _, problem := range p.problems {
		if !slices.Contains(inherited, problem) { // reported where it stands
			d.problem(joinPath(p.path, problem.Field), problem.What, problem.Want)
		}
	}
	p.state = 2
}

// extend sets p to what it extends and returns the problems of that.
func (d *policyDecoder) extend(drafts []policyDraft, p *policyDraft) []PolicyProblem {
	field := joinPath(p.path, "extends")
	n := slices.IndexFunc(drafts, func(other policyDraft) bool { return other.name == p.extends && other.path != p.path })
	if n < 0 {
		base, err := builtinPolicy(p.extends)
		if err != nil {
			d.bad(p.base, field, fmt.Sprintf("%.60q is neither another policy of this document nor a built-in one", p.extends),
				"one of "+strings.Join(builtinPolicyNames(), ", "))
			d.unread = append(d.unread, p.path)
			return nil
		}
		p.policy = *base
		return nil
	}
	if drafts[n].state == 1 {
		d.bad(p.base, field, fmt.Sprintf("%.60q extends, in the end, this policy", p.extends), "no circle")
		d.unread = append(d.unread, p.path)
		return nil
	}
	d.policy(drafts, n)
	p.policy = drafts[n].policy
	return drafts[n].problems
}

// checkPlace reports what is wrong with draft i among the others: names name
// one policy, and each but the last leaves something to the next.
func (d *policyDecoder) checkPlace(drafts []policyDraft, i int) {
	p := &drafts[i]
	if n := slices.IndexFunc(drafts, func(other policyDraft) bool { return other.name == p.name }); n < i && p.name != "" {
		d.problem(joinPath(p.path, "name"), fmt.Sprintf("%.60q is the name of %s too", p.name, drafts[n].path), "a name of its own")
	}
	matchesAll := p.policy.When.IsZero()
	last := i == len(drafts)-1
	if last && !matchesAll {
		d.problem(joinPath(p.path, "when"), "stands in the last policy", "no condition there: it judges whatever no other policy does")
	}
	if !last && matchesAll {
		d.problem(joinPath(p.path, "when"), "is missing, so that the policies after it would never judge anything",
			"markets, shops, lanes, carriers or products")
	}
}
