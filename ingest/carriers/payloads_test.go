package carriers

import (
	"bytes"
	"encoding/csv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// payloads is the folder of collected answers of real carriers, which is not
// part of the repository.
func payloads(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Skip("no go.mod above")
		}
		dir = filepath.Dir(dir)
	}
	dir = filepath.Join(dir, "..", "shared", "payloads")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no collected payloads beside the repository")
	}
	return dir
}

// counts is what a payload gives, found by reading it.
type counts struct {
	events, aliases int
	rejected        []Reason
}

var payloadCounts = map[string]counts{
	"canadapost/active_shipping_dnc_tracking_details_en.xml":                    {events: 7},
	"canadapost/active_shipping_tracking_details_en.xml":                        {events: 10},
	"canadapost/active_shipping_tracking_details_en_error.xml":                  {rejected: []Reason{NotFound}},
	"canadapost/active_shipping_tracking_details_en_undelivered.xml":            {events: 7},
	"canadapost/active_shipping_tracking_details_fr.xml":                        {events: 10},
	"canadapost/active_shipping_tracking_details_no_expected_delivery_date.xml": {events: 1},
	"canadapost/karrio_tracking_response.xml":                                   {events: 6},
	"canadapost/karrio_unknown_tracking_number_response.xml":                    {rejected: []Reason{NotFound}},
	"dhl_express/karrio_intransit_tracking_response.xml":                        {events: 1},
	"dhl_express/karrio_tracking_response.xml":                                  {events: 19},
	"dhl_express/karrio_tracking_single_not_found.xml":                          {rejected: []Reason{NotFound}},
	"dhl_universal/karrio_tracking_response.json":                               {events: 1},
	"fedex/active_shipping_tracking_response_bad_tracking_number.xml":           {rejected: []Reason{CarrierError}},
	"fedex/active_shipping_tracking_response_delivered_at_door.xml":             {events: 10},
	"fedex/active_shipping_tracking_response_delivered_at_facility.xml":         {events: 19},
	"fedex/active_shipping_tracking_response_delivered_with_signature.xml":      {events: 11},
	"fedex/active_shipping_tracking_response_empty_status_detail.xml":           {},
	"fedex/active_shipping_tracking_response_failure_code_9045.xml":             {rejected: []Reason{CarrierError}},
	"fedex/active_shipping_tracking_response_failure_code_9080.xml":             {rejected: []Reason{CarrierError}},
	"fedex/active_shipping_tracking_response_in_transit.xml":                    {events: 1},
	"fedex/active_shipping_tracking_response_invalid_tracking_number.xml":       {rejected: []Reason{CarrierError}},
	"fedex/active_shipping_tracking_response_missing_status_code.xml":           {},
	"fedex/active_shipping_tracking_response_multiple_results.xml":              {},
	"fedex/active_shipping_tracking_response_not_found.xml":                     {rejected: []Reason{NotFound}},
	"fedex/active_shipping_tracking_response_shipment_exception.xml":            {events: 8},
	"fedex/active_shipping_tracking_response_unable_to_process.xml":             {rejected: []Reason{CarrierError}},
	"fedex/active_shipping_tracking_response_with_blank_state.xml":              {events: 1},
	"fedex/karrio_duplicate_tracking_response.json":                             {events: 18},
	"fedex/karrio_inconsistent_date_time_response.json":                         {events: 17},
	"fedex/karrio_tracking_response.json":                                       {events: 1, rejected: []Reason{CarrierError, NotFound}},
	"royalmail/karrio_tracking_response.json":                                   {events: 1},
	"ups/karrio_invalid_tracking_number_response.json":                          {rejected: []Reason{CarrierError}},
	"ups/karrio_tracking_number_not_found_response.json":                        {rejected: []Reason{NotFound}},
	"ups/karrio_tracking_response.json":                                         {events: 1, aliases: 2},
	"ups/track_alert_webhook_delivery_message.json":                             {events: 1},
	"ups/track_alert_webhook_out_for_delivery_message.json":                     {events: 1},
	"usps/active_shipping_tracking_response.xml":                                {events: 10},
	"usps/active_shipping_tracking_response_alt.xml":                            {events: 1, rejected: []Reason{NoTime}},
	"usps/active_shipping_tracking_response_batch.xml":                          {events: 10, rejected: []Reason{BadNumber, NotFound, CarrierError}},
	"usps/active_shipping_tracking_response_failure.xml":                        {rejected: []Reason{NotFound}},
	"usps/active_shipping_tracking_response_not_available.xml":                  {rejected: []Reason{CarrierError}},
	"usps/active_shipping_tracking_response_test_error.xml":                     {rejected: []Reason{CarrierError}},
	"usps/karrio_tracking_response.json":                                        {events: 12},
	"yunexpress/karrio_tracking_response.json":                                  {aliases: 2},
}

func TestPayloads(t *testing.T) {
	dir := payloads(t)
	r := load(t)
	d := r.NewDecoder(Limits{})
	for _, carrier := range r.Names() {
		files, err := filepath.Glob(filepath.Join(dir, carrier, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name := carrier + "/" + filepath.Base(file)
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := d.Decode(carrier, raw, Source{})
			want, listed := payloadCounts[name]
			if !listed && len(got.Events)+len(got.Rejected)+len(got.Aliases) > 0 {
				continue // a newer mapping: at least nothing is lost
			}
			var reasons []Reason
			for _, x := range got.Rejected {
				reasons = append(reasons, x.Reason)
			}
			if len(got.Events) != want.events || len(got.Aliases) != want.aliases || !slices.Equal(reasons, want.rejected) {
				t.Errorf("%s: %d events, %d aliases, rejected %v; want %+v\n%s", name, len(got.Events), len(got.Aliases), reasons, want, describe(got))
			}
			for i := range got.Events {
				if e := &got.Events[i]; e.Rule == "none" {
					t.Errorf("%s: event %d, code %q text %q, has no meaning", name, i, e.RawCode, e.RawText)
				}
			}
		}
	}
}

// TestPayloadCodes: every code that was seen in answers of these carriers has a
// meaning in the mapping.
func TestPayloadCodes(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(payloads(t), "codes_seen.csv"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	r := load(t)
	notEvents := []string{"ups 518", "ups string", "mydhl LAX", "mydhl NYC"} // a service, a placeholder, service areas
	for _, line := range all[1:] {
		c, ok := r.Carrier(line[0])
		if ok && c.meaning(line[1]) == nil && !slices.Contains(notEvents, line[0]+" "+line[1]) {
			t.Errorf("%s: code %q (%s) has no meaning", line[0], line[1], line[2])
		}
	}
}

// TestPayloadsGeneric reads everything as if no carrier had a mapping: all must
// end as events or rejections, and a good part be readable.
func TestPayloadsGeneric(t *testing.T) {
	dir := payloads(t)
	d := load(t).NewDecoder(Limits{})
	files, read := 0, 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(path, ".csv") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		got := d.Decode("nobody", raw, Source{})
		files++
		if len(got.Events) > 0 {
			read++
		}
		if len(got.Events)+len(got.Rejected) == 0 {
			t.Errorf("%s: neither events nor rejections", path)
		}
		for i := range got.Events {
			if !got.Events[i].Generic || !strings.HasPrefix(got.Events[i].Rule, "generic:") {
				t.Errorf("%s: event %d is not marked as generic: %q", path, i, got.Events[i].Rule)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the generic reader reads %d of %d payloads", read, files)
	if read < 20 {
		t.Errorf("the generic reader reads %d of %d payloads", read, files)
	}
}
