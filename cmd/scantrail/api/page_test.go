package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write what the API answers into API.md")

// example is a question on the page, and the answer that follows it.
var example = regexp.MustCompile("(?s)'https://scantrail.example.com(/v1/[^']*)'\n```\n\n<!-- answer -->\n(?:\n```json\n.*?\n```\n)?")

// TestPage: the answers on the page are what the API answers.
func TestPage(t *testing.T) {
	s := start(t)
	const path = "../API.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	want := example.ReplaceAllStringFunc(string(page), func(found string) string {
		shown++
		question := example.FindStringSubmatch(found)[1]
		answer := s.do("GET", question, viewer)
		head, _, _ := strings.Cut(found, "<!-- answer -->\n")
		return head + "<!-- answer -->\n\n```json\n" + pretty(t, answer.body) + "\n```\n"
	})
	if shown < 4 {
		t.Fatalf("the page shows %d questions", shown)
	}
	if want == string(page) {
		return
	}
	if !*update {
		t.Fatal("API.md does not show what the API answers: go test ./cmd/scantrail/api -run TestPage -update")
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// pretty prints JSON with what fits on a line on one.
func pretty(t *testing.T, body []byte) string {
	t.Helper()
	var b strings.Builder
	var put func(raw json.RawMessage, indent string)
	put = func(raw json.RawMessage, indent string) {
		const width = 150
		if utf8.RuneCount(raw)+len(indent) <= width || raw[0] != '{' && raw[0] != '[' {
			b.Write(raw)
			return
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.Token() //nolint:errcheck // the body is valid
		b.WriteByte(raw[0])
		for first := true; d.More(); first = false {
			if !first {
				b.WriteByte(',')
			}
			b.WriteString("\n" + indent + "  ")
			if raw[0] == '{' {
				key, _ := d.Token()
				b.WriteString(`"` + key.(string) + `": `)
			}
			var value json.RawMessage
			if err := d.Decode(&value); err != nil {
				t.Fatal(err)
			}
			put(value, indent+"  ")
		}
		b.WriteString("\n" + indent + string(raw[0]+2))
	}
	put(bytes.TrimSpace(body), "")
	return b.String()
}
