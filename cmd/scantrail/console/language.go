package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const languageCookie = "scantrail_lang"

// languageOf is the one that ?lang= asks for (and a cookie remembers), else the
// cookie's, else the browser's.
func (c *console) languageOf(w http.ResponseWriter, r *http.Request) *language {
	if tag := r.URL.Query().Get("lang"); c.languages[tag] != nil {
		http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: tag, Path: "/", MaxAge: int(365 * 24 * time.Hour / time.Second),
			HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode})
		return c.languages[tag]
	}
	if cookie, err := r.Cookie(languageCookie); err == nil && c.languages[cookie.Value] != nil {
		return c.languages[cookie.Value]
	}
	return c.languages[c.Texts.Language(accepted(r.Header.Get("Accept-Language"))...).Tag]
}

// accepted lists the languages of an Accept-Language header, the preferred first.
func accepted(header string) []string {
	type weighed struct {
		tag string
		q   float64
	}
	var all []weighed
	for part := range strings.SplitSeq(header, ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if value, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(value, 64); err != nil {
				q = 0
			}
		}
		if tag != "" && q > 0 && len(all) < 20 {
			all = append(all, weighed{tag, q})
		}
	}
	slices.SortStableFunc(all, func(a, b weighed) int {
		switch {
		case a.q > b.q:
			return -1
		case a.q < b.q:
			return 1
		}
		return 0
	})
	var tags []string
	for _, w := range all {
		tags = append(tags, w.tag)
	}
	return tags
}
