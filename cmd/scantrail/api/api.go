// Package api answers programs in JSON: the trail of a parcel, alerts, the score
// of a shop. openapi.json describes every answer. A caller whose token is of some
// shops alone sees nothing of the others, not even that it is there.
package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"scantrail/cmd/scantrail/query"
	"scantrail/cmd/scantrail/web"
)

//go:embed openapi.json
var openAPI []byte

// Options is what the API needs.
type Options struct {
	Queries *query.Queries
	Log     *slog.Logger // default: nothing is logged
}

type api struct {
	Options
	document []byte
}

// New returns the handler of everything below /v1/ but the push receiver.
func New(o Options) (http.Handler, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &api{Options: o}
	var compact bytes.Buffer
	if err := json.Compact(&compact, openAPI); err != nil {
		return nil, err
	}
	a.document = append(compact.Bytes(), '\n')
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/openapi.json", a.showDocument)
	for pattern, serve := range a.endpoints() {
		mux.Handle("GET "+pattern, a.endpoint(serve))
	}
	mux.HandleFunc("/v1/", a.nothing)
	return mux, nil
}

// endpoints are the questions, by their paths.
func (a *api) endpoints() map[string]func(*request) error {
	return map[string]func(*request) error{
		"/v1/parcels/{number}":   a.parcel,
		"/v1/alerts":             a.alerts,
		"/v1/shops/{shop}/score": a.score,
	}
}

// request is one question of one caller.
type request struct {
	*http.Request
	w       http.ResponseWriter
	visible *query.Visible
	texts   bool // what carriers printed is shown
	params  params
}

// endpoint runs a question for whoever may read, and turns its error into a problem.
func (a *api) endpoint(serve func(*request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		caller := web.CallerOf(hr.Context())
		if !caller.MaySeeAll() && caller.Role != web.Seller {
			web.WriteProblem(w, http.StatusForbidden, "this token may not read", "use a token of the role viewer, operator or seller")
			return
		}
		scope := query.Scope{All: caller.MaySeeAll(), Shops: caller.Shops}
		r := &request{Request: hr, w: w, visible: a.Queries.For(scope), texts: scope.All, params: params{values: hr.URL.Query()}}
		clock, err := a.Queries.Clock(hr.Context())
		if err == nil {
			if !clock.IsZero() {
				w.Header().Set("Scantrail-As-Of", clock.UTC().Format(time.RFC3339Nano))
			}
			err = serve(r)
		}
		if err != nil && hr.Context().Err() == nil {
			a.fail(w, hr, err)
		}
	})
}

// wrong is an error of the caller's.
type wrong struct{ what, remedy string }

func (e *wrong) Error() string { return e.what }

func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Del("Scantrail-As-Of")
	var bad *wrong
	switch {
	case errors.As(err, &bad):
		web.WriteProblem(w, http.StatusBadRequest, bad.what, bad.remedy)
	case errors.Is(err, query.ErrNone):
		web.WriteProblem(w, http.StatusNotFound, "there is nothing of this name that this token may see", "check the number or the name; a parcel is there once a carrier or the shop has reported it")
	case errors.Is(err, query.ErrSlow):
		a.Log.Warn("a question took too long", "path", r.URL.Path, "err", err)
		w.Header().Set("Retry-After", "30")
		web.WriteProblem(w, http.StatusServiceUnavailable, "ClickHouse did not answer in time", "ask for less, by more filters or a lower limit, or try again later")
	default:
		a.Log.Error("a question failed", "path", r.URL.Path, "err", err)
		w.Header().Set("Retry-After", "30")
		web.WriteProblem(w, http.StatusServiceUnavailable, "ClickHouse cannot be asked", "try again later; the log of Scantrail says why")
	}
}

func (a *api) nothing(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		web.WriteProblem(w, http.StatusMethodNotAllowed, "there is nothing here for this method", "use GET")
		return
	}
	web.WriteProblem(w, http.StatusNotFound, "there is no such path", "GET /v1/openapi.json lists them all")
}

func (a *api) showDocument(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	write(w, r, "application/json", a.document)
}

// answer writes v as JSON.
func (r *request) answer(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(true) // harmless wherever it ends up
	if err := e.Encode(v); err != nil {
		return err
	}
	r.w.Header().Set("Cache-Control", "private, no-store")
	write(r.w, r.Request, "application/json", b.Bytes())
	return nil
}

// write answers with a body, or with 304 to who has it already.
func write(w http.ResponseWriter, r *http.Request, kind string, body []byte) {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	w.Header().Set("ETag", tag)
	for have := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if have = strings.TrimPrefix(strings.TrimSpace(have), "W/"); have == tag || have == "*" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.Header().Set("Content-Type", kind)
	if r.Method != http.MethodHead {
		w.Write(body) //nolint:errcheck // whoever asked may have gone away
	}
}
