package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"scantrail/schemas"
	"scantrail/sink"
)

const (
	// printLTS prints what scores are made of as the worked example writes it.
	printLTS = `SELECT format('{} {} open {} counted {}  on time {}/{}  completeness {}  pickup {}/{}  exception-free {}/{}  lts {}',
		shop_id, toString(parcels), toString(open_parcels), toString(counted_parcels), toString(on_time_parcels), toString(promised_parcels + late_orders),
		printf('%.6f', completeness_sum), toString(pickup_on_time_parcels), toString(pickup_due_parcels), toString(exception_free_parcels), toString(counted_parcels),
		printf('%.6f', assumeNotNull(lts))) FROM lts_weekly ORDER BY shop_id, week FORMAT TSVRaw`
	printExplain = `SELECT format('{} {} {} {} {}', shop_id, substring(order_id, 4), rule, fault, printf('%.6f', points))
		FROM score_explain ORDER BY shop_id, order_id, rule FORMAT TSVRaw`
	// notExplained counts the shops' weeks whose points do not sum up.
	notExplained = `SELECT count() FROM lts_weekly AS w LEFT JOIN (SELECT shop_id, week, sum(points) AS points FROM score_explain GROUP BY shop_id, week) AS e
		ON e.shop_id = w.shop_id AND e.week = w.week WHERE abs(100 - w.lts - e.points) > 1e-9 FORMAT TSV`
)

// workedUntil is the hour at which the worked example is looked at: the last
// deadline, 192, has passed.
const workedUntil = 200

func section(t *testing.T, a *txtar.Archive, name string) string {
	t.Helper()
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	t.Fatalf("no section %s", name)
	return ""
}

// The worked example was computed by hand: facts -> detector -> rows -> views must
// say the same, in whatever order the facts come and however often.
func TestWorkedScores(t *testing.T) {
	a, err := txtar.ParseFile("testdata/scores/worked.txt")
	must(t, err)
	world := parseScoreWorld(t, section(t, a, "facts"))
	list := scoreRecords(world)
	check := func(how string, db *scoreDatabase) {
		for name, query := range map[string]string{"lts_weekly": printLTS, "score_explain": printExplain} {
			if got, want := db.text(t, query), section(t, a, name); got != want {
				t.Errorf("%s: %s is\n%swant\n%s", how, name, got, want)
			}
		}
		if n := db.text(t, notExplained); n != "0\n" {
			t.Errorf("%s: score_explain does not sum up to 100 - lts in %s shops", how, n)
		}
	}
	db := judgeWorld(t, schemas.DefaultPolicy(), list, true, workedUntil)
	check("as it happened", db)
	db.setClock(t, workedUntil+100)
	check("a hundred hours later", db)
	rng := rand.New(rand.NewPCG(1, 2))
	check("disordered, with copies", judgeWorld(t, schemas.DefaultPolicy(), disorder(list, rng), false, workedUntil))
	check("seen much later", judgeWorld(t, schemas.DefaultPolicy(), list, true, workedUntil+300))
}

const (
	// printOracle prints what the oracle computes too, of VIEW.
	printOracle = `SELECT concat(format('{} week {} {} on time {}/{} completeness {}/{} pickup {}/{} free {} weight {}', shop_id,
		toString(dateDiff('day', toDate('2026-10-05'), week) / 7), policy, toString(on_time_parcels), toString(promised_parcels + late_orders),
		printf('%.6f', completeness_sum), toString(counted_parcels), toString(pickup_on_time_parcels), toString(pickup_due_parcels),
		toString(exception_free_parcels), toString(weight)),
		if(isNull(lts), '', concat(' lts ', printf('%.6f', assumeNotNull(lts)), ' smoothed ', printf('%.6f', assumeNotNull(lts_smoothed))))) AS line
		FROM VIEW ORDER BY line FORMAT TSVRaw`
	outOfRange = `SELECT count() FROM lts_weekly WHERE NOT (lts BETWEEN 0 AND 100 AND lts_smoothed BETWEEN 0 AND 100 AND on_time_points BETWEEN 0 AND on_time_weight
		AND completeness_points BETWEEN 0 AND completeness_weight AND pickup_points BETWEEN 0 AND pickup_weight
		AND exception_free_points BETWEEN 0 AND exception_free_weight AND weight <= 100) FORMAT TSV`
	outOfRangeParcels = `SELECT count() FROM parcel_scores WHERE counted AND NOT (milestones_share BETWEEN 0 AND 1 AND silence_share BETWEEN 0 AND 1 AND completeness BETWEEN 0 AND 100) FORMAT TSV`
)

// Scores equal what an oracle computes from the facts, which shares no code with
// the detector nor SQL with the views; they do not depend on the order of arrival,
// on copies or, once a parcel is mature, on time; the parts are in their ranges,
// and the explanation sums up.
func TestScoresOfRandomWorlds(t *testing.T) {
	const until = 570 // every deadline has passed
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 5))
		world := known(randomWorld(rng, 300), until)
		list := scoreRecords(world)
		for _, run := range []struct {
			how   string
			list  []schemas.Record
			order bool
			until int
		}{{"in order", list, true, until}, {"disordered, with copies", disorder(list, rng), false, until + 240}} {
			db := judgeWorld(t, twoPolicies, run.list, run.order, run.until)
			want := strings.Join(oracleLines(world, oraclePolicies, run.until), "\n") + "\n"
			if got := db.text(t, strings.Replace(printOracle, "VIEW", "lts_weekly", 1)); got != want {
				t.Errorf("seed %d, %s: lts_weekly is\n%swant\n%s", seed, run.how, got, want)
			}
			for what, query := range map[string]string{"points do not sum up to 100 - lts": notExplained, "parts are out of range": outOfRange,
				"parcels are out of range": outOfRangeParcels} {
				if n := db.text(t, query); n != "0\n" {
					t.Errorf("seed %d, %s: %s in %s", seed, run.how, what, n)
				}
			}
		}
	}
}

