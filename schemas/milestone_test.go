package schemas

import (
	"strconv"
	"strings"
	"testing"
)

// canonicalMilestones is the contract: number, name, whether the parcel was
// handled then (p), whether it counts as a tracking update (u), whether it
// ends the trail (e).
const canonicalMilestones = `
0 unmapped -
10 label_created -
11 pickup_scheduled -
12 pickup_failed pu
20 accepted pu
30 origin_facility_arrived pu
31 origin_facility_departed pu
40 export_customs_started u
41 export_customs_held u
42 export_cleared u
43 export_rejected u
50 handed_to_linehaul pu
51 departed_origin pu
55 transit_hub_arrived pu
56 transit_hub_departed pu
57 in_transit pu
60 arrived_destination pu
70 import_customs_started u
71 import_customs_held u
72 import_cleared u
73 import_rejected u
80 handed_to_last_mile pu
81 destination_facility_arrived pu
82 destination_facility_departed pu
83 delivery_facility_arrived pu
90 out_for_delivery pu
91 delivery_attempted pu
92 available_for_pickup pu
95 delivered pue
100 delayed u
101 held u
102 address_issue u
103 misrouted pu
104 damaged pu
105 lost ue
106 destroyed pue
107 cancelled ue
108 seized u
120 return_started pu
121 return_in_transit pu
129 returned pue
140 number_changed -
141 tracking_ended e
142 info -
`

func TestMilestones(t *testing.T) {
	var b strings.Builder
	b.WriteByte('\n')
	for _, m := range Milestones() {
		flags := ""
		for _, f := range []struct {
			letter string
			set    bool
		}{{"p", m.Physical()}, {"u", m.Progress()}, {"e", m.Terminal()}} {
			if f.set {
				flags += f.letter
			}
		}
		if flags == "" {
			flags = "-"
		}
		b.WriteString(strings.Join([]string{strconv.Itoa(int(m)), m.String(), flags}, " ") + "\n")
		if back, err := ParseMilestone(m.String()); err != nil || back != m {
			t.Errorf("ParseMilestone(%q) = %d, %v", m.String(), back, err)
		}
	}
	if b.String() != canonicalMilestones {
		t.Errorf("have%swant%s", b.String(), canonicalMilestones)
	}
}
