package carriers

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// yamlFile reads a YAML file strictly and collects every problem with its
// file, line and key, instead of stopping at the first.
type yamlFile struct {
	name     string
	problems []string
}

// yamlNode is a value of the file with the path of keys that leads to it.
type yamlNode struct {
	f    *yamlFile
	n    ast.Node
	path string
}

func (f *yamlFile) parse(b []byte) (yamlNode, bool) {
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n") // "[line:column] message"
		if at, message, ok := strings.Cut(first, "] "); ok {
			line, _, _ := strings.Cut(strings.TrimPrefix(at, "["), ":")
			first = line + ": " + message
		}
		f.problems = append(f.problems, f.name+":"+first)
		return yamlNode{}, false
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		f.problems = append(f.problems, fmt.Sprintf("%s:1: the file should hold one YAML document", f.name))
		return yamlNode{}, false
	}
	return yamlNode{f: f, n: file.Docs[0].Body}, true
}

func (f *yamlFile) err() error {
	if len(f.problems) == 0 {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(f.problems, "\n"))
}

func (y yamlNode) errorf(format string, args ...any) {
	line := 0
	if y.n != nil && y.n.GetToken() != nil {
		line = y.n.GetToken().Position.Line
	}
	key := y.path
	if key != "" {
		key += ": "
	}
	y.f.problems = append(y.f.problems, fmt.Sprintf("%s:%d: %s%s", y.f.name, line, key, fmt.Sprintf(format, args...)))
}

// member is one key of a YAML mapping.
type member struct {
	key       string
	value     yamlNode
	inherited []member // the same key of layouts that this one is like
}

func (y yamlNode) child(key string, n ast.Node) yamlNode {
	path := key
	if y.path != "" {
		path = y.path + "." + key
	}
	return yamlNode{f: y.f, n: n, path: path}
}

// isMap reports whether the value is a mapping.
func (y yamlNode) isMap() bool {
	switch y.n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

// members returns the keys of a mapping in their order. Keys given twice are a
// problem.
func (y yamlNode) members() []member {
	var values []*ast.MappingValueNode
	switch n := y.n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	case *ast.NullNode, nil:
		return nil
	default:
		y.errorf("should be a mapping of keys to values")
		return nil
	}
	var out []member
	for _, v := range values {
		key := v.Key.GetToken().Value
		c := y.child(key, v.Value)
		if slices.ContainsFunc(out, func(m member) bool { return m.key == key }) {
			at := yamlNode{f: y.f, n: v.Key, path: c.path}
			at.errorf("the key stands twice")
			continue
		}
		out = append(out, member{key: key, value: c})
	}
	return out
}

// fields calls set for each key and reports those that set does not know.
func (y yamlNode) fields(known string, set func(key string, v yamlNode) bool) {
	for _, m := range y.members() {
		if !set(m.key, m.value) {
			m.value.errorf("unknown key; known here: %s", known)
		}
	}
}

// list returns the entries of a list; a single value is a list of one.
func (y yamlNode) list() []yamlNode {
	s, ok := y.n.(*ast.SequenceNode)
	if !ok {
		if _, null := y.n.(*ast.NullNode); null || y.n == nil {
			return nil
		}
		return []yamlNode{y}
	}
	var out []yamlNode
	for i, v := range s.Values {
		out = append(out, yamlNode{f: y.f, n: v, path: y.path + "[" + strconv.Itoa(i) + "]"})
	}
	return out
}

// str returns a scalar as it is written: 0100 stays "0100".
func (y yamlNode) str() string {
	switch n := y.n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return strings.TrimSpace(n.Value.Value)
	case *ast.NullNode:
		return ""
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value
	}
	y.errorf("should be one value, not a list or a mapping")
	return ""
}

func (y yamlNode) strs() []string {
	var out []string
	for _, v := range y.list() {
		out = append(out, v.str())
	}
	return out
}

func (y yamlNode) boolean() bool {
	switch s := y.str(); s {
	case "true":
		return true
	case "false":
	default:
		y.errorf("%q should be true or false", s)
	}
	return false
}

func (y yamlNode) integer(least, most int) int {
	n, err := strconv.Atoi(y.str())
	if err != nil || n < least || n > most {
		y.errorf("%q should be a whole number from %d to %d", y.str(), least, most)
		return least
	}
	return n
}

// oneOf returns the place of a word in a list.
func (y yamlNode) oneOf(words ...string) int {
	i := slices.Index(words, y.str())
	if i < 0 {
		y.errorf("%q is none of: %s", y.str(), strings.Join(words, ", "))
		return 0
	}
	return i
}
