package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"scantrail/schemas"
)

// runCommand runs a command as a user would and returns what it printed.
func runCommand(cmd *cobra.Command, stdin string, args ...string) (stdout, stderr string, err error) {
	var out, errOut bytes.Buffer
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	cmd.SetArgs(args)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err = cmd.Execute()
	return out.String(), errOut.String(), err
}

const upsWebhook = `{"trackingNumber":"1Z0000000000000017","activityLocation":{"city":"Charlotte","stateProvince":"NC","country":"US"},` +
	`"activityStatus":{"type":"I","code":"OT","description":"Out for Delivery"},` +
	`"localActivityDate":"20261006","localActivityTime":"091519","gmtActivityDate":"20261006","gmtActivityTime":"131519"}`

func TestNormalize(t *testing.T) {
	stdout, stderr, err := runCommand(newNormalizeCommand(), upsWebhook, "--carrier", "ups", "--received-at", "2026-10-06T13:16:00Z")
	if err != nil || stderr != "" {
		t.Fatalf("%v\n%s", err, stderr)
	}
	var e schemas.Event
	if err := json.Unmarshal([]byte(stdout), &e); err != nil {
		t.Fatalf("%s: %v", stdout, err)
	}
	if e.Milestone != schemas.OutForDelivery || e.TrackingNumber != "1Z0000000000000017" || e.OffsetMinutes != -240 ||
		schemas.FormatTime(e.ReceivedAt) != "2026-10-06T13:16:00.000Z" || strings.Count(stdout, "\n") != 1 {
		t.Errorf("got %s", stdout)
	}
}

func TestNormalizeDeadLetters(t *testing.T) {
	good, bad := filepath.Join(t.TempDir(), "good.json"), filepath.Join(t.TempDir(), "bad.json")
	for file, text := range map[string]string{good: upsWebhook, bad: `{"response":{"errors":[{"code":"TV1002","message":"Invalid"}]}}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stdout, stderr, err := runCommand(newNormalizeCommand(), "", "--carrier", "ups", bad, good)
	if !errors.Is(err, errSaid) {
		t.Errorf("the exit status does not tell of the dead letter: %v", err)
	}
	var letter rejectionJSON
	if err := json.Unmarshal([]byte(stderr), &letter); err != nil {
		t.Fatalf("%s: %v", stderr, err)
	}
	if letter.File != bad || letter.EventIndex != -1 || letter.Reason != "carrier_error" || letter.Detail == "" {
		t.Errorf("dead letter %+v", letter)
	}
	if strings.Count(stdout, "out_for_delivery") != 1 {
		t.Errorf("the good record is lost: %s", stdout)
	}
}

func TestNormalizeGeneric(t *testing.T) {
	const record = `{"tracking_number":"AB123456789","events":[{"time":"2026-10-01T08:00:00Z","text":"Delivered"}]}`
	stdout, stderr, err := runCommand(newNormalizeCommand(), record, "--carrier", "nobody", "-")
	if err != nil || !strings.Contains(stdout, `"generic":true`) || !strings.Contains(stderr, `"nobody" has no mapping`) {
		t.Errorf("%v\n%s\n%s", err, stdout, stderr)
	}
	if _, stderr, err = runCommand(newNormalizeCommand(), record, "--carrier", "nobody", "--generic"); err != nil || stderr != "" {
		t.Errorf("--generic: %v %s", err, stderr)
	}
}

func TestNormalizeErrors(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "carrier"},
		{[]string{"--carrier", "ups", "/absent/file"}, "/absent/file"},
		{[]string{"--carrier", "ups", "--received-at", "now"}, "--received-at"},
		{[]string{"--carrier", "ups", "--carriers", "/absent"}, "/absent"},
	} {
		if _, _, err := runCommand(newNormalizeCommand(), "", tt.args...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want one that names %s", tt.args, err, tt.want)
		}
	}
}

func TestCarrierList(t *testing.T) {
	stdout, _, err := runCommand(newCarrierCommand(), "", "list")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CARRIER", "ups", "json,xml", "Asia/Shanghai", "yunexpress", "UNVERIFIED",
		"usps_extract", "csv", "; general knowledge, unverified: all codes", "; general knowledge, unverified: codes AR | DP"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is missing in\n%s", want, stdout)
		}
	}
}
