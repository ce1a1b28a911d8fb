package carriers

import "slices"

// formats are the forms of records that layouts may have. JSON and XML tell
// themselves; the others are read as the layout says.
var formats = [...]string{"json", "xml", "csv", "edifact", "x12"}

// flat says how a record of a format without nesting of its own becomes a tree.
type flat struct {
	format    string
	groups    []group  // edifact, x12
	columns   []string // csv; nil: the first row names them
	delimiter byte     // csv
}

// parseFlatKey reads the keys of a layout that say how it is read.
func (s *shape) parseFlatKey(key string, v yamlNode) bool {
	switch key {
	case "groups":
		for level, one := range v.list() {
			for _, tag := range one.strs() {
				s.flat.groups = append(s.flat.groups, group{tag, level + 1})
			}
		}
		if n := len(v.list()); n > maxGroups {
			v.errorf("%d levels of groups, want at most %d", n, maxGroups)
		}
	case "columns":
		s.flat.columns = v.strs()
	case "delimiter":
		d := v.str()
		if d == "tab" {
			d = "\t"
		}
		if len(d) != 1 || letterOrDigit(d[0]) || d[0] == '"' || d[0] == '\n' || d[0] >= 0x80 {
			v.errorf("%q should be one character such as ; or the word tab", d)
			return true
		}
		s.flat.delimiter = d[0]
	default:
		return false
	}
	return true
}

func (s *shape) checkFlat(y yamlNode) {
	s.flat.format = s.format
	csv, edi := s.format == "csv", s.format == "edifact" || s.format == "x12"
	if !edi && s.flat.groups != nil {
		y.errorf("groups is for edifact and x12")
	}
	if !csv && (s.flat.columns != nil || s.flat.delimiter != 0) {
		y.errorf("columns and delimiter are for csv")
	}
	if s.flat.delimiter == 0 {
		s.flat.delimiter = ','
	}
	for i, c := range s.flat.columns {
		if len(c) > 200 || c != "" && slices.Contains(s.flat.columns[:i], c) {
			y.errorf("columns: %q stands twice or is too long", c)
		}
	}
}

// parseFlat reads a record that is neither JSON nor XML as each layout says, up
// to the first that fits. Where none does, the first that could not read it
// says why.
func (d *Decoder) parseFlat(raw []byte) bool {
	reason, at, detail := BadSyntax, 0, "neither JSON nor XML begins like this"
	read, refused := false, false
	for i := range d.shapes() {
		s := &d.carrier.shapes[i]
		if s.format == "json" || s.format == "xml" {
			continue
		}
		d.tree.reset(raw, d.limits)
		switch {
		case !d.tree.parseAs(&s.flat):
			if !refused {
				reason, at, detail = d.tree.reason, d.tree.at, d.tree.detail
			}
			refused = true
		case d.all(s.when, place{0, -1, 0}):
			d.fits = s
			return true
		default:
			read = true
		}
	}
	if refused || !read {
		d.tree.reset(raw, d.limits)
		d.tree.fail(reason, at, detail)
		return false
	}
	return true
}

func (t *tree) parseAs(f *flat) bool {
	t.format = f.format
	if f.format == "csv" {
		return t.parseCSV(f)
	}
	return t.parseEDI(f)
}

// shapes returns the layouts of the carrier at hand; none without a mapping.
func (d *Decoder) shapes() []shape {
	if d.carrier == nil {
		return nil
	}
	return d.carrier.shapes
}
