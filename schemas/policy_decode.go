package schemas

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Limits on the lists of a document. Shops, carriers and products are many;
// everything else is counted in dozens.
const (
	maxPolicyList  = 1024
	maxPolicyNames = 4096
	maxPolicyText  = 128 // bytes of one name
)

// policyDecoder walks the syntax tree itself, rather than let the library
// decode, to report every problem of a document at once, each with its path and
// line.
type policyDecoder struct {
	lines    map[string]int // of every field that the document states
	unread   []string       // fields that could not be read: what follows from that is no further problem
	problems []*PolicyProblem
}

// bad reports that a node could not be read.
func (d *policyDecoder) bad(node ast.Node, field, what, want string) {
	d.unread = append(d.unread, field)
	d.problems = append(d.problems, &PolicyProblem{lineOf(node), field, what, want})
}

// problem reports a problem of a value that was read: at its line, or at that of
// the nearest thing around it that the document states.
func (d *policyDecoder) problem(field, what, want string) {
	if slices.ContainsFunc(d.unread, func(other string) bool { return within(field, other) || within(other, field) }) {
		return
	}
	line := 0
	for at := field; at != "" && line == 0; {
		line = d.lines[at]
		at = at[:max(strings.LastIndexAny(at, ".["), 0)]
	}
	d.problems = append(d.problems, &PolicyProblem{line, field, what, want})
}

// within reports whether field is whole or a part of it.
func within(field, whole string) bool {
	rest, ok := strings.CutPrefix(field, whole)
	return ok && (whole == "" || rest == "" || rest[0] == '.' || rest[0] == '[')
}

func lineOf(node ast.Node) int {
	if t := node.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

func joinPath(path, key string) string { return strings.TrimPrefix(path+"."+key, ".") }

func keyOf(e *ast.MappingValueNode) string {
	if t := e.Key.GetToken(); t != nil {
		return t.Value
	}
	return ""
}

func mappingEntries(node ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func (d *policyDecoder) entries(node ast.Node, path string) ([]*ast.MappingValueNode, bool) {
	entries, ok := mappingEntries(node)
	if !ok {
		d.bad(node, path, "is "+nodeKind(node), "keys and values")
	}
	return entries, ok
}

// valueAt returns what stands under key of a mapping: the node, nil when there is
// none, and its text.
func valueAt(node ast.Node, key string) (ast.Node, string) {
	entries, _ := mappingEntries(node)
	for _, e := range entries {
		if keyOf(e) == key {
			text, _ := scalarText(e.Value)
			return e.Value, text
		}
	}
	return nil, ""
}

// scalarText returns the text of a plain or quoted value: 007 as a shop is no
// number.
func scalarText(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return node.GetToken().Value, true
	}
	return "", false
}

// nodeKind names what the document holds, for a message.
func nodeKind(node ast.Node) string {
	switch node.(type) {
	case *ast.NullNode:
		return "empty"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys and values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.AliasNode:
		return `an alias, which this document may not use (a lane such as "*-US" needs quotes)`
	case *ast.AnchorNode, *ast.TagNode:
		return "an anchor or a tag, which this document may not use"
	case *ast.LiteralNode:
		return "a block of text"
	}
	return "a single value"
}

// reflectOf returns what p points at.
func reflectOf(p any) reflect.Value { return reflect.ValueOf(p).Elem() }

// value reads node into v, of any type that a policy document holds. What v held
// stays where node does not say otherwise; lists are replaced.
func (d *policyDecoder) value(node ast.Node, v reflect.Value, path string) {
	if path != "" {
		d.lines[path] = lineOf(node)
	}
	switch {
	case isScalar(v):
		text, ok := scalarText(node)
		if !ok {
			d.bad(node, path, "is "+nodeKind(node), "one value: "+scalarForm(v))
			return
		}
		if err := setPolicyScalar(v, node, text); err != nil {
			d.bad(node, path, err.Error(), scalarForm(v))
		}
	case v.Kind() == reflect.Slice:
		d.list(node, v, path)
	default:
		d.mapping(node, v, path)
	}
}

func (d *policyDecoder) mapping(node ast.Node, v reflect.Value, path string) {
	entries, ok := d.entries(node, path)
	if !ok {
		return
	}
	for _, e := range entries {
		key := keyOf(e)
		field := joinPath(path, key)
		target, known := fieldByKey(v, key)
		if !target.IsValid() {
			d.bad(e.Key, field, "is an unknown key", "one of "+strings.Join(known, ", "))
			continue
		}
		d.value(e.Value, target, field)
		d.lines[field] = lineOf(e.Key)
	}
}

// fieldByKey returns the field of v with this YAML name, and all names.
func fieldByKey(v reflect.Value, key string) (found reflect.Value, names []string) {
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		if name == key {
			found = v.Field(i)
		}
		names = append(names, name)
	}
	return found, names
}

