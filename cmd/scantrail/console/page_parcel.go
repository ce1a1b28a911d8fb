package console

import "net/url"

// parcelPage shows all that is known of one parcel.
func (c *console) parcelPage(r *request) error {
	number := r.PathValue("number")
	return r.render(number, map[string]any{"Number": number})
}

// searchPage finds the parcel of a number.
func (c *console) searchPage(r *request) error {
	return r.redirect("/parcels/" + url.PathEscape(r.param("q")))
}
