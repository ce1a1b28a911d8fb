package main

import (
	"slices"
	"strings"

	"scantrail/ingest/carriers"
)

// field is one field of samples, all its occurrences together: lists are
// walked through, as paths of mappings do.
type field struct {
	key    string
	parent *field
	kids   []*field
	values []string // different scalars, at most maxValues
	object bool
	list   bool // an array, or repeated in one element
	most   int  // occurrences in one parent
}

// maxValues bounds the values kept of one field.
const maxValues = 500

// merge adds a value of a sample to f.
func (f *field) merge(n *carriers.Node) {
	if n.Array {
		f.list = true
		f.most = max(f.most, len(n.Members))
		for i := range n.Members {
			f.merge(&n.Members[i])
		}
		return
	}
	if n.Value != "" && len(f.values) < maxValues && !slices.Contains(f.values, n.Value) {
		f.values = append(f.values, n.Value)
	}
	if !n.Object {
		return
	}
	f.object = true
	times := map[string]int{}
	for i := range n.Members {
		m := &n.Members[i]
		if m.Key == "" || strings.ContainsAny(m.Key, "[]{}^*/ \\") || strings.ContainsFunc(m.Key, unprintable) {
			continue // no path can name it
		}
		k := f.kid(m.Key)
		k.merge(m)
		if times[m.Key]++; times[m.Key] > 1 {
			k.list = true
		}
		k.most = max(k.most, times[m.Key])
	}
}

func unprintable(r rune) bool { return r <= ' ' || r == '"' || r == 0x7f }

func (f *field) kid(key string) *field {
	for _, k := range f.kids {
		if k.key == key {
			return k
		}
	}
	k := &field{key: key, parent: f}
	f.kids = append(f.kids, k)
	return k
}

// path returns the path of a mapping that leads from an object around f to f.
func (f *field) path(from *field) string {
	if f == from {
		return "."
	}
	key := strings.ReplaceAll(f.key, ".", `\.`)
	if f.parent == from {
		return key
	}
	return f.parent.path(from) + "." + key
}

// words returns the words of f's path below an object.
func (f *field) words(from *field) []string { return segments(f.path(from)) }

// leaf is a scalar below an object.
type leaf struct {
	*field
	path  string
	words []string // of the path
	last  []string // of the last key
}

// leaves returns the scalars that stand once in the object f, without those
// below except.
func (f *field) leaves(except *field) (out []leaf) {
	var walk func(at *field, depth int)
	walk = func(at *field, depth int) {
		for _, k := range at.kids {
			if k == except || k.list && k.object && k.most > 1 || depth > 4 {
				continue
			}
			if len(k.values) > 0 {
				p := k.path(f)
				out = append(out, leaf{field: k, path: p, words: segments(p), last: segments(k.key)})
			}
			walk(k, depth+1)
		}
	}
	walk(f, 0)
	return out
}

// objects returns f and all objects below it, outer ones first.
func (f *field) objects() (out []*field) {
	if f.object {
		out = append(out, f)
	}
	for _, k := range f.kids {
		out = append(out, k.objects()...)
	}
	return out
}

// parts are what keys in lower case are put together from.
const parts = "tracking track number no id event status code date time stamp zone city country state postal post zip description desc location type name scan origin destination activity facility shipment parcel text message area ship mail unit label"

// segments returns the words of a path; keys written in lower case without
// separators are taken apart where known words make them up.
func segments(path string) []string {
	var out []string
	for _, w := range words(path) {
		if s := takeApart(w); s != nil {
			out = append(out, s...)
		}
		out = append(out, w)
	}
	return out
}

func takeApart(w string) []string {
	for _, p := range strings.Fields(parts) {
		rest, ok := strings.CutPrefix(w, p)
		if !ok || rest == "" {
			continue
		}
		if strings.Contains(" "+parts+" ", " "+rest+" ") {
			return []string{p, rest}
		}
		if more := takeApart(rest); more != nil {
			return append([]string{p}, more...)
		}
	}
	return nil
}
