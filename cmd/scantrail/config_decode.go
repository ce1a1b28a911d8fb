package main

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// decodeConfig reads YAML into c. It walks the syntax tree itself, rather than
// let the library decode, to report every problem of a file at once, each with
// its line, and never with an excerpt that might hold a secret. It returns the
// line of every field that the file states.
func decodeConfig(raw []byte, c *Config) (map[string]int, Problems) {
	d := decoder{lines: map[string]int{}}
	file, err := parser.ParseBytes(raw, 0)
	if err != nil {
		d.problems = Problems{syntaxProblem(err)}
		return d.lines, d.problems
	}
	if len(file.Docs) > 1 {
		second := Problem{What: "holds more than one YAML document", Remedy: "keep one"}
		if start := file.Docs[1].Start; start != nil {
			second.Line = start.Position.Line
		}
		d.problems = append(d.problems, second)
	}
	for _, doc := range file.Docs {
		if doc.Body != nil {
			d.mapping(doc.Body, reflect.ValueOf(c).Elem(), "")
		}
	}
	return d.lines, d.problems
}

func syntaxProblem(err error) Problem {
	p := Problem{What: "not YAML: " + err.Error()}
	var ye yaml.Error
	if errors.As(err, &ye) {
		p.What = "not YAML: " + ye.GetMessage()
		if t := ye.GetToken(); t != nil && t.Position != nil {
			p.Line = t.Position.Line
		}
	}
	return p
}

type decoder struct {
	lines    map[string]int
	problems Problems
}

func (d *decoder) bad(node ast.Node, field, what, remedy string) {
	p := Problem{Field: field, What: what, Remedy: remedy}
	if t := node.GetToken(); t != nil && t.Position != nil {
		p.Line = t.Position.Line
	}
	d.problems = append(d.problems, p)
}

// mapping reads the keys of node into the fields of struct v.
func (d *decoder) mapping(node ast.Node, v reflect.Value, path string) {
	var entries []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		entries = n.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{n}
	case *ast.NullNode, *ast.CommentGroupNode:
		return // nothing stated: the defaults hold
	default:
		d.bad(node, path, "want keys and values, have "+nodeKind(node), "")
		return
	}
	for _, e := range entries {
		key := e.Key.GetToken().Value
		field := strings.TrimPrefix(path+"."+key, ".")
		target, known := fieldByKey(v, key)
		if !target.IsValid() {
			d.bad(e.Key, field, "unknown key", "known here: "+strings.Join(known, ", "))
			continue
		}
		d.lines[field] = e.Key.GetToken().Position.Line
		d.value(e.Value, target, field)
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

// value reads node into v, a field of Config of any type that one has.
func (d *decoder) value(node ast.Node, v reflect.Value, field string) {
	if _, null := node.(*ast.NullNode); null {
		return
	}
	switch dst := v.Addr().Interface().(type) {
	case *[]string:
		d.list(node, dst, field)
		return
	case *Secret:
		if text, ok := scalar(node); ok {
			dst.setRef(text)
			return
		}
		d.bad(node, field, "want file: or env: and a name", secretRemedy)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(node, v, field)
		return
	case reflect.Slice:
		d.items(node, v, field)
		return
	}
	text, ok := scalar(node)
	if !ok {
		d.bad(node, field, "want one value, have "+nodeKind(node), "")
		return
	}
	if err := setScalar(v, node, text); err != nil {
		d.bad(node, field, err.Error(), "")
	}
}

func (d *decoder) list(node ast.Node, dst *[]string, field string) {
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		d.bad(node, field, "want a list, have "+nodeKind(node), "write [a, b] or one - item per line")
		return
	}
	*dst = nil
	for i, item := range seq.Values {
		at := fmt.Sprintf("%s[%d]", field, i)
		text, ok := scalar(item)
		if !ok {
			d.bad(item, at, "want one value, have "+nodeKind(item), "")
		}
		if t := item.GetToken(); t != nil {
			d.lines[at] = t.Position.Line
		}
		*dst = append(*dst, text)
	}
}

// items reads a list of anything else than text.
func (d *decoder) items(node ast.Node, v reflect.Value, field string) {
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		d.bad(node, field, "want a list, have "+nodeKind(node), "begin each item with -")
		return
	}
	v.SetZero()
	for i, item := range seq.Values {
		at := fmt.Sprintf("%s[%d]", field, i)
		if t := item.GetToken(); t != nil {
			d.lines[at] = t.Position.Line
		}
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		d.value(item, v.Index(i), at)
	}
}

// scalar returns the text of a plain or quoted value.
func scalar(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return node.GetToken().Value, true
	}
	return "", false
}

func setScalar(v reflect.Value, node ast.Node, text string) error {
	switch dst := v.Addr().Interface().(type) {
	case *string:
		*dst = text
	case *bool:
		b, ok := node.(*ast.BoolNode)
		if !ok {
			return fmt.Errorf("%.40q is neither true nor false", text)
		}
		*dst = b.Value
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%.40q is no whole number", text)
		}
		*dst = n
	case *time.Duration:
		t, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%.40q is no duration: want a number and a unit, such as 5s, 10m or 336h", text)
		}
		*dst = t
	case *Size:
		s, err := ParseSize(text)
		if err != nil {
			return err
		}
		*dst = s
	default:
		panic(fmt.Sprintf("config: no reader for fields of type %s", v.Type()))
	}
	return nil
}

// nodeKind names what the file holds, for a message.
func nodeKind(node ast.Node) string {
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys and values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.AliasNode, *ast.AnchorNode:
		return "an anchor or alias, which this file may not use"
	case *ast.LiteralNode:
		return "a block of text"
	}
	return "a single value"
}
