package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"scantrail/schemas"
)

// params reads the parameters of a question. Its first error stays; one that is
// not known is an error too: a filter with a slip of the pen would let through
// everything.
type params struct {
	values url.Values
	known  []string
	err    *wrong
}

func (p *params) fail(what, remedy string) {
	if p.err == nil {
		p.err = &wrong{what, remedy}
	}
}

// maxParam bounds a parameter. Names of shops and carriers are shorter.
const maxParam = 200

func (p *params) text(name string) string {
	p.known = append(p.known, name)
	all := p.values[name]
	switch {
	case len(all) == 0:
		return ""
	case len(all) > 1:
		p.fail(name+" is given more than once", "give it once")
	case len(all[0]) > maxParam || strings.ContainsFunc(all[0], func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }):
		p.fail(fmt.Sprintf("%s is longer than %d bytes, or no text", name, maxParam), "")
	}
	return all[0]
}

func (p *params) number(name string, low, high, missing int) int {
	s := p.text(name)
	if s == "" {
		return missing
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		p.fail(fmt.Sprintf("%s is no whole number from %d to %d", name, low, high), "")
	}
	return n
}

// oneOf reads a list, separated by commas, of given words.
func (p *params) oneOf(name string, words ...string) []string {
	s := p.text(name)
	if s == "" {
		return nil
	}
	list := strings.Split(s, ",")
	for _, w := range list {
		if !slices.Contains(words, w) {
			p.fail(fmt.Sprintf("%s: %.40q is not known", name, w), "choose of "+strings.Join(words, ", "))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (p *params) time(name string) time.Time {
	s := p.text(name)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	// The limits of ClickHouse's DateTime64.
	if err != nil || t.Year() < 1970 || t.Year() > 2200 {
		p.fail(fmt.Sprintf("%s: %.40q is no time", name, s), "write it as 2026-11-22T09:00:00Z")
		return time.Time{}
	}
	return t
}

func (p *params) flag(name string) bool {
	switch p.text(name) {
	case "", "false":
		return false
	case "true":
		return true
	}
	p.fail(name+" is neither true nor false", "")
	return false
}

// done returns the first error, after all parameters have been read.
func (p *params) done() error {
	for name := range p.values {
		if !slices.Contains(p.known, name) {
			p.fail(fmt.Sprintf("the parameter %.40q is not known", name), "known here: "+strings.Join(p.known, ", "))
		}
	}
	if p.err != nil {
		return p.err
	}
	return nil
}

// trackingNumber reads a number as it is printed.
func trackingNumber(printed string) (string, error) {
	n, ok := schemas.AppendNumber(nil, printed)
	if !ok {
		return "", &wrong{fmt.Sprintf("%.60q is no tracking number", printed), fmt.Sprintf("give %d to %d letters and digits; spaces, dashes, dots, slashes and underscores between them do not count", schemas.MinNumber, schemas.MaxNumber)}
	}
	return string(n), nil
}

// cursor is where a list goes on: behind the alert with this anchor and id. Both
// never change. It tells nothing that the list has not shown, and what follows is
// chosen by whoever asks then.
type cursor struct {
	anchor time.Time
	id     uuid.UUID
	filter [4]byte // hash of the filters: it goes on with the same question
}

const cursorVersion = 1

func (c cursor) String() string {
	b := append([]byte{cursorVersion}, c.filter[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.anchor.UnixMilli()))
	return base64.RawURLEncoding.EncodeToString(append(b, c.id[:]...))
}

func parseCursor(s string, filter [4]byte) (c cursor, err error) {
	const length = 1 + 4 + 8 + 16
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != length || b[0] != cursorVersion {
		return c, &wrong{"cursor is none of ours", "leave it out to begin anew, or take the next of an answer as it is"}
	}
	if c.filter = [4]byte(b[1:5]); c.filter != filter {
		return c, &wrong{"cursor is of a question with other filters", "repeat the filters of the first question, or leave it out to begin anew"}
	}
	c.anchor = time.UnixMilli(int64(binary.BigEndian.Uint64(b[5:]))).UTC()
	c.id = uuid.UUID(b[13:])
	if c.anchor.Year() < 1900 || c.anchor.Year() > 2299 {
		return c, &wrong{"cursor is none of ours", "leave it out to begin anew"}
	}
	return c, nil
}

// filterHash is a hash of all parameters but the place in the list and its shape.
func filterHash(values url.Values) (h [4]byte) {
	rest := url.Values{}
	for name, v := range values {
		if name != "cursor" && name != "limit" && name != "format" {
			rest[name] = v
		}
	}
	sum := sha256.Sum256([]byte(rest.Encode()))
	return [4]byte(sum[:4])
}
