package carriers

import (
	"encoding/binary"
	"slices"

	"scantrail/schemas"
)

// readNumber finds the parcel's number: the first candidate that is one. bad is
// a candidate that is none.
func (d *Decoder) readNumber(s *shape) (bad string) {
	for i := range s.number.alternatives {
		v := d.evalOne(&s.number.alternatives[i], d.parcel, true)
		if v == "" {
			continue
		}
		if n, ok := d.canonical(v); ok {
			d.number.canonical, d.number.id = n, schemas.ParcelID(n)
			return bad
		}
		bad = v
	}
	return bad
}

func (d *Decoder) rejectNumber(bad string, events int) {
	lost := ""
	if events > 0 {
		lost = "; its " + itoa(events) + " events are lost with it"
	}
	if bad == "" {
		d.reject(-1, NoNumber, "number", d.explain("a parcel has no tracking number", lost, "; name the field in number of the mapping"))
		return
	}
	d.reject(-1, BadNumber, "number", d.explain(d.quoted(bad), " is masked or no tracking number: want 6 to 40 letters and digits", lost))
}

// canonical returns the canonical form of a printed number. Most are printed in
// it already.
func (d *Decoder) canonical(printed string) (string, bool) {
	if clean, ok := believable(printed); clean {
		return printed, ok
	}
	start := len(d.arena)
	var ok bool
	if d.arena, ok = schemas.AppendNumber(d.arena, printed); !ok {
		return "", false
	}
	s := text(d.arena[start:])
	_, ok = believable(s)
	return s, ok
}

// believable reports whether s has the canonical form already and, if so,
// whether it can be a number: placeholders and masked numbers have no digit, one
// character repeated, or a run of X.
func believable(s string) (canonical, ok bool) {
	if len(s) < schemas.MinNumber || len(s) > schemas.MaxNumber {
		return false, false
	}
	digit, varied, crossed, longest := false, false, 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digit, crossed = true, 0
		case c == 'X':
			crossed++
			longest = max(longest, crossed)
		case c >= 'A' && c <= 'Z':
			crossed = 0
		default:
			return false, false
		}
		varied = varied || s[i] != s[0]
	}
	return true, digit && varied && longest < 4
}

// s10Origin returns the country of an S10 postal number, or "".
func s10Origin(s string, geo *geography) string {
	if _, valid := checkS10(s); !valid {
		return ""
	}
	return geo.country(s[11:])
}

func (d *Decoder) addAliases() {
	if d.links += len(d.aliases); d.links > d.limits.Events {
		return // finish refuses the record
	}
	for i, a := range d.aliases {
		if d.repeated(i) {
			continue
		}
		other, ok := d.canonical(a)
		if !ok {
			d.reject(-1, BadAlias, "aliases", d.explain(d.quoted(a), " is masked or no tracking number: want 6 to 40 letters and digits"))
			continue
		}
		if other == d.number.canonical {
			continue
		}
		d.hashed = appendHashed(appendHashed(appendHashed(d.hashed[:0], "alias"), d.number.canonical), other)
		there := schemas.Alias{
			FactID: schemas.Hash(d.hashed), TrackingNumber: d.number.canonical, OtherNumber: other,
			Carrier: d.name, ReceivedAt: d.src.ReceivedAt,
		}
		back := there
		back.TrackingNumber, back.OtherNumber = there.OtherNumber, there.TrackingNumber
		d.result.Aliases = append(d.result.Aliases, there, back)
	}
}

// repeated reports whether an alias stands before index i already.
func (d *Decoder) repeated(i int) bool {
	if len(d.aliases) <= 16 {
		return slices.Contains(d.aliases[:i], d.aliases[i])
	}
	if d.known == nil {
		d.known = map[string]bool{}
	}
	if i == 0 {
		clear(d.known)
	}
	was := d.known[d.aliases[i]]
	d.known[d.aliases[i]] = true
	return was
}

// appendHashed appends s with its length, so that no two lists of strings give
// the same bytes.
func appendHashed(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}
