package main

// ofOrders are mistakes in what is judged by the order.
func ofOrders() []mutant {
	return []mutant{
		{"deadline-by-one", "what happens in the last second of its time is late", []edit{
			{"detector/orderrules.go", "until <= saturate(a.sec, l.secs)", "until < saturate(a.sec, l.secs)"},
			{"detector/orderrules.go", "if until > last {", "if until >= last {"}}},
		{"deadline-open-by-one", "a deadline is missed in its last second", []edit{
			{"detector/orderrules.go", "case d.now > last:", "case d.now >= last:"}}},
		{"deadline-not-awaited", "no timer for a deadline", []edit{
			{"detector/orderrules.go", "\tdefault:\n\t\tv.wake(saturate(last, 1))\n", "\tdefault:\n"}}},
		{"cancelled-still-judged", "the deadlines of a cancelled order go on", []edit{
			{"detector/orderrules.go", "stop := cancelled\n", "stop := uint32(0)\n"}}},
		{"first-promise-counts", "a promise that was extended does not count", []edit{
			{"detector/orderrules.go", "if f.promise != 0 {\n\t\t\to.promise,", "if f.promise != 0 && o.promise == 0 {\n\t\t\to.promise,"}}},
		{"shop-holidays-ignored", "deadlines run in the holidays of the order's shop", []edit{
			{"detector/orderrules.go", "if d.orderView.holidays {", "if d.orderView.holidays && d.now == 0 {"}}},
		{"policy-holidays-ignored", "deadlines run in the holidays of the policy", []edit{
			{"detector/orderrules.go", "s != nil && (len(s.holidays)", "s != nil && d.now == 0 && (len(s.holidays)"}}},
		{"holidays-count-twice", "two holidays that overlap move a deadline twice", []edit{
			{"detector/deadlines.go", "if n > 0 && next.from <= s[n-1].until {", "if n > 0 && next.from < s[n-1].from {"}}},
		{"weekend-a-day-early", "working days leave out Friday and Saturday", []edit{
			{"detector/deadlines.go", "(day+4)%7", "(day+5)%7"}}},
		{"day-in-utc", "working days end at midnight UTC, not of the calendar's zone", []edit{
			{"detector/deadlines.go", "if c.zone == time.UTC {", "if c.zone != nil {"}}},
		{"cancelled-order-reuses", "a cancelled order counts as one that reuses a number", []edit{
			{"detector/numberrules.go", "h.cancelled = h.cancelled || ", "h.cancelled = h.cancelled && "}}},
		{"new-number-late", "a number that an order names later hears nothing of what was before", []edit{
			{"detector/orders.go", "if slices.Contains(before, n) {", "if slices.Contains(before, n) || slices.Contains(after, n) {"}}},
		{"order-number-by-arrival", "of two numbers of an order fact the one that came first names its alerts", []edit{
			{"detector/orders.go", "if !m.renumber(e, &facts[at], &f) && !changed {", "_ = at\n\tif !changed {"}}},
		{"number-of-last-label", "of two labels of one second the last names the alerts", []edit{
			{"detector/orderrules.go", "o.carrier, o.by = f.carrier, anchor{f.at, f.num}\n\t\t\t}", "o.carrier, o.by = f.carrier, anchor{f.at, f.num}\n\t\t\t}\n\t\t\tif f.carrier != 0 && f.at == o.by.sec {\n\t\t\t\to.by.num = f.num\n\t\t\t}"}}},
		{"forwarded-ignored", "deadlines count by the clock although facts are still on their way", []edit{
			{"detector/entity.go", "return m.slow\n", "return m.now()\n"}}},
	}
}
