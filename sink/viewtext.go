package sink

import (
	"fmt"
	"slices"
	"strings"

	"scantrail/schemas"
)

// This file writes the parts of views that Go knows better than a template.

// dimension is what rates and times are given per.
type dimension struct {
	Name, Keys, Title string
	Passes            []pass
}

// pass is one way to group parcels for the times of some stages.
type pass struct {
	Keys   string
	Stages []stage
}

// stage is a part of a parcel's way that ends with Milestone. Its expressions are
// over the columns of parcel_measures.
type stage struct {
	Name, Milestone string
	From, To        string // columns, without _at: it lasts from one to the other
	Lane            string // whether the lane has it
	Entered, Due    string // the parcel came into it; its end has to be in the trail
	First           bool   // the first carrier answers for it, not the last one
}

func stages() []stage {
	const customs, always = "cross_border", "true"
	return []stage{
		{"announced", "accepted", "label", "accepted", always, "true", "stage_no >= 20", true},
		{"origin", "export_cleared", "accepted", "export_cleared", customs, "stage_no >= 20", "stage_no >= 50", true},
		{"linehaul", "arrived_destination", "export_cleared", "arrived", customs, "stage_no >= 50", "stage_no >= 80", true},
		{"import", "import_cleared", "arrived", "import_cleared", customs, "stage_no >= 60", "stage_no >= 80", false},
		{"destination", "out_for_delivery", "import_cleared", "out_for_delivery", customs, "stage_no >= 80", "ofd_due", false},
		{"domestic", "out_for_delivery", "accepted", "out_for_delivery", "NOT cross_border", "stage_no >= 20", "ofd_due", false},
		{"delivery", "delivered", "out_for_delivery", "delivered", always, "stage_no >= 90", "true", false},
	}
}

func dimensions() []dimension {
	all := stages()
	of := func(first bool) []stage {
		return slices.DeleteFunc(slices.Clone(all), func(s stage) bool { return s.First != first })
	}
	return []dimension{
		{"shop", "shop_id", "shop", []pass{{"shop_id", all}}},
		{"carrier", "carrier", "carrier (a parcel''s last one; in stage_dwell_carrier the first one up to the arrival in the destination country)",
			[]pass{{"first_carrier AS carrier", of(true)}, {"carrier", of(false)}}},
		{"lane", "origin, destination", "lane", []pass{{"origin, destination", all}}},
	}
}

func quote(s string) string {
	return "'" + strings.NewReplacer("\\", "\\\\", "'", "''").Replace(s) + "'"
}

// customsUnionSQL is the list of states between which goods pass no customs.
func customsUnionSQL() string {
	var quoted []string
	for c := range strings.FieldsSeq(schemas.CustomsUnion) {
		quoted = append(quoted, quote(c))
	}
	return "(" + strings.Join(quoted, ", ") + ")"
}

// percentilesSQL gives the percentiles of secs in hours as columns that begin
// with name; they are NULL where n, a column, is 0.
func percentilesSQL(secs, n, name string) string {
	var columns []string
	for i, p := range []int{50, 80, 90, 95} {
		columns = append(columns, fmt.Sprintf("if(%s = 0, NULL, round(quantilesExact(0.5, 0.8, 0.9, 0.95)(%s)[%d] / 3600, 1)) AS %s_p%d_hours", n, secs, i+1, name, p))
	}
	return strings.Join(columns, ",\n    ")
}

// stageSQL gives the stage of stage_dwell_* in which a parcel is whose furthest
// milestone is in column. origin and destination are columns beside it.
func stageSQL(column string) string {
	between := func(from, to schemas.Milestone) string {
		var names []string
		for _, m := range schemas.Milestones() {
			if m >= from && m <= to {
				names = append(names, quote(m.String()))
			}
		}
		return fmt.Sprintf("%s IN (%s)", column, strings.Join(names, ", "))
	}
	return fmt.Sprintf(`multiIf(%s, 'delivery',
        NOT %s, 'announced',
        origin = destination OR origin IN %[3]s AND destination IN %[3]s, 'domestic',
        %[4]s, 'origin', %[5]s, 'linehaul', %[6]s, 'import', 'destination')`,
		between(schemas.OutForDelivery, schemas.Delivered), between(schemas.Accepted, schemas.Delivered), customsUnionSQL(),
		between(schemas.Accepted, schemas.ExportRejected), between(schemas.HandedToLinehaul, schemas.InTransit),
		between(schemas.ArrivedDestination, schemas.ImportRejected))
}

// adviceSQL is schemas.Advice over the columns rule, detail and cause.
func adviceSQL() string {
	var b strings.Builder
	b.WriteString("multiIf(")
	for _, c := range schemas.AdviceCases() {
		var conditions []string
		for _, is := range []struct{ column, value string }{{"rule", c.Rule}, {"detail", c.Detail}, {"cause", c.Cause}} {
			if is.value != "" {
				conditions = append(conditions, is.column+" = "+quote(is.value))
			}
		}
		fmt.Fprintf(&b, "%s, %s,\n        ", strings.Join(conditions, " AND "), quote(c.Advice))
	}
	return b.String() + "'')"
}
