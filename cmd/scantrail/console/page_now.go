package console

// nowPage shows what is stalled, and where one can still act.
func (c *console) nowPage(r *request) error {
	clock, err := c.queries.Clock(r.Context())
	if err != nil {
		return err
	}
	return r.render(r.Get("now.title"), map[string]any{"Clock": clock})
}
