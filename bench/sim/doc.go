// Sim runs the detector's machines on a simulated cluster, one seed at a time:
// a log of several partitions, snapshots, rows, crashes, owners that come and go,
// all in one goroutine from one random source and a virtual clock. In the end
// it compares alerts and rows with those of package oracle.
package main
