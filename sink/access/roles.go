package access

import (
	"fmt"
	"slices"
	"strings"
)

// The roles.
const (
	WriterRole    = "scantrail_writer"     // the service: scantrail run
	MigratorRole  = "scantrail_migrator"   // scantrail migrate
	AuditorRole   = "scantrail_auditor"    // scantrail audit
	RawWriterRole = "scantrail_raw_writer" // the role raw of the service
	AnalystRole   = "scantrail_analyst"    // views and tables without personal data
	SellerRole    = "scantrail_seller"     // the same for the shops of seller_users
	TextsRole     = "scantrail_texts"      // beside analyst: what carriers printed, and dead letters whole
	RawReaderRole = "scantrail_raw_reader" // beside analyst: raw_records
	ConsoleRole   = "scantrail_console"    // the role web of the service: what analyst and texts read; what people did about alerts
)

// role is a role with what follows GRANT for it.
type role struct {
	name   string
	grants []string
}

// rule says what the roles may do with one table.
type rule struct {
	insert bool     // scantrail_writer writes it
	read   bool     // scantrail_writer reads it
	hidden []string // columns that analysts do not see; "*": the table
	// seller is the row policy of scantrail_seller, %[1]s standing for the
	// database; empty: no access. Columns are those that a seller may read;
	// none: all.
	seller  string
	columns []string
}

const (
	ownShops   = "shop_id IN (SELECT shop_id FROM %[1]s.seller_shops)"
	ownParcels = "(SELECT tracking_number FROM %[1]s.parcels FINAL WHERE " + ownShops + ")"
	everyRow   = "1"
)

// rules has every table of the schema. Personal data lie in what carriers
// printed: raw_text, location_raw, raw records, dead letters with their details.
func rules() map[string]rule {
	all := []string{"*"}
	return map[string]rule{
		"scans": {insert: true, read: true, seller: "(tracking_number, intDiv(toUnixTimestamp(least(occurred_at, received_at)), 864000)) IN (SELECT tracking_number, ten_days FROM %[1]s.seller_numbers)"},
		// Of the texts a seller reads no more than parcel_trail needs to join them.
		"scan_texts":        {insert: true, hidden: []string{"raw_text", "location_raw"}, seller: "tracking_number IN (SELECT tracking_number FROM %[1]s.seller_numbers)", columns: []string{"partition", "offset", "tracking_number"}},
		"parcels":           {insert: true, read: true, seller: ownShops},
		"orders":            {insert: true, read: true, seller: ownShops},
		"order_facts":       {insert: true, read: true, seller: ownShops},
		"alerts":            {insert: true, read: true, seller: ownShops},
		"alert_transitions": {insert: true, seller: ownShops},
		"alert_deliveries":  {insert: true, read: true},
		"receiver_states":   {insert: true, read: true},
		"aliases":           {insert: true, seller: "tracking_number IN " + ownParcels + " OR other_number IN " + ownParcels},
		"voids":             {insert: true, seller: everyRow, columns: []string{"event_fact_id"}},
		"blocks":            {insert: true, read: true, seller: everyRow, columns: []string{"partition", "last_tick_at"}},
		"data_gaps":         {insert: true, seller: "kind = 'quarantine'", columns: []string{"kind", "entity"}},
		"policy_scores":     {insert: true, read: true, seller: everyRow},
		"scores_published":  {insert: true, read: true, seller: ownShops},
		"policies":          {insert: true},
		"feed_minutes":      {insert: true},
		"ranges":            {insert: true},
		"dead_letters":      {insert: true, hidden: []string{"raw", "detail"}},
		"archive":           {insert: true, read: true, hidden: all},
		"raw_records":       {hidden: all},
		"schema_migrations": {read: true},
		"seller_users":      {hidden: all, seller: "user_name = currentUser()"},
		"alert_handling":    {read: true}, // written by the console; what staff said of a shop is not for the shop
	}
}

