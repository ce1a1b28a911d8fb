package notify

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// README.md names every field that a template can use, every kind of receiver, and
// shows a template that works.
func TestReadme(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, v := range []any{AlertView{}, DigestView{}, CountView{}} {
		for i := range reflect.TypeOf(v).NumField() {
			if name := reflect.TypeOf(v).Field(i).Name; !strings.Contains(page, "`"+name+"`") {
				t.Errorf("README.md does not name %T.%s", v, name)
			}
		}
	}
	for _, k := range Kinds() {
		if !strings.Contains(page, "`"+string(k)+"`") {
			t.Errorf("README.md does not name the kind %s", k)
		}
	}
	_, example, _ := strings.Cut(page, "```\n{{define")
	example, _, _ = strings.Cut("{{define"+example, "```")
	e := Receiver{Name: "x", Kind: KindSlack, URL: "https://example.com/", Template: example}
	for _, p := range e.Problems() {
		t.Errorf("the template of README.md: %v", p)
	}
}
