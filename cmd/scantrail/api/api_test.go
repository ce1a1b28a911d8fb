package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"scantrail/cmd/scantrail/query"
	"scantrail/cmd/scantrail/query/querytest"
	"scantrail/cmd/scantrail/web"
	"scantrail/schemas"
	"scantrail/schemas/texts"
)

const (
	viewer = "viewer-0123456789-0123456789"
	seller = "seller-0123456789-0123456789"
	push   = "push-0123456789-0123456789"
)

const ownShop = "shop-02"

// service is the API behind the real listener, over a world that the real pipeline
// has written.
type service struct {
	t       *testing.T
	world   *querytest.World
	address string
	schemas *jsonschema.Compiler
}

func start(t *testing.T) *service {
	t.Helper()
	w := querytest.Start(t)
	handler, err := New(Options{Queries: query.New(w.Rows), Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := texts.Load()
	if err != nil {
		t.Fatal(err)
	}
	server, err := web.Listen(web.Options{Listen: "127.0.0.1:0", Texts: catalog, RatePerMinute: 1_000_000, Log: slog.New(slog.DiscardHandler), Tokens: []web.Token{
		{Name: "eve", Secret: viewer, Role: web.Viewer},
		{Name: "acme", Secret: seller, Role: web.Seller, Shops: []string{ownShop, "shop-99"}},
		{Name: "usps", Secret: push, Role: web.Push, Carriers: []string{"usps"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	server.Mount(web.Handlers{API: handler})
	s := &service{t: t, world: w, address: "http://" + server.Addr(), schemas: jsonschema.NewCompiler()}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	if err != nil {
		t.Fatal(err)
	}
	s.schemas.AssertFormat()
	if err := s.schemas.AddResource("openapi.json", document); err != nil {
		t.Fatal(err)
	}
	return s
}

type reply struct {
	*http.Response
	body []byte
}

func (s *service) do(method, path, token string, headers ...string) reply {
	s.t.Helper()
	req, err := http.NewRequest(method, s.address+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{resp, b}
}

// get asks, and holds what comes against the document: schema names what 200 is.
func (s *service) get(path, token, schema string, into any) reply {
	s.t.Helper()
	r := s.do("GET", path, token)
	kind := "application/json"
	if r.StatusCode != 200 {
		schema, kind = "Problem", "application/problem+json"
	}
	if got := r.Header.Get("Content-Type"); got != kind {
		s.t.Errorf("GET %s: %d %s", path, r.StatusCode, got)
	}
	if !strings.Contains(r.Header.Get("Cache-Control"), "no-store") {
		s.t.Errorf("GET %s may be kept: %q", path, r.Header.Get("Cache-Control"))
	}
	compiled, err := s.schemas.Compile("openapi.json#/components/schemas/" + schema)
	if err != nil {
		s.t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.body))
	if err != nil {
		s.t.Fatalf("GET %s: %v\n%s", path, err, r.body)
	}
	if err := compiled.Validate(value); err != nil {
		s.t.Errorf("GET %s is not as the document says: %v", path, err)
	}
	if into != nil && r.StatusCode == 200 {
		if err := json.Unmarshal(r.body, into); err != nil {
			s.t.Fatal(err)
		}
	}
	return r
}

// strings returns the first column of a query.
func (s *service) strings(sql string, args ...any) (all []string) {
	s.t.Helper()
	rows, err := s.world.Rows.Query(context.Background(), sql, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, one)
	}
	if rows.Err() != nil {
		s.t.Fatal(rows.Err())
	}
	return all
}

// sample takes every nth of a list: the tests ask for enough, and not for all.
func sample(all []string, n int) (some []string) {
	for i := 0; i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}

func (s *service) exec(sql string, args ...any) {
	s.t.Helper()
	if err := s.world.Rows.Exec(context.Background(), sql, args...); err != nil {
		s.t.Fatal(err)
	}
}

// TestDocument: every path of the document is served, and no other; its parameters
// are those that are known.
func TestDocument(t *testing.T) {
	s := start(t)
	var document struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string }
		}
	}
	r := s.do("GET", "/v1/openapi.json", viewer)
	if err := json.Unmarshal(r.body, &document); err != nil || r.Header.Get("Content-Type") != "application/json" {
		t.Fatal(err, r.Header)
	}
	served := []string{"/v1/openapi.json"}
	for path := range (&api{}).endpoints() {
		served = append(served, path)
	}
	slices.Sort(served)
	var described []string
	for path, methods := range document.Paths {
		described = append(described, path)
		if len(methods) != 1 || path == "/v1/openapi.json" {
			continue
		}
		var parameters []string
		for _, p := range methods["get"].Parameters {
			if p.In == "query" {
				parameters = append(parameters, p.Name)
			}
		}
		asked := strings.NewReplacer("{number}", "LX000000007CN", "{shop}", ownShop).Replace(path) + "?nosuch=1"
		var problem struct{ Remedy string }
		bad := s.do("GET", asked, viewer)
		if err := json.Unmarshal(bad.body, &problem); err != nil || bad.StatusCode != 400 {
			t.Fatalf("%s: %d %s", asked, bad.StatusCode, bad.body)
		}
		known := strings.Split(strings.TrimPrefix(problem.Remedy, "known here: "), ", ")
		slices.Sort(known)
		slices.Sort(parameters)
		if !slices.Equal(known, parameters) {
			t.Errorf("%s reads %v, the document says %v", path, known, parameters)
		}
	}
	slices.Sort(described)
	if !slices.Equal(served, described) {
		t.Errorf("served %v, described %v", served, described)
	}
}

func TestParcels(t *testing.T) {
	s := start(t)
	numbers := s.strings("SELECT tracking_number FROM parcels FINAL ORDER BY tracking_number")
	if len(numbers) < 300 {
		t.Fatalf("%d parcels", len(numbers))
	}
	scans, alerts, missing := 0, 0, 0
	lacking := s.strings("SELECT tracking_number FROM completeness_parcel WHERE notEmpty(missing_milestones) ORDER BY tracking_number LIMIT 3")
	for _, n := range append(sample(numbers, 20), lacking...) {
		var p parcel
		if r := s.get("/v1/parcels/"+n, viewer, "Parcel", &p); r.StatusCode != 200 || p.TrackingNumber != n {
			t.Fatalf("%s: %d %s", n, r.StatusCode, r.body)
		}
		want := s.strings("SELECT toString(uniqExact(fact_id)) FROM parcel_trail WHERE tracking_number = ? OR tracking_number IN ?", n, append(p.OtherNumbers, ""))[0]
		if got := fmt.Sprint(len(p.Trail)); got != want {
			t.Errorf("%s: a trail of %s scans, want %s", n, got, want)
		}
		if !slices.IsSortedFunc(p.Trail, func(a, b scan) int { return int(a.EffectiveAt.Unix() - b.EffectiveAt.Unix()) }) {
			t.Errorf("%s: the trail is in disorder", n)
		}
		want = s.strings("SELECT toString(count()) FROM alerts_current WHERE tracking_number = ? OR (order_id = ? AND shop_id = ? AND order_id != '' AND tracking_number = '')", n, p.OrderID, p.ShopID)[0]
		if got := fmt.Sprint(len(p.Alerts)); got != want {
			t.Errorf("%s: %s alerts, want %s", n, got, want)
		}
		scans, alerts, missing = scans+len(p.Trail), alerts+len(p.Alerts), missing+len(p.State.MissingMilestones)
	}
	if scans == 0 || alerts == 0 || missing == 0 {
		t.Errorf("%d scans, %d alerts, %d missing milestones: too few to say anything", scans, alerts, missing)
	}
	for _, n := range s.strings("SELECT tracking_number FROM stalled_now ORDER BY hours_silent LIMIT 3") {
		var p parcel
		s.get("/v1/parcels/"+strings.ToLower(n), viewer, "Parcel", &p)
		if p.State.SilentLevel == 0 {
			t.Errorf("%s is in stalled_now: %+v", n, p.State)
		}
	}
	// By the last mile's number, and as it is printed.
	pair := s.strings("SELECT concat(tracking_number, ' ', other_number) FROM aliases WHERE tracking_number IN (SELECT tracking_number FROM parcels FINAL) LIMIT 1")
	if len(pair) == 1 {
		own, other, _ := strings.Cut(pair[0], " ")
		var p parcel
		s.get("/v1/parcels/"+other, viewer, "Parcel", &p)
		if p.TrackingNumber != own || !slices.Contains(p.OtherNumbers, other) {
			t.Errorf("by %s: %s %v", other, p.TrackingNumber, p.OtherNumbers)
		}
	}
	var p parcel
	spaced := numbers[0][:2] + " " + numbers[0][2:5] + "-" + numbers[0][5:]
	if s.get("/v1/parcels/"+url.PathEscape(spaced), viewer, "Parcel", &p); p.TrackingNumber != numbers[0] {
		t.Errorf("by %q: %s", spaced, p.TrackingNumber)
	}
}

func TestUnchanged(t *testing.T) {
	s := start(t)
	path := "/v1/parcels/" + s.strings("SELECT min(tracking_number) FROM parcels")[0]
	first := s.do("GET", path, viewer)
	if again := s.do("GET", path, viewer, "If-None-Match: "+first.Header.Get("ETag")); again.StatusCode != 304 || len(again.body) != 0 {
		t.Errorf("again: %d", again.StatusCode)
	}
	if other := s.do("GET", path, viewer, `If-None-Match: "other"`); other.StatusCode != 200 {
		t.Errorf("with another tag: %d", other.StatusCode)
	}
	if head := s.do("HEAD", path, viewer); head.StatusCode != 200 || len(head.body) != 0 || head.Header.Get("Scantrail-As-Of") == "" || head.Header.Get("RateLimit") == "" {
		t.Errorf("HEAD: %d %v", head.StatusCode, head.Header)
	}
}

func TestScores(t *testing.T) {
	s := start(t)
	for _, shop := range s.strings("SELECT DISTINCT shop_id FROM lts_weekly WHERE shop_id != '' ORDER BY shop_id") {
		var score shopScore
		if r := s.get("/v1/shops/"+shop+"/score?weeks=20", viewer, "ShopScore", &score); r.StatusCode != 200 || score.ShopID != shop {
			t.Fatalf("%s: %d %s", shop, r.StatusCode, r.body)
		}
		lost := 0
		for _, w := range score.Weeks {
			if w.LTS == nil {
				continue
			}
			sum, points := 0.0, 0.0
			for _, l := range w.Lost {
				sum += l.Points
			}
			for _, p := range []part{w.Parts.OnTime, w.Parts.Completeness, w.Parts.Pickup, w.Parts.ExceptionFree} {
				if p.Points != nil {
					points += *p.Points
				}
			}
			if d := 100 - *w.LTS - sum; d > 1e-4 || d < -1e-4 { // each is rounded to six digits
				t.Errorf("%s %s: lost %.6f, and the score is %.6f", shop, w.Week, sum, *w.LTS)
			}
			if d := 100*points/w.Weight - *w.LTS; d > 1e-4 || d < -1e-4 {
				t.Errorf("%s %s: parts of %.6f of %.6f, and the score is %.6f", shop, w.Week, points, w.Weight, *w.LTS)
			}
			lost += len(w.Lost)
			if len(w.Thresholds) == 0 {
				t.Errorf("%s %s: no threshold", shop, w.Week)
			}
		}
		if lost == 0 || len(score.Weeks) < 3 {
			t.Errorf("%s: %d weeks, %d losses", shop, len(score.Weeks), lost)
		}
	}
}

func TestErrors(t *testing.T) {
	s := start(t)
	for path, want := range map[string]int{
		"/v1/parcels/x": 400, "/v1/parcels/LX%00000007CN": 400, "/v1/parcels/" + strings.Repeat("A", 41): 400, "/v1/parcels/%3Cscript%3E": 400,
		"/v1/parcels/' OR 1=1": 400, "/v1/parcels/NOSUCHNUMBER": 404, "/v1/parcels/NOSUCHNUMBER?opened_at=yesterday": 400,
		"/v1/parcels/": 404, "/v1/": 404, "/v1/nothing": 404, "/v1/shops//score": 404, "/v1/shops/nosuch/score": 404, "/v1/shops/" + ownShop + "/score?weeks=0": 400,
		"/v1/alerts?status=opened": 400, "/v1/alerts?limit=0": 400, "/v1/alerts?limit=1001": 400, "/v1/alerts?limit=x": 400, "/v1/alerts?cursor=x": 400,
		"/v1/alerts?carier=usps": 400, "/v1/alerts?rule=a&rule=b": 400, "/v1/alerts?changed_since=2026": 400, "/v1/alerts?changed_since=9999-01-01T00:00:00Z": 400,
		"/v1/alerts?paged=yes": 400, "/v1/alerts?format=xml": 400, "/v1/alerts?number=x": 400, "/v1/alerts?min_level=3": 400, "/v1/alerts?shop=" + strings.Repeat("x", 201): 400,
		"/v1/alerts?shop=%00": 400, "/v1/alerts?shop=%ff": 400,
		"/v1/alerts?shop='%20OR%201=1--": 200, "/v1/alerts?shop=@all": 200, "/v1/alerts?rule=nosuch": 200,
	} {
		schema := "AlertList"
		if r := s.get(strings.ReplaceAll(path, " ", "%20"), viewer, schema, nil); r.StatusCode != want {
			t.Errorf("GET %s: %d, want %d\n%s", path, r.StatusCode, want, r.body)
		}
	}
	if r := s.do("POST", "/v1/alerts", viewer); r.StatusCode != 405 || r.Header.Get("Allow") == "" {
		t.Errorf("POST: %d", r.StatusCode)
	}
	if r := s.get("/v1/alerts", push, "", nil); r.StatusCode != 403 {
		t.Errorf("a token for pushing reads: %d", r.StatusCode)
	}
	if r := s.get("/v1/alerts", "none", "", nil); r.StatusCode != 401 {
		t.Errorf("no token: %d", r.StatusCode)
	}
}

func FuzzTrackingNumber(f *testing.F) {
	for _, s := range []string{"LX 000 000 007 CN", "", "\x00", "ＬＸ０００００００７", strings.Repeat("9", 50)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, printed string) {
		n, err := trackingNumber(printed)
		if err != nil {
			return
		}
		if len(n) < 6 || len(n) > 40 || strings.Trim(n, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
			t.Errorf("%q became %q", printed, n)
		}
		if again, err := trackingNumber(n); err != nil || again != n {
			t.Errorf("%q is not canonical: %q %v", n, again, err)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add("", "")
	f.Add("AQAAAAAAAAABkwAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "rule=gap_48h")
	f.Fuzz(func(t *testing.T, s, filter string) {
		values, err := url.ParseQuery(filter)
		if err != nil {
			return
		}
		hash := filterHash(values)
		c, err := parseCursor(s, hash)
		if err == nil && c.String() != s {
			t.Errorf("%q is read as %q", s, c.String())
		}
		c.filter = hash
		if c.anchor.IsZero() {
			return
		}
		if again, err := parseCursor(c.String(), hash); err != nil || again != c {
			t.Errorf("%v is read back as %v, %v", c, again, err)
		}
	})
}

func table(t *testing.T, body []byte) []map[string]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(body, []byte("\uFEFF")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, cell := range row {
			m[rows[0][i]] = cell
		}
		all = append(all, m)
	}
	return all
}

func parcelID(number string) string { return schemas.ParcelID(number).String() }
