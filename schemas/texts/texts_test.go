package texts

import (
	"regexp"
	"slices"
	"testing"
)

var placeholder = regexp.MustCompile(`\{\d\}`)

// Every language has the same keys, and puts in the same things.
func TestLanguagesAgree(t *testing.T) {
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Tags(); !slices.Equal(got, []string{"en", "zh"}) {
		t.Fatalf("languages %v, want en and zh", got)
	}
	en := c.Language("en")
	for _, tag := range c.Tags() {
		other := c.Language(tag)
		for key, text := range en.text {
			translated, ok := other.text[key]
			if !ok || translated == "" {
				t.Errorf("%s.yaml: %s is missing", tag, key)
				continue
			}
			if want, got := inserted(text), inserted(translated); !slices.Equal(got, want) {
				t.Errorf("%s.yaml: %s puts in %v, want %v as in en.yaml", tag, key, got, want)
			}
		}
		for key := range other.text {
			if !en.Has(key) {
				t.Errorf("%s.yaml: %s is not in en.yaml", tag, key)
			}
		}
	}
}

func inserted(text string) []string {
	found := placeholder.FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func TestLanguage(t *testing.T) {
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		tags []string
		want string
	}{
		{nil, "en"}, {[]string{"zh-Hans-CN", "en"}, "zh"}, {[]string{"fr", "ZH"}, "zh"}, {[]string{"fr"}, "en"}, {[]string{""}, "en"},
	} {
		if got := c.Language(test.tags...).Tag; got != test.want {
			t.Errorf("Language(%q) = %s, want %s", test.tags, got, test.want)
		}
	}
}

func TestGetPutsIn(t *testing.T) {
	texts := Texts{text: map[string]string{"a": "{0} of {1}, {0}"}}
	if got, want := texts.Get("a", 1, "{0}"), "1 of {0}, 1"; got != want {
		t.Errorf("Get = %q, want %q", got, want)
	}
	if got := texts.Get("b"); got != "b" {
		t.Errorf("Get of an unknown key = %q, want the key", got)
	}
}
