package main

import (
	"math/rand/v2"
	"testing"

	"golang.org/x/tools/txtar"
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
	db := judgeWorld(t, list, true, workedUntil)
	check("as it happened", db)
	db.setClock(t, workedUntil+100)
	check("a hundred hours later", db)
	rng := rand.New(rand.NewPCG(1, 2))
	check("disordered, with copies", judgeWorld(t, disorder(list, rng), false, workedUntil))
	check("seen much later", judgeWorld(t, list, true, workedUntil+300))
}
