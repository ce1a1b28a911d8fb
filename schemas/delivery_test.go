package schemas

import (
	"os"
	"strings"
	"testing"
)

// TestDeliveryKindsOfSchema holds the list in event.schema.json to DeliveryKinds.
func TestDeliveryKindsOfSchema(t *testing.T) {
	raw, err := os.ReadFile("event.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if want := "one of " + strings.Join(DeliveryKinds(), ", ") + "."; !strings.Contains(string(raw), want) {
		t.Errorf("the description of reason lacks %q", want)
	}
}
