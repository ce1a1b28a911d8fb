package carriers

import (
	"testing"

	"scantrail/schemas"
)

func load(t testing.TB) *Registry {
	t.Helper()
	r, err := Load(schemas.Carriers, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLoad(t *testing.T) {
	t.Log(load(t).Names())
}
