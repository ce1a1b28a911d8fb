// Command chaos kills, stops and cuts off the processes of a whole Scantrail
// under load, and proves afterwards that nothing was lost and nothing doubled:
//
//	go run ./bench/chaos -kills 500
//
// It runs real processes on loopback: Apache Kafka, the ClickHouse engine
// (scantrail clickhouse), and several scantrail run with a name of their own
// each. A simulated world (package world), which knows the truth, writes to them
// for as long as the faults last. Then everything comes back, what waits is
// waited for, and three judges look at the tables:
//
//   - the world: every scan once, every order fact once, and the alerts for gaps
//     and missing milestones, all of them and no others;
//   - scantrail audit with --replay all: P1 to P5;
//   - the processes themselves: none ended on its own.
//
// Which fault comes next follows from -seed; when it comes follows from the
// machine.
package main