// What a week would have been under another policy is what the oracle says under
// it, and, where that counts in working days, what a detector says under it.
func TestScoresWhatIf(t *testing.T) {
	const until = 570
	world := known(randomWorld(rand.New(rand.NewPCG(3, 5)), 150), until)
	list := scoreRecords(world)
	db := judgeWorld(t, twoPolicies, list, false, until)
	abroad := *oraclePolicies["GB"]
	abroad.promise = oraclePolicies["US"].promise // the policy knows both markets
	britain := map[string]*oraclePolicy{"GB": oraclePolicies["GB"], "US": &abroad}
	want := strings.Join(oracleLines(world, britain, until), "\n") + "\n"
	if got := db.text(t, strings.Replace(printOracle, "VIEW", fmt.Sprintf("lts_what_if(policy_number = %d, policy = 'britain')", scorePolicyNumber), 1)); got != want {
		t.Errorf("under the policy of Great Britain lts_weekly would be\n%swant\n%s", got, want)
	}
	official, ok := schemas.BuiltinPolicyText("official-us")
	if !ok {
		t.Fatal("no policy official-us")
	}
	must(t, sink.NewRows(db).InsertPolicies(t.Context(), &schemas.Control{Number: scorePolicyNumber + 1, Policy: official}))
	// Weeks begin at another hour in New York: the sums of all. What was due by the
	// deadline stays as judged.
	const sums = `SELECT shop_id, sum(promised_parcels), sum(late_orders), sum(on_time_parcels), sum(pickup_due_parcels), sum(pickup_on_time_parcels),
		sum(confirm_due_orders), sum(confirm_late_orders) FROM %s GROUP BY shop_id ORDER BY shop_id FORMAT TSV`
	got := db.text(t, fmt.Sprintf(sums, fmt.Sprintf("lts_what_if(policy_number = %d, policy = 'official-us')", scorePolicyNumber+1)))
	if want := judgeWorld(t, official, list, false, until).text(t, fmt.Sprintf(sums, "lts_weekly")); got != want {
		t.Errorf("under official-us the sums would be\n%swant\n%s", got, want)
	}
}

// Without a lane the score is that of the other lanes' parcels.
func TestScoresWithoutLane(t *testing.T) {
	const until = 570
	world := known(randomWorld(rand.New(rand.NewPCG(4, 5)), 150), until)
	for i := range world { // no order without a parcel: they stay, whatever the lane
		world[i].order[schemas.OrderLabelCreated] = world[i].order[schemas.OrderCreated] + 1
	}
	const week = "'2026-10-05'"
	const of = "SELECT round(%s, 6) FROM %s WHERE shop_id = 'B' AND week = " + week + " FORMAT TSV"
	db := judgeWorld(t, schemas.DefaultPolicy(), scoreRecords(world), false, until)
	got := db.text(t, fmt.Sprintf(of, "lts_without", "lts_without_lane(shop = 'B', week = "+week+", origin = 'CN', destination = 'GB')"))
	others := slices.DeleteFunc(world, func(p scoreParcel) bool { return p.market == "GB" })
	want := judgeWorld(t, schemas.DefaultPolicy(), scoreRecords(others), false, until).text(t, fmt.Sprintf(of, "lts", "lts_weekly"))
	if got != want {
		t.Errorf("without the lane CN-GB the score is %s, that of the other parcels %s", got, want)
	}
}

// sqlWithResult is a query of a page and what it shows.
var sqlWithResult = regexp.MustCompile("(?s)```sql\n(.*?)```\n\n```\n(.*?)```\n")

// SCORES.md shows what its queries really say of the worked example, and explains
// every column of every view of scores.
func TestScoresPage(t *testing.T) {
	path := filepath.Join(repoRoot, "schemas", "clickhouse", "SCORES.md")
	page := string(readRepo(t, path))
	a, err := txtar.ParseFile("testdata/scores/worked.txt")
	must(t, err)
	db := judgeWorld(t, schemas.DefaultPolicy(), scoreRecords(parseScoreWorld(t, section(t, a, "facts"))), false, workedUntil)
	shown := 0
	fresh := sqlWithResult.ReplaceAllStringFunc(page, func(block string) string {
		m := sqlWithResult.FindStringSubmatch(block)
		shown++
		return "```sql\n" + m[1] + "```\n\n```\n" + db.text(t, m[1]+"FORMAT PrettyCompactMonoBlock SETTINGS output_format_pretty_row_numbers = 0, output_format_pretty_color = 0") + "```\n"
	})
	if shown < 9 {
		t.Errorf("%d queries with results", shown)
	}
	if fresh != page {
		if *updateGuide {
			must(t, os.WriteFile(path, []byte(fresh), 0o644))
		} else {
			t.Error("results in SCORES.md are not what its queries say: go test ./cmd/scantrail -run TestScoresPage -update")
		}
	}
	columns := db.text(t, `SELECT DISTINCT name FROM system.columns WHERE database = currentDatabase()
		AND table IN ('lts_weekly', 'lts_unpublished', 'lts_published', 'shop_alerts', 'score_explain', 'shop_consequences', 'late_fulfilment', 'completeness_shop', 'completeness_carrier',
			'completeness_lane', 'completeness_day', 'completeness_milestone', 'completeness_parcel') FORMAT TSV`)
	for name := range strings.Lines(columns) {
		if name = strings.TrimSpace(name); !strings.Contains(page, "`"+name+"`") {
			t.Errorf("SCORES.md does not explain the column %s", name)
		}
	}
}
