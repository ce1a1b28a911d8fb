// Package shops publishes the scores of shops and raises the alerts that follow
// from them. Once an hour of the log's clock it writes the weeks that have closed
// (view lts_unpublished) into scores_published, then compares what the published
// weeks lead to (view shop_consequences) with the alerts that there are, and
// publishes what changes on parcel.alerts, from where the sink writes it into the
// table alerts.
//
// It keeps no state of its own: both tables say how far it got, so that a restart
// goes on with that, also between the two steps. Several processes may look at the
// same time: of one week the earliest publication stays, an alert's id follows
// from rule, shop and week, and its version from what is said, hence none has to
// lead.
// The result is as known: it depends on what had been written by then, and is
// not part of what a replay of the log repeats.
package shops
