// Sim runs the detector's machines on a simulated cluster, one seed at a time: a
// log of several partitions, ingest, ticks, snapshots, rows, crashes, owners that
// come and go, all in one goroutine from one random source and a virtual clock.
// In the end it compares with package oracle: every alert that is open, escalated
// or resolved (in SQL, for many seeds at once); for one seed in -known also every
// transition of every alert, with what was known at each tick, and every row of
// parcels and orders (in Go). Two rows of one version must be the same (-strict),
// and everything must come to rest.
//
// What the worlds are made of does not know the rules: any milestones, at times
// that gather around their limits, to the second; and plausible journeys.
//
//	go run ./bench/sim -seeds 20000 -strict          a pull request
//	go run ./bench/sim -seeds 1000000 -strict -for 3h   a night
//	go run ./bench/sim -seed 4711                    one seed, and the least that makes it fail
//	go run ./bench/sim -seeds 1000 -omit av          without aliases and newer mappings
//
// Not compared: the transitions of numbers that aliases link (their end is), the
// alerts of parcels that ended under policies of before, and feeds.
package main
