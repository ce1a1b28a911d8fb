package ingest

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestCarrierOfARecord(t *testing.T) {
	for _, c := range []struct{ header, want string }{
		{"", "usps"},
		{"fedex", "fedex"},
		{"jt_express_vn", "jt_express_vn"},
		{"<script>", "usps"},
		{"Fed Ex", "usps"},
		{strings.Repeat("x", 65), "usps"},
	} {
		r := &kgo.Record{Topic: "scans.raw.usps"}
		if c.header != "" {
			r.Headers = []kgo.RecordHeader{{Key: "other", Value: []byte("dhl")}, {Key: "carrier", Value: []byte(c.header)}}
		}
		if got := carrierOf(r); got != c.want {
			t.Errorf("header %q: carrier %q, want %q", c.header, got, c.want)
		}
	}
}
