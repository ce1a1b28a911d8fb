package carriers

import (
	"testing"

	"pgregory.net/rapid"

	"scantrail/schemas"
)

func TestNumbers(t *testing.T) {
	d := load(t).NewDecoder(Limits{})
	for printed, want := range map[string]string{
		"LX000000178CN": "LX000000178CN", "lx 000 000 178 cn": "LX000000178CN", "1Z-999.AA1": "1Z999AA1", "7777777770": "7777777770",
		"12345": "", "string": "", "ABCDEFG": "", "0000000000": "", "AB****1234": "", "XXXXX1234": "", "AXBXCXDX1": "AXBXCXDX1",
		"12345678901234567890123456789012345678901": "", "包裹12345678": "", "": "",
	} {
		got, ok := d.canonical(printed)
		if ok != (want != "") || ok && got != want {
			t.Errorf("canonical(%q) = %q, %v, want %q", printed, got, ok, want)
		}
	}
	for number, want := range map[string]string{
		"RB123456785GB": "GB", "LX000000178CN": "CN", "LX000000175CN": "", "LX000000178ZZ": "", "1Z00000000000": "", "ABCDEFGHIJKLM": "",
	} {
		if got := s10Origin(number, d.registry.geo); got != want {
			t.Errorf("s10Origin(%q) = %q, want %q", number, got, want)
		}
	}
}

// The short way for numbers that are canonical already agrees with the long.
func TestCanonicalAgrees(t *testing.T) {
	d := load(t).NewDecoder(Limits{})
	rapid.Check(t, func(t *rapid.T) {
		printed := rapid.StringMatching(`[A-CXa-c0-2 .\-*]{0,44}`).Draw(t, "printed")
		long, valid := schemas.AppendNumber(nil, printed)
		got, ok := d.canonical(printed)
		if ok && (!valid || got != string(long)) {
			t.Fatalf("canonical(%q) = %q, want %q", printed, got, long)
		}
		if again, twice := d.canonical(got); ok && (!twice || again != got) {
			t.Fatalf("canonical(%q) is not canonical", got)
		}
	})
}