// roles returns the roles for what the database has.
func (s *schema) roles() []role {
	db := quoteIdent(s.Database) + ".*"
	writer := role{name: WriterRole}
	analyst, seller, auditor := role{name: AnalystRole}, role{name: SellerRole}, role{name: AuditorRole}
	for _, name := range sorted(s.tables) {
		r, known := rules()[name]
		if !known {
			continue
		}
		if r.insert {
			writer.grants = append(writer.grants, s.grants("INSERT", name, nil)...)
		}
		if r.read {
			writer.grants = append(writer.grants, s.grants("SELECT", name, nil)...)
		}
		if name != "raw_records" {
			auditor.grants = append(auditor.grants, s.grants("SELECT", name, nil)...)
		}
		analyst.grants = append(analyst.grants, s.analyst(name, r.hidden)...)
		if r.seller != "" {
			seller.grants = append(seller.grants, s.grants("SELECT", name, r.columns)...)
		}
	}
	for _, v := range s.views {
		for _, r := range []*role{&writer, &analyst, &seller, &auditor} {
			if r != &seller || !slices.Contains(staffViews(), v) {
				r.grants = append(r.grants, "SELECT ON "+s.table(v))
			}
		}
	}
	texts := role{TextsRole, slices.Concat(s.grants("SELECT", "scan_texts", nil), s.grants("SELECT", "dead_letters", nil))}
	return []role{
		writer,
		{MigratorRole, append(slices.Clone(auditor.grants),
			// INSERT, and SELECT on what it makes meanwhile, for CREATE OR REPLACE VIEW.
			"CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, ALTER, INSERT ON "+db, "SELECT ON "+quoteIdent(s.Database)+"._tmp_replace_*",
			"CLUSTER ON *.*", "TABLE ENGINE ON MergeTree", "TABLE ENGINE ON Distributed")},
		auditor,
		{RawWriterRole, slices.Concat(s.grants("INSERT", "raw_records", nil), s.grants("INSERT", "data_gaps", nil))},
		analyst, seller, texts,
		{RawReaderRole, s.grants("SELECT", "raw_records", nil)},
		{ConsoleRole, slices.Concat(analyst.grants, texts.grants, s.grants("INSERT", "alert_handling", nil))},
	}
}

// staffViews show what people did about alerts: sellers do not see them.
func staffViews() []string {
	return []string{"alert_handling_current", "alerts_to_handle", "alert_deliveries_current", "receivers_current"}
}

// analyst returns the grants to read what a table does not hide. A view asks
// for the rights of whoever reads it, column by column.
func (s *schema) analyst(name string, hidden []string) []string {
	switch {
	case len(hidden) == 0:
		return s.grants("SELECT", name, nil)
	case hidden[0] == "*":
		return nil
	}
	return s.grants("SELECT", name, slices.DeleteFunc(slices.Clone(s.tables[name]), func(c string) bool { return slices.Contains(hidden, c) }))
}

// grants returns a privilege on a table, and on its shards' own tables. Rows
// are inserted into those by the server, in the user's name.
func (s *schema) grants(privilege, name string, columns []string) []string {
	list := ""
	if columns != nil {
		quoted := make([]string, len(columns))
		for i, c := range columns {
			quoted[i] = quoteIdent(c)
		}
		list = "(" + strings.Join(quoted, ", ") + ")"
	}
	var all []string
	for _, t := range s.physical(name) {
		all = append(all, privilege+list+" ON "+s.table(t))
	}
	return all
}

// policy is a row policy of scantrail_seller.
type policy struct{ table, using string }

// policies returns a policy for each table that a seller may read. On a cluster
// it stands at the shards' own tables, where the rows are.
func (s *schema) policies() []policy {
	var all []policy
	for _, name := range sorted(s.tables) {
		r := rules()[name]
		if r.seller == "" || r.seller == everyRow {
			continue
		}
		table := name
		if s.Cluster != "" {
			table += localSuffix
		}
		using := r.seller
		if strings.Contains(using, "%[1]s") {
			using = fmt.Sprintf(using, quoteIdent(s.Database))
		}
		all = append(all, policy{table, using})
	}
	return all
}
