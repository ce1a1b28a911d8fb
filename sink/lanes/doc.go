// Package lanes finds disrupted lanes: many parcels of one lane (origin and
// destination) that stall at one stage, while each of them alone looks like bad
// luck. It reads what ClickHouse knows (the view lane_stages) and publishes
// alerts of rule lane_disruption on parcel.alerts, from where the sink writes
// them into the table alerts.
//
// It keeps no state of its own: what is open stands in the table alerts, so that
// a restart goes on with it. All times are the clock of the log, rounded down to
// Config.Every. Id and version follow from it and from what is said, hence several
// processes that find the same transition publish the same row, and none has to
// lead.
// The result is as known: it depends on what had been written by then, and is
// not part of what a replay of the log repeats.
package lanes
