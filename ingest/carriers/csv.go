package carriers

import "bytes"

// column is the name of a CSV column as the key of a node.
type column struct {
	key   uint32
	len   uint16
	flags uint8
}

// parseCSV reads comma-separated values (RFC 4180) into the tree: an array of
// rows, each an object of its cells. The columns are those of the mapping, or
// of the first row. Empty cells are left out.
func (t *tree) parseCSV(f *flat) bool {
	t.release, t.columns = '"', t.columns[:0]
	root := t.push(kindArray, 0, 0, 0, 0)
	if root < 0 {
		return false
	}
	for _, name := range f.columns {
		t.columns = append(t.columns, column{uint32(len(t.keys)), uint16(len(name)), keyInArena})
		t.keys = append(t.keys, name...)
	}
	header := f.columns == nil
	for p := 0; p < len(t.src); {
		if c := t.src[p]; c == '\n' || c == '\r' {
			p++
			continue
		}
		if header {
			p = t.csvHeader(p, f.delimiter)
			header = false
		} else {
			p = t.csvRow(p, f.delimiter)
		}
		if p < 0 {
			return false
		}
	}
	t.nodes[root].end, t.nodes[root].next = uint32(len(t.src)), uint32(len(t.nodes))
	return true
}

// csvHeader reads the row of names. It must name two columns at least: one
// would be the sign of another delimiter.
func (t *tree) csvHeader(p int, delimiter byte) int {
	start := p
	for {
		from, to, next, flags := t.csvCell(p, delimiter)
		if next < 0 {
			return -1
		}
		name, c := bytes.TrimSpace(t.src[from:to]), column{key: uint32(from)}
		if len(name) > 0 {
			c.key += uint32(bytes.Index(t.src[from:to], name))
		}
		if flags&escaped != 0 {
			c.key, c.flags = uint32(len(t.keys)), keyInArena
			t.keys = appendUnquoted(t.keys, name)
			name = t.keys[c.key:]
		}
		if c.len = uint16(min(len(name), 200)); len(name) > 200 || len(t.columns) >= t.limits.Fields {
			return t.fail(TooLarge, p, "the names of the columns are too many or too long")
		}
		for _, o := range t.columns {
			if o.len > 0 && text(t.columnName(o)) == text(name) {
				return t.fail(DuplicateKey, from, "column "+quote(text(name))+" stands twice in the header")
			}
		}
		t.columns = append(t.columns, c)
		if p = next; p >= len(t.src) || t.src[p] != delimiter {
			break
		}
		p++
	}
	if len(t.columns) < 2 {
		return t.fail(BadSyntax, start, "the header names one column only; is the delimiter another?")
	}
	return p
}

func (t *tree) columnName(c column) []byte {
	from := t.src
	if c.flags&keyInArena != 0 {
		from = t.keys
	}
	return from[c.key : c.key+uint32(c.len)]
}

func (t *tree) csvRow(p int, delimiter byte) int {
	row := t.push(kindObject, 0, 0, 0, p)
	if row < 0 {
		return -1
	}
	for n := 0; ; n++ {
		from, to, next, flags := t.csvCell(p, delimiter)
		if next < 0 {
			return -1
		}
		if from < to {
			if n >= len(t.columns) {
				return t.fail(BadSyntax, from, "a row has more cells than there are columns")
			}
			if c := t.columns[n]; c.len > 0 {
				i := t.push(kindString, c.key, c.len, c.flags|flags, from)
				if i < 0 {
					return -1
				}
				t.nodes[i].end = uint32(to)
			}
		}
		if p = next; p >= len(t.src) || t.src[p] != delimiter {
			break
		}
		p++
	}
	t.nodes[row].end, t.nodes[row].next = uint32(p), uint32(len(t.nodes))
	return p
}

// csvCell reads the cell at p: where its text lies, and the position of the
// delimiter or end of line after it.
func (t *tree) csvCell(p int, delimiter byte) (from, to, next int, flags uint8) {
	b := t.src
	from = p
	if p < len(b) && b[p] == '"' {
		from = p + 1
		for p = from; p < len(b); p++ {
			if b[p] != '"' {
				continue
			}
			if p+1 < len(b) && b[p+1] == '"' {
				flags |= escaped
				p++
				continue
			}
			break
		}
		to, next = p, p+1
		if p >= len(b) {
			return 0, 0, t.fail(BadSyntax, from, "a quoted cell does not end"), 0
		}
		if next < len(b) && b[next] != delimiter && b[next] != '\n' && b[next] != '\r' {
			return 0, 0, t.fail(BadSyntax, next, "a delimiter should follow a quoted cell"), 0
		}
	} else {
		for p < len(b) && b[p] != delimiter && b[p] != '\n' && b[p] != '\r' {
			p++
		}
		to, next = p, p
	}
	if to-from > t.limits.String {
		return 0, 0, t.fail(TooLarge, from, "a cell is too long"), 0
	}
	if !t.xmlChars(from, to) {
		return 0, 0, -1, 0
	}
	return from, to, next, flags
}

// appendUnquoted appends what a quoted cell says: "" stands for one quote.
func appendUnquoted(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		dst = append(dst, s[i])
		if s[i] == '"' && i+1 < len(s) && s[i+1] == '"' {
			i++
		}
	}
	return dst
}