func (d *policyDecoder) list(node ast.Node, v reflect.Value, path string) {
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		d.bad(node, path, "is "+nodeKind(node), "a list: [a, b] or one - item per line")
		return
	}
	limit := maxPolicyList
	if v.Type().Elem().Kind() == reflect.String {
		limit = maxPolicyNames
	}
	if len(seq.Values) > limit {
		d.bad(node, path, fmt.Sprintf("lists %d items", len(seq.Values)), fmt.Sprintf("at most %d", limit))
		return
	}
	list := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
	for i, item := range seq.Values {
		d.value(item, list.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	if _, weekend := v.Interface().([]time.Weekday); list.Len() == 0 && !weekend { // no weekend is not the usual one
		list = reflect.Zero(v.Type())
	}
	v.Set(list)
}

// isScalar reports whether v is written as one value.
func isScalar(v reflect.Value) bool {
	switch v.Addr().Interface().(type) {
	case *Limit, *Date:
		return true
	}
	return v.Kind() != reflect.Slice && v.Kind() != reflect.Struct
}

// scalarForm says how values of v's type are written.
func scalarForm(v reflect.Value) string {
	switch v.Addr().Interface().(type) {
	case *bool:
		return "true or false"
	case *int:
		return "a whole number"
	case *int64:
		return "a time such as 2026-10-01T00:00:00+08:00, or a date, which begins at midnight UTC"
	case *time.Duration:
		return "hours such as 72h, or off"
	case *Limit:
		return "hours such as 72h, working days such as 3wd, or off"
	case *Date:
		return "a date such as 2026-10-01"
	case *time.Weekday:
		return "a day such as sat or saturday"
	case *Stage:
		return "one of " + strings.Join(stageNames[1:], ", ")
	case *Milestone:
		return "a milestone such as export_cleared"
	case *OrderKind:
		return "created, confirmed or ready_to_ship"
	}
	return "text"
}

// setPolicyScalar reads text, which node holds, into v.
func setPolicyScalar(v reflect.Value, node ast.Node, text string) (err error) {
	switch dst := v.Addr().Interface().(type) {
	case *string:
		*dst = text
	case *bool:
		b, ok := node.(*ast.BoolNode)
		if !ok {
			return fmt.Errorf("%.60q is neither true nor false", text)
		}
		*dst = b.Value
	case *int:
		if *dst, err = strconv.Atoi(text); err != nil {
			return fmt.Errorf("%.60q is no whole number", text)
		}
	case *int64:
		*dst, err = ParsePolicyTime(text)
	case *time.Duration:
		*dst, err = parsePolicyDuration(text)
	case *Limit:
		*dst, err = ParseLimit(text)
	case *Date:
		*dst, err = ParseDate(text)
	case *time.Weekday:
		*dst, err = parseWeekday(text)
	case *Stage:
		*dst, err = ParseStage(text)
	case *Milestone:
		if *dst, err = ParseMilestone(text); err != nil {
			return fmt.Errorf("%.60q is no milestone", text)
		}
	case *OrderKind:
		*dst, err = parseSince(text)
	default:
		panic(fmt.Sprintf("schemas: no reader for policy fields of type %s", v.Type()))
	}
	return err
}
