// Sim runs the detector's machines on a simulated cluster, one seed at a time: a
// log of several partitions, ingest, history, ticks, snapshots, rows, crashes, owners
// that come and go, policies that change, all in one goroutine from one random source
// and a virtual clock. It compares with package oracle: every transition of every
// alert and feed (silent, late, its key about to end), every status, with what was
// known at each tick, and every row of parcels and orders (in Go); in the end every
// alert that is open, escalated or resolved, for one seed in -sql also in SQL. Two
// rows of one version must be the same (-strict), and everything must come to rest.
// One world in -morph is lived in other ways too, for the same tables.
//
// What the worlds are made of does not know the rules: any milestones, at times
// that gather around their limits, to the second; plausible journeys; and whole
// situations that chance seldom draws.
//
// A run prints how often every transition of every rule was met, and every fault in
// every phase, and lists what was met less than -often times: in a million seeds
// nothing should be. cells.go says what can be, and why the rest cannot; should that
// be met all the same, it is listed too.
//
//	go run ./bench/sim -seeds 20000 -strict            a pull request
//	go run ./bench/sim -seeds 1000000 -strict          some 45 minutes on two cores
//	go run ./bench/sim -seed 4711 -strict              one seed, and the least that makes it fail
//	go run ./bench/sim -seeds 1000 -omit av            without aliases and newer mappings
//
// Not compared: of numbers that are quarantined anything but that nothing is open;
// after a change of policies, what may have left memory before it, and rows; what SQL
// finds (lane_disruption and shops' weeks, see sink/lanes and sink/shops); the flags
// backfill and uncertain.
package main
